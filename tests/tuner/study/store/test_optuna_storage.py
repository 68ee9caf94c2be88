"""Optuna's own tests of storages, for a mirror; after each, its database must be equal."""

import shutil
from datetime import timedelta

import numpy as np
import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.testing.pytest_storages import StorageTestCase
from optuna.trial import TrialState, create_trial

from tuner.study.store.database import open_storage
from tuner.study.store.mirror import Mirror

# The mirror and its database each look at the clock when a trial starts or ends.
CLOCKS = timedelta(seconds=20)


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    """A database without a study; making one takes longer than any of the tests."""
    path = tmp_path_factory.mktemp("empty") / "empty.db"
    open_storage(f"sqlite:///{path}").engine.dispose()
    return path


@pytest.fixture
def url(empty, tmp_path):
    return f"sqlite:///{shutil.copy(empty, tmp_path / 'results.db')}"


@pytest.fixture
def storage(url):
    """A mirror. In the end its database must equal it, and a new mirror of the database, too."""
    mirror, database = Mirror(open_storage(url)), open_storage(url)
    yield mirror
    names = [study.study_name for study in mirror.get_all_studies()]
    assert sorted(names) == sorted(study.study_name for study in database.get_all_studies())
    for name in names:
        assert_equal(mirror, database, name)
        assert_equal(Mirror(database, name), database, name)
    mirror._database.engine.dispose()
    database.engine.dispose()


def assert_equal(mirror, database, name):
    mirror_id, database_id = (
        storage.get_study_id_from_name(name) for storage in (mirror, database)
    )
    for read in ("get_study_directions", "get_study_user_attrs", "get_study_system_attrs"):
        np.testing.assert_equal(
            getattr(database, read)(database_id), getattr(mirror, read)(mirror_id)
        )
    trials, rows = mirror.get_all_trials(mirror_id), database.get_all_trials(database_id)
    for trial, row in zip(trials, rows, strict=False):
        for field in (
            *("number", "state", "values", "params", "distributions"),
            *("intermediate_values", "user_attrs", "system_attrs"),
        ):  # with NaN equal to NaN
            np.testing.assert_equal(getattr(row, field), getattr(trial, field), field)
        assert list(row.params) == list(trial.params)
        for field in ("datetime_start", "datetime_complete"):
            times = getattr(row, field), getattr(trial, field)
            assert times == (None, None) or abs(times[0] - times[1]) < CLOCKS, field
    assert len(rows) <= len(trials)
    for trial in trials[len(rows) :]:  # they are being proposed
        assert trial.state == TrialState.RUNNING
        assert not trial.user_attrs and not trial.intermediate_values


class TestMirror(StorageTestCase):
    """All of Optuna's tests; none is left out."""


def test_trials_that_are_added_or_enqueued_are_in_the_database_at_once(storage):
    study = optuna.create_study(study_name="a", storage=storage)
    study.enqueue_trial({"x": 0.25})
    study.add_trial(
        create_trial(value=1.0, params={"x": 0.5}, distributions={"x": FloatDistribution(0, 1)})
    )
    rows = optuna.load_study(study_name="a", storage=storage._database).trials
    assert [row.state for row in rows] == [TrialState.WAITING, TrialState.COMPLETE]
    trial = study.ask()
    assert (trial.number, trial.suggest_float("x", 0, 1)) == (0, 0.25)
    study.tell(trial, 2.0)
    rows = optuna.load_study(study_name="a", storage=storage._database).trials
    assert [row.value for row in rows] == [2.0, 1.0] and rows[0].params == {"x": 0.25}


def test_a_later_trial_may_end_first(storage):
    study = optuna.create_study(storage=storage)
    first, second = study.ask(), study.ask()
    first.suggest_float("x", 0, 1)
    study.tell(second, 2.0)
    first.suggest_float("y", 0, 1)  # and is in the database before its parameters are complete
    study.tell(first, 1.0)
    assert [trial.value for trial in study.trials] == [1.0, 2.0]


def test_trials_that_a_mirror_has_read_go_on(storage, url):
    study = optuna.create_study(study_name="a", storage=storage)
    study.ask().report(0.5, 1)
    again = Mirror(open_storage(url), "a")
    trial = again.get_all_trials(again.get_study_id_from_name("a"))[0]
    again.set_trial_param(trial._trial_id, "x", 0.25, FloatDistribution(0, 1))
    again.set_trial_intermediate_value(trial._trial_id, 2, 0.75)
    assert_equal(again, open_storage(url), "a")
    storage.delete_study(study._study_id)  # it knows nothing of what the other one has written


@pytest.mark.parametrize("sampler", [None, optuna.samplers.TPESampler(seed=0), "pruned"])
def test_a_study_of_optunas_runs_on_it(storage, sampler):
    pruner = optuna.pruners.MedianPruner(n_startup_trials=2) if sampler == "pruned" else None
    sampler = None if sampler == "pruned" else sampler

    def objective(trial):
        x = trial.suggest_float("x", -1, 1)
        size = trial.suggest_int("size", 1, 64, log=True)
        for step in range(3):
            trial.report(x + step, step)
            if trial.should_prune():
                raise optuna.TrialPruned
        return x**2 + size

    study = optuna.create_study(storage=storage, sampler=sampler, pruner=pruner)
    study.optimize(objective, n_trials=8)
    assert len(study.trials) == 8
