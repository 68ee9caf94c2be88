"""How trials stand: read without all that the store has of each."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import optuna
import pytest
from optuna.storages import RDBStorage
from optuna.storages._rdb import models as tables
from optuna.trial import TrialState

import models.patches
from tuner.config.load import Config, parse
from tuner.study.space.space import Space
from tuner.study.store import patches
from tuner.study.store.overview import overview
from tuner.study.store.results import ResultsStore
from tuner.study.store.standings import Standing, standings

ENDED = [
    Standing(0, TrialState.COMPLETE, 0.7, 2),
    Standing(1, TrialState.PRUNED, 0.9, 2),  # by its best epoch, not the last one
    Standing(2, TrialState.FAIL, None, 0),
    Standing(3, TrialState.RUNNING, None, 1),
    Standing(4, TrialState.COMPLETE, math.inf, 0),  # nothing but what Optuna has itself
    Standing(5, TrialState.WAITING, None, 0),
]


def config(folder: Path, name: str = "a") -> Config:
    space = {"architecture": ["image_mlp_frozen"], "layer_1_size": [8, 16, 32, 64]}
    return parse({"name": name, "storage": str(folder), "space": space}, "x")


@pytest.fixture(autouse=True)
def _nothing_said(monkeypatch):
    monkeypatch.setattr(models.patches, "_said", set())


@pytest.fixture
def url(tmp_path):
    """A store with a trial of each kind, and another search before it."""
    ResultsStore.create(config(tmp_path, name="other"), resume=False).ask(
        Space(config(tmp_path)).sample
    )
    settings = config(tmp_path)
    store, space = ResultsStore.create(settings, resume=False), Space(settings)
    for _ in range(4):
        store.ask(space.sample)
    store.report(0, {1: 0.7, 2: 0.6})
    store.finish(0, pruned=False, results={"epochs": 2}, value=0.7)
    store.report(1, {1: 0.9, 2: 0.3})
    store.finish(1, pruned=True, results={"epochs": 1}, value=0.9)
    store.fail(2, "no memory")
    store.report(3, {1: 0.1})
    store.study.add_trial(optuna.create_trial(value=math.inf))
    store.study.enqueue_trial({})
    return settings.results_url


def of(store: ResultsStore) -> list[Standing]:
    return standings(store.storage, store._study_id)


def test_trials_stand_the_same_in_the_database_and_in_memory(url, tmp_path, caplog):
    read = ResultsStore.open(url, "a")
    assert isinstance(read.storage, RDBStorage) and of(read) == ENDED
    running = ResultsStore.create(config(tmp_path), resume=True)
    assert not isinstance(running.storage, RDBStorage) and of(running) == ENDED
    assert not caplog.messages


@pytest.mark.parametrize("lost", ["TrialValueModel", "TrialModel"])
def test_they_are_read_with_all_else_where_optuna_has_other_tables(lost, url, monkeypatch, caplog):
    store = ResultsStore.open(url, "a")
    with monkeypatch.context() as patch:
        patch.delattr(tables, lost)
        assert not patches._tables_known()
    assert lost in caplog.text and len(caplog.messages) == 1
    monkeypatch.setattr(patches, "_tables_known", lambda: False)
    assert of(store) == ENDED


def test_they_are_read_with_all_else_where_a_column_has_another_name(url, monkeypatch, caplog):
    monkeypatch.setitem(patches._READ, "TrialModel", {"number_of_old"})
    assert of(ResultsStore.open(url, "a")) == ENDED
    assert "column number_of_old of TrialModel" in caplog.text and len(caplog.messages) == 1


def test_the_best_are_the_first_of_the_ranking_and_no_other_trial_is_read(url, monkeypatch):
    store = ResultsStore.open(url, "a")
    ranking = store.ranking()
    assert [record.number for record in ranking] == [4, 1, 0]
    monkeypatch.setattr(RDBStorage, "_get_trials", lambda *_: pytest.fail("reads all trials"))
    store = ResultsStore.open(url, "a")
    assert store.ranking(2) == ranking[:2] and store.ranking(9) == ranking
    assert store.record(0).epochs == {1: 0.7, 2: 0.6}
    counts = {state: count for state, count in store.counts().items() if count}
    assert counts == {"finished": 2, "pruned": 1, "failed": 1, "running": 1, "waiting": 1}
    rows = {row["search"]: row for row in overview(url)}
    assert (rows["a"]["best"], rows["a"]["value"]) == (4, math.inf)
    assert (rows["other"]["best"], rows["other"]["running"]) == (None, 1)


@pytest.mark.parametrize("command", ["best", "results"])
def test_a_ranking_is_shown_without_pytorch_ray_or_pandas(command, url):
    search = ["--search", "a"] if command == "best" else []
    code = f"""if True:
        import sys
        from tuner import {command}
        sys.argv = ["tuner", "--results", *sys.argv[1:]]
        assert {command}.main() == 0
        heavy = {{"torch", "ray", "pandas", "sklearn", "decord", "av"}} & set(sys.modules)
        assert not heavy, heavy
    """
    shown = subprocess.run(
        [sys.executable, "-c", code, url, *search], capture_output=True, text=True
    )
    assert shown.returncode == 0, shown.stderr
    assert "valid_f1" in shown.stdout
