"""The Ray that a command starts for itself."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tuner.config.load import parse
from tuner.runtime.session import every_cpu_trains


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        ({}, True),
        ({"resources": {"cpus": 2}}, False),
        ({"resources": {"trials_at_once": 1}}, False),
        ({"search": {"trials": 1}}, False),
    ],
)
def test_workers_import_ahead_where_each_cpu_has_one(settings, wanted, monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    monkeypatch.setattr("pathlib.Path.glob", lambda *_: iter(()))
    space = {"space": {"architecture": ["image_mlp_frozen"]}}
    assert every_cpu_trains(parse({"name": "a", **space, **settings}, "a")) is wanted


@pytest.mark.parametrize(("cpus", "gpus", "wanted"), [(64, 1, False), (16, 1, True), (64, 4, True)])
def test_gpus_limit_the_workers(cpus, gpus, wanted, monkeypatch):
    """With 64 CPUs and one GPU, most workers would import for nothing."""
    cards = [Path(f"/dev/nvidia{number}") for number in range(gpus)]
    monkeypatch.setattr("os.cpu_count", lambda: cpus)
    monkeypatch.setattr("pathlib.Path.glob", lambda *_: iter(cards))
    config = parse({"name": "a", "space": {"architecture": ["image_mlp_frozen"]}}, "a")
    config = config.model_copy(update={"search": config.search.model_copy(update={"trials": 99})})
    assert every_cpu_trains(config) is wanted


def test_trials_run_on_the_workers_that_ray_started_ahead():
    """Another worker would need seconds to import what these have imported while they waited."""
    program = """
        import os, sys
        from pathlib import Path
        from ray import tune
        from ray._private import worker
        from tuner.runtime import patches
        from tuner.runtime.session import RaySession

        def train(config):
            return {"imported": "torch" in sys.modules, "setting": os.environ["PASSED_ON"]}

        with RaySession(ahead=True) as session:
            session.wait()
            logs = Path(worker._global_node.get_logs_dir_path())
            patches.adapt(started_ray=True)
            trial = tune.with_resources(train, {"cpu": 1})
            config = tune.TuneConfig(num_samples=2, reuse_actors=True)
            run = tune.RunConfig(verbose=0)
            results = tune.Tuner(trial, tune_config=config, run_config=run).fit()
            for result in results:
                print(result.metrics["imported"], result.metrics["setting"])
            started = (logs / "raylet.out").read_text().count("Started worker process")
            print(started == os.cpu_count())
    """
    command = [sys.executable, "-c", textwrap.dedent(program)]
    environment = {**os.environ, "PASSED_ON": "yes"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.stdout.split() == ["True", "yes", "True", "yes", "True"], done.stdout + done.stderr
