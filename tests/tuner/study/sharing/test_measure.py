"""The shares of a search's trials, as Ray is asked for them."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import textwrap
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from ray import tune
from ray.exceptions import RayTaskError
from rich.console import Console

from data.console import quiet
from tuner.config.load import Config, parse
from tuner.study.sharing import measure
from tuner.study.space.space import Space
from tuner.study.store.results import ResultsStore
from tuner.study.tune import run_trials
from tuner.training.speed import Card, Load

GB = 10**9
CARD = Card("a card", 140 * GB)
CLUSTER = {"GPU": 1.0, "CPU": 16.0}
C3D, SMALL = ("c3d", None), ("c3dsmall", None)
DATASET: Any = SimpleNamespace(
    classes=["a", "b"], table=pd.DataFrame({"video": [], "split": []}), videos={}
)


def config_of(folder: Path = Path(), **resources: Any) -> Config:
    return parse(
        {
            "name": "a",
            "storage": str(folder),
            "space": {"architecture": ["c3d", "c3dsmall"], "dropout": {"low": 0, "high": 0.5}},
            "search": {"trials": 9, "probes": 0},
            "resources": resources,
        },
        "a",
    )


def measuring(monkeypatch: pytest.MonkeyPatch, loads: dict[str, Any]) -> list[str]:
    """Have these measured, by architecture, on a cluster with one card; returns which were."""
    asked: list[str] = []

    def load(params: dict[str, Any]) -> Load:
        asked.append(params["architecture"])
        found = loads[params["architecture"]]
        if isinstance(found, Exception):
            raise found
        return found

    @contextmanager
    def gauge(*_: Any) -> Any:
        yield lambda: CARD, load

    monkeypatch.setattr(measure, "_gauge", gauge)
    monkeypatch.setattr("ray.cluster_resources", lambda: CLUSTER)
    return asked


def found(config: Config, cluster: Any = CLUSTER, trials: int = 9) -> tuple[Any, list[str]]:
    said: list[str] = []
    output = replace(quiet, say=said.append)
    shares = measure.find_shares(config, Space(config), DATASET, cluster, output, trials=trials)
    return shares, said


LOADS = {"c3d": Load(4 * GB, 0.35), "c3dsmall": Load(2 * GB, 0.12)}


def test_what_is_measured_decides_and_is_told_and_is_measured_once(monkeypatch):
    asked = measuring(monkeypatch, LOADS)
    shares, said = found(config_of())
    assert shares.measured[C3D] == 0.3333 and shares.measured[SMALL] == 0.125
    assert said[-2:] == [
        "c3d: 4.0 of 140 GB, busy 35 %: 3 trials a card",
        "c3dsmall: 2.0 of 140 GB, busy 12 %: 8 trials a card",
    ]
    again, told = found(config_of())
    assert again == shares and told == said[-2:]
    assert asked == ["c3d", "c3dsmall"]


def test_a_dry_run_tells_what_is_known_and_measures_nothing(monkeypatch):
    asked = measuring(monkeypatch, LOADS)
    config, said = config_of(), []
    output = replace(quiet, say=said.append)
    monkeypatch.setattr(Card, "here", lambda: CARD)
    before = measure.known_shares(config, Space(config), DATASET, CLUSTER, output)
    assert before.all == [1.0] and said == [
        "a search will first measure what it takes of a card: c3d, c3dsmall"
    ]
    assert not asked
    shares, _ = found(config)
    assert measure.known_shares(config, Space(config), DATASET, CLUSTER, output) == shares
    assert said[-1] == "c3dsmall: 2.0 of 140 GB, busy 12 %: 8 trials a card"


def test_what_can_not_be_measured_has_the_fixed_share_and_that_is_said(monkeypatch):
    lacking = RayTaskError("load", "", RuntimeError("out of memory\nmore"))
    measuring(monkeypatch, {**LOADS, "c3d": lacking})
    shares, said = found(config_of())
    assert shares.measured[C3D] == 1 and shares.measured[SMALL] == 0.125
    assert "c3d is not measured (out of memory): it has the fixed share" in said
    measuring(monkeypatch, {**LOADS, "c3d": measure.NotMeasured("its process ended")})
    shares, said = found(config_of())
    assert shares.measured[SMALL] == 0.125  # known from before
    assert "c3d and what follows is not measured: its process ended" in said


@pytest.mark.parametrize(
    ("resources", "cluster", "trials", "share"),
    [
        ({"gpus": 0.2}, CLUSTER, 9, 0.2),
        ({"gpus": 0}, CLUSTER, 9, 0),
        ({"trials_at_once": 1}, CLUSTER, 9, 1),
        ({"cpus": 16}, CLUSTER, 9, 1),
        ({}, {"CPU": 16.0}, 9, 0),
        ({}, CLUSTER, 1, 1),
    ],
)
def test_nothing_is_measured_in_vain(resources, cluster, trials, share, monkeypatch):
    asked = measuring(monkeypatch, LOADS)
    shares, said = found(config_of(**resources), cluster, trials)
    assert shares.all == [share] and not asked and not said


def test_one_card_does_not_stand_for_those_of_other_kinds(monkeypatch):
    asked = measuring(monkeypatch, LOADS)
    kinds = {"accelerator_type:T4": 1.0, "accelerator_type:H200": 1.0}
    monkeypatch.setattr("ray.cluster_resources", lambda: {**CLUSTER, **kinds})
    shares, (line,) = found(config_of())
    assert shares.all == [1.0] and not asked
    assert "several kinds: H200, T4" in line and line.endswith("they have 1 of one")


def test_ray_is_asked_for_the_measured_shares(monkeypatch, tmp_path):
    """As many workers start as share the card, each with its part."""
    measuring(monkeypatch, LOADS)
    monkeypatch.setattr("tuner.study.tune.capacity", lambda: CLUSTER)
    tuners = []

    class Tuner:
        def __init__(self, trainable: Any, **_: Any) -> None:
            tuners.append((trainable, os.environ["TUNE_MAX_PENDING_TRIALS_PG"]))

        def fit(self) -> None: ...

    monkeypatch.setattr(tune, "Tuner", Tuner)
    monkeypatch.setenv("TUNE_MAX_PENDING_TRIALS_PG", "")
    config = config_of(tmp_path)
    run_trials(
        *(config, Space(config), DATASET, ResultsStore.create(config, resume=False)),
        Console(file=io.StringIO()),
        SimpleNamespace(wait=lambda: None, started_ray=False),  # type: ignore[arg-type]
        trainable=tune.Trainable,
    )
    ((trainable, pending),) = tuners
    assert pending == "9"  # eight, and one to follow
    for name, share in (("c3d", 0.3333), ("c3dsmall", 0.125)):
        params = {"architecture": name, "pretrained_model_name": None}
        asked = trainable.default_resource_request({"params": params})
        assert asked == tune.PlacementGroupFactory([{"CPU": 1, "GPU": share}])


@pytest.mark.long
def test_where_measuring_fails_a_search_goes_on_with_the_fixed_shares():
    """A real Ray: PyTorch can't use the card, the process crashes, it takes too long.

    And Ray fits as many parts of a card as there are to be.
    """
    program = """
        import logging, os, sys
        import ray
        sys.path.insert(0, {here!r})
        from test_measure import CARD, config_of, found, measure
        from tuner.runtime.session import environment
        from tuner.study.sharing.share import part

        environment()
        ray.init("local", num_cpus=16, num_gpus=1, include_dashboard=False,
                 log_to_driver=False, logging_level=logging.ERROR)
        for count in (3, 6, 7):
            groups = [ray.util.placement_group([{{"GPU": part(count)}}]) for _ in range(count)]
            assert all(group.wait(20) for group in groups), count
            for group in groups:
                ray.util.remove_placement_group(group)
        shares, said = found(config_of())
        print(shares.all, said)

        class Crashing:
            def __init__(self, *_): ...
            def card(self): return CARD
            def load(self, params): os._exit(1)

        measure.Gauge = Crashing
        shares, said = found(config_of())
        print(shares.all, said)
        measure._SECONDS = 0.0
        shares, said = found(config_of())
        print(shares.all, said)
    """
    here = Path(__file__).parent
    root = here.parents[3]
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program).format(here=str(here))],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "97", "PYTHONPATH": f"{root}:{here}"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answers = [line for line in done.stdout.splitlines() if line.startswith("[")]
    assert len(answers) == 3 and all(line.startswith("[1.0]") for line in answers), done.stdout
    unusable, crashed, late = answers
    assert "PyTorch can't use the card" in unusable and "they have 1 of one" in unusable
    assert "c3d and what follows is not measured: its process ended" in crashed
    assert "it takes too long" in late
