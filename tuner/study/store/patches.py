"""The private parts of Optuna that we use."""

from __future__ import annotations

import copy
import json
from collections.abc import Collection, Container, Mapping
from typing import Any

import optuna
import sqlalchemy
from optuna.exceptions import StorageInternalError
from optuna.trial import FrozenTrial, TrialState

from models.patches import Private

_VERSION = "5.0"
_MODELS = "optuna.storages._rdb.models"
_TABLE = f"{_MODELS}:TrialIntermediateValueModel"

_VALUES = Private(
    "optuna",
    _VERSION,
    "each epoch of a report takes the search's process 2 ms more",
    {
        _TABLE: "kwargs",
        f"{_TABLE}.intermediate_value_to_stored_repr": "value",
    },
)
_COLUMNS = {"trial_id", "step", "intermediate_value", "intermediate_value_type"}
_RANKING = Private(
    "optuna",
    _VERSION,
    "a ranking of 3,000 trials takes four seconds and 0.5 GB more",
    {f"{_MODELS}:TrialValueModel.stored_repr_to_value": "value float_type"},
)
_READ = {
    "TrialModel": {"trial_id", "study_id", "number", "state"},
    "TrialUserAttributeModel": {"trial_id", "key", "value_json"},
    "TrialValueModel": {"trial_id", "objective", "value", "value_type"},
    "TrialIntermediateValueModel": {"trial_id", "step"},
}
_STORAGE = Private(
    "optuna", _VERSION, "TPE counts trials that wait at a rung as running, and so as poor", {}
)


def write_intermediate_values(
    storage: optuna.storages.RDBStorage, trial_id: int, values: Mapping[int, float]
) -> None:
    """Write the values of a trial's steps, in place of those that are there, in one transaction.

    Optuna reads the trial and the step before each value, and writes it in its own transaction. With
    SQLite, nine epochs take 20 ms of CPU that way, and 1.6 here; three take 5 and 1.1 (medians of five
    times a hundred trials).

    Raises:
        StorageInternalError: the database does not answer; Optuna's writing raises the same.
    """
    if not _values_usable():
        for step, value in values.items():
            storage.set_trial_intermediate_value(trial_id, step, value)
        return
    from optuna.storages._rdb.models import TrialIntermediateValueModel as Values

    rows = []
    for step, value in values.items():
        stored, kind = Values.intermediate_value_to_stored_repr(value)
        row = {"trial_id": trial_id, "step": step}
        rows.append({**row, "intermediate_value": stored, "intermediate_value_type": kind})
    old = (Values.trial_id == trial_id) & Values.step.in_(list(values))
    try:
        with storage.engine.begin() as connection:
            connection.execute(sqlalchemy.delete(Values).where(old))
            connection.execute(sqlalchemy.insert(Values), rows)
    except sqlalchemy.exc.SQLAlchemyError as error:
        raise StorageInternalError(str(error)) from error


def _values_usable() -> bool:
    if not _VALUES.usable():
        return False
    from optuna.storages._rdb.models import TrialIntermediateValueModel as Values

    columns = set(sqlalchemy.inspect(Values).columns.keys())
    changed = _COLUMNS - columns
    return not changed or _VALUES.missing(f"column {min(changed)} of trial_intermediate_values")


def read_standings(
    storage: optuna.storages.RDBStorage, study_id: int, attribute: str
) -> list[tuple[int, TrialState, float | None, int]] | None:
    """Number, state, value and number of steps of each trial of a study, by number.

    Optuna reads a trial with all of its parameters, distributions, attributes and steps.

    Args:
        attribute: of a trial, which is its value in place of Optuna's own.

    Returns:
        None if the tables are not known.
    """
    if not _tables_known():
        return None
    from optuna.storages._rdb import models

    select, trial, attributes = sqlalchemy.select, models.TrialModel, models.TrialUserAttributeModel
    values, steps = models.TrialValueModel, models.TrialIntermediateValueModel
    of_study = trial.study_id == study_id
    with storage.engine.connect() as connection:
        # The trials first: what a trial that has ended has, it has for good.
        columns = select(trial.trial_id, trial.number, trial.state)
        trials = connection.execute(columns.where(of_study).order_by(trial.number)).all()
        own = select(values.trial_id, values.value, values.value_type).join(trial)
        found: dict[int, float] = {
            trial_id: values.stored_repr_to_value(value, kind)
            for trial_id, value, kind in connection.execute(
                own.where(of_study, values.objective == 0)
            )
        }
        given = select(attributes.trial_id, attributes.value_json).join(trial)
        for trial_id, text in connection.execute(
            given.where(of_study, attributes.key == attribute)
        ):
            found[trial_id] = json.loads(text)
        counted = select(steps.trial_id, sqlalchemy.func.count()).join(trial).where(of_study)
        rows = connection.execute(counted.group_by(steps.trial_id)).all()
        counts: dict[int, int] = dict(rows)
    return [
        (number, state, found.get(trial_id), counts.get(trial_id, 0))
        for trial_id, number, state in trials
    ]


def _tables_known() -> bool:
    if not _RANKING.usable():
        return False
    from optuna.storages._rdb import models

    for name, needed in _READ.items():
        table = getattr(models, name, None)
        if table is None:
            return _RANKING.missing(name)
        if changed := needed - set(sqlalchemy.inspect(table).columns.keys()):
            return _RANKING.missing(f"column {min(changed)} of {name}")
    return True


class _Shown:
    """A storage in which trials that wait at a rung seem pruned."""

    def __init__(self, storage: Any, waiting: Container[int]) -> None:
        self._storage, self._waiting = storage, waiting

    def __getattr__(self, name: str) -> Any:
        return getattr(self._storage, name)

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        shown = []
        for trial in self._storage.get_all_trials(study_id, deepcopy=deepcopy):
            if trial.number in self._waiting and trial.state == TrialState.RUNNING:
                trial = copy.copy(trial)
                trial.state = TrialState.PRUNED
            if states is None or trial.state in states:
                shown.append(trial)
        return shown


def waiting_as_pruned(study: optuna.Study, waiting: Collection[int]) -> optuna.Study:
    """The study as a sampler should see it: trials that wait at a rung count with their values so far.

    In the store they are running, since they may go on, and TPE counts running ones as poor.

    Args:
        waiting: their numbers.
    """
    if not waiting:
        return study
    storage = getattr(study, "_storage", None)
    if storage is None:
        _STORAGE.missing("Study._storage")
        return study
    return optuna.load_study(
        study_name=study.study_name,
        storage=_Shown(storage, waiting),  # type: ignore[arg-type]
        sampler=study.sampler,
        pruner=study.pruner,
    )
