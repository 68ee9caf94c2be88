"""What is used of the insides of Optuna, and what happens where it has changed."""

from __future__ import annotations

import math

import optuna
import pytest
import sqlalchemy
from optuna.exceptions import StorageInternalError
from optuna.storages._rdb import models as tables
from optuna.trial import TrialState

import models.patches
from tuner.study.store import patches
from tuner.study.store.database import open_storage
from tuner.study.store.patches import waiting_as_pruned, write_intermediate_values

VALUES = {1: 0.5, 2: math.inf, 7: -math.inf, 8: 0.25}


@pytest.fixture(autouse=True)
def _nothing_said(monkeypatch):
    monkeypatch.setattr(models.patches, "_said", set())


@pytest.fixture
def storage(tmp_path):
    return open_storage(f"sqlite:///{tmp_path / 'results.db'}")


def written(storage) -> dict[int, float]:
    """What is stored of a trial after two writings; the second one replaces an epoch."""
    study = optuna.create_study(storage=storage, study_name="a")
    trial = study.ask()
    write_intermediate_values(storage, trial.number + 1, {2: 0.1, 3: 0.3})
    write_intermediate_values(storage, trial.number + 1, VALUES)
    return study.get_trials()[0].intermediate_values


def statements(storage) -> list[str]:
    """The statements that the database gets from now on."""
    said: list[str] = []
    sqlalchemy.event.listen(
        storage.engine, "before_cursor_execute", lambda *event: said.append(event[2])
    )
    return said


def test_values_come_into_the_database_in_one_transaction(storage, caplog):
    assert written(storage) == {**VALUES, 3: 0.3}
    said = statements(storage)
    write_intermediate_values(storage, 1, {20: 0.1, 21: 0.2, 22: 0.3})
    assert len(said) == 2
    assert not caplog.messages


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (tables, "TrialIntermediateValueModel"),
        (tables.TrialIntermediateValueModel, "intermediate_value_to_stored_repr"),
    ],
)
def test_optuna_writes_values_itself_where_its_tables_have_another_name(
    owner, name, storage, monkeypatch, caplog
):
    with monkeypatch.context() as patch:
        patch.delattr(owner, name)
        assert not patches._values_usable()
    assert name in caplog.text and len(caplog.messages) == 1

    monkeypatch.setattr(patches, "_values_usable", lambda: False)
    assert written(storage) == {**VALUES, 3: 0.3}


def test_optuna_writes_values_itself_where_a_column_has_another_name(storage, monkeypatch, caplog):
    monkeypatch.setattr(patches, "_COLUMNS", {*patches._COLUMNS, "value_of_old"})
    assert written(storage) == {**VALUES, 3: 0.3}
    assert "column value_of_old" in caplog.text and len(caplog.messages) == 1


def test_a_database_that_is_away_says_so_as_optuna_does(storage):
    optuna.create_study(storage=storage, study_name="a").ask()
    with storage.engine.begin() as connection:
        connection.execute(sqlalchemy.text("DROP TABLE trial_intermediate_values"))
    with pytest.raises(StorageInternalError):
        write_intermediate_values(storage, 1, {1: 0.5})


def three_trials() -> optuna.Study:
    """One that has ended, one that waits, one that runs."""
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(n_startup_trials=1))
    for _ in range(3):
        study.ask().report(0.5, 1)
    study.tell(0, 0.5)
    return study


def test_a_sampler_sees_waiting_trials_as_pruned(caplog):
    study = three_trials()
    states = [trial.state for trial in waiting_as_pruned(study, {1}).get_trials()]
    assert states == [TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING]
    ended = waiting_as_pruned(study, {1}).get_trials(states=(TrialState.PRUNED,))
    assert [trial.intermediate_values for trial in ended] == [{1: 0.5}]
    states = [trial.state for trial in study.get_trials()]
    assert states == [TrialState.COMPLETE, TrialState.RUNNING, TrialState.RUNNING]
    assert not caplog.messages


def test_a_sampler_sees_them_run_where_the_storage_of_a_study_is_not_known(caplog):
    study = three_trials()
    del study._storage
    assert waiting_as_pruned(study, {1}) is study
    assert "Study._storage" in caplog.text and len(caplog.messages) == 1
