"""What is used of the insides of Ray."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from ray import tune
from ray._private.node import Node
from ray._private.state import GlobalState
from ray.experimental import internal_kv
from ray.tune.execution import class_cache
from ray.tune.execution.tune_controller import TuneController

import models.patches
from tuner.runtime import patches
from tuner.runtime.machines import capacity
from tuner.runtime.notices import Notices
from tuner.study.store import patches as store_patches
from tuner.study.store.results import ResultsStore

TRIALS = 40


class Quick(tune.Trainable):
    """Trials much shorter than the start of the second worker, which notes that it has started."""

    def setup(self, config):
        notes = Path(config["notes"])
        try:
            (notes / "first").mkdir()
        except FileExistsError:
            time.sleep(2)
        (notes / str(os.getpid())).touch()

    def reset_config(self, new_config):
        return True

    def step(self):
        time.sleep(0.1)
        return {"done": True, "worker": os.getpid()}

    def save_checkpoint(self, checkpoint_dir):
        return {}

    def load_checkpoint(self, checkpoint): ...


@pytest.fixture(autouse=True)
def _nothing_said(monkeypatch):
    """Each test begins with nothing reported as missing, and leaves Tune as it was."""
    monkeypatch.setattr(models.patches, "_said", set())
    reuse = TuneController._maybe_reuse_cached_actor
    monkeypatch.setattr(TuneController, "_maybe_reuse_cached_actor", getattr(reuse, "plain", reuse))
    monkeypatch.setattr(class_cache, "DEFAULT_ENV_VARS", dict(class_cache.DEFAULT_ENV_VARS))
    monkeypatch.setattr(
        class_cache, "ENV_VARS_TO_PROPAGATE", set(class_cache.ENV_VARS_TO_PROPAGATE)
    )


def test_workers_that_start_late_train_too(ray_session, tmp_path, monkeypatch):
    monkeypatch.setenv("TUNE_MAX_PENDING_TRIALS_PG", "3")
    patches.adapt(started_ray=False)
    notes = tmp_path / "notes"
    notes.mkdir()
    space = {"model_id": tune.grid_search(list(range(TRIALS))), "notes": str(notes)}
    results = tune.Tuner(
        tune.with_resources(Quick, {"CPU": 1}),
        param_space=space,
        tune_config=tune.TuneConfig(reuse_actors=True),
        run_config=tune.RunConfig(storage_path=str(tmp_path / "runs"), verbose=0),
    ).fit()
    workers = [result.metrics["worker"] for result in results]
    assert len(workers) == TRIALS
    started = {int(path.name) for path in notes.iterdir() if path.name != "first"}
    assert len(started) == 2  # none was ended and started again
    assert min(workers.count(worker) for worker in started) >= 3


def test_all_that_is_used_of_ray_is_there(ray_session, caplog):
    """Of the version that is installed."""
    patches.adapt(started_ray=True)
    with patches.nothing_else():
        pass
    assert patches.growth() == []
    patches.post("notices-of-a-test:1", "a line")
    assert patches.collect("notices-of-a-test:") == ["a line"]
    assert patches.collect("notices-of-a-test:") == []
    assert not caplog.messages


def test_a_second_search_of_a_process_finds_tune_adapted():
    patches.adapt(started_ray=False)
    once = TuneController._maybe_reuse_cached_actor
    patches.adapt(started_ray=False)
    assert TuneController._maybe_reuse_cached_actor is once


def test_tune_is_left_alone_without_the_method_that_is_replaced(monkeypatch, caplog):
    monkeypatch.delattr(TuneController, "_maybe_reuse_cached_actor")
    patches.adapt(started_ray=False)
    assert not hasattr(TuneController, "_maybe_reuse_cached_actor")
    assert "_maybe_reuse_cached_actor" in caplog.text and len(caplog.messages) == 1


def test_tune_is_left_alone_where_that_method_takes_more(monkeypatch, caplog):
    def changed(self, trial, fresh=False): ...

    monkeypatch.setattr(TuneController, "_maybe_reuse_cached_actor", changed)
    patches.adapt(started_ray=False)
    assert TuneController._maybe_reuse_cached_actor is changed
    assert "_maybe_reuse_cached_actor(self, trial)" in caplog.text


@pytest.mark.parametrize("name", sorted(patches._REUSE_ATTRIBUTES))
def test_tune_is_left_alone_without_what_the_new_method_reads(name, monkeypatch, caplog):
    plain, make = TuneController._maybe_reuse_cached_actor, TuneController.__init__
    names = tuple(known for known in make.__code__.co_names if known != name)
    # A controller that has never heard of the attribute.
    changed = type(make)(make.__code__.replace(co_names=names), make.__globals__)
    monkeypatch.setattr(TuneController, "__init__", changed)
    patches.adapt(started_ray=False)
    assert TuneController._maybe_reuse_cached_actor is plain
    assert name in caplog.text and len(caplog.messages) == 1


@pytest.mark.parametrize("name", ["DEFAULT_ENV_VARS", "ENV_VARS_TO_PROPAGATE"])
def test_trials_keep_their_environment_where_it_is_kept_elsewhere(name, monkeypatch, caplog):
    monkeypatch.delattr(class_cache, name)
    patches.adapt(started_ray=True)
    (other,) = {"DEFAULT_ENV_VARS", "ENV_VARS_TO_PROPAGATE"} - {name}
    assert getattr(class_cache, other)
    assert name in caplog.text and len(caplog.messages) == 1


@pytest.mark.parametrize("name", ["start_api_server", "start_log_monitor", "start_monitor"])
def test_ray_starts_its_processes_where_they_are_started_otherwise(name, monkeypatch, caplog):
    monkeypatch.delattr(Node, name)
    before = dict(vars(Node))
    with patches.nothing_else():
        assert dict(vars(Node)) == before
    assert name in caplog.text and len(caplog.messages) == 1


def test_a_cluster_counts_as_it_is_where_its_growth_is_not_known(ray_session, monkeypatch, caplog):
    monkeypatch.delattr(GlobalState, "get_cluster_config")
    assert capacity() == {"CPU": 2, "GPU": 0}
    assert "get_cluster_config" in caplog.text


def test_a_cluster_counts_as_it_is_where_its_kinds_of_machines_are_described_otherwise(
    ray_session, monkeypatch, caplog
):
    def other(self):
        return object()

    monkeypatch.setattr(GlobalState, "get_cluster_config", other)
    assert capacity() == {"CPU": 2, "GPU": 0}
    assert "node_group_configs" in caplog.text


@pytest.mark.parametrize("name", ["put", "get", "list", "del"])
def test_notices_stay_in_the_logs_without_the_store_of_rays_head(name, monkeypatch, caplog, capsys):
    monkeypatch.delattr(internal_kv, f"_internal_kv_{name}")
    notices, shown = Notices(), []
    notices.say("waiting for S3")
    notices.show(shown.append)
    assert shown == [] and "waiting for S3" in capsys.readouterr().out
    assert f"_internal_kv_{name}" in caplog.text and len(caplog.messages) == 1


@pytest.mark.long
def test_a_search_ends_right_without_any_of_them(write_config, tmp_path):
    """In the search's process and in Ray's workers, all these names are changed."""
    (tmp_path / "sitecustomize.py").write_text(
        textwrap.dedent(
            """
            import models.patches

            def renamed(private):
                names = {f"{name}_of_old": wanted for name, wanted in private.names.items()}
                object.__setattr__(private, "names", names or {"json:of_old": "s"})

            def made(private, *values):
                plain(private, *values)
                renamed(private)

            plain = models.patches.Private.__init__
            models.patches.Private.__init__ = made
            renamed(models.patches._OPTIMIZER), renamed(models.patches._ABSENCE)
            """
        )
    )
    path = write_config(search={"trials": 4, "grace_period": 1, "startup_trials": 1})
    repository = str(Path(models.patches.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-m", "tuner.search", str(path)],
        capture_output=True,
        text=True,
        cwd=repository,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{repository}"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [line for line in done.stderr.splitlines() if "_of_old" in line]
    privates = [p for p in vars(patches).values() if isinstance(p, models.patches.Private)]
    privates += [store_patches._VALUES, models.patches._ABSENCE]
    for private in privates:
        assert sum(private.cost in line for line in lines) == 1, (private, done.stderr)
    assert "Traceback" not in done.stderr
    store = ResultsStore.open(f"sqlite:///{tmp_path / 'runs' / 'results.db'}")
    counts = store.counts()
    assert counts["finished"] + counts["pruned"] == 4, counts
    assert all(record.epochs for record in store.records())
