"""A study that is read from memory, and written to its database as it changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from optuna.distributions import BaseDistribution
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.storages import InMemoryStorage, RDBStorage
from optuna.trial import TrialState

from data.files.patience import patiently
from tuner.study.store.patches import write_intermediate_values

T = TypeVar("T")


class Mirror(InMemoryStorage):
    """One study of `database`, for the only process that writes to it.

    Samplers read all trials for each that they propose, and Optuna reads those that have not ended
    from the database each time: with hundreds that wait at a rung, half a second. A trial comes into
    the database in one piece, when its parameters are complete, and not a parameter at a time.

    While the database is away a search waits for it, at most a quarter of an hour, and nothing is lost.

    Args:
        database: that holds the study.
        name: of the study.

    Raises:
        StorageInternalError: from any writing, when patience is at its end.
    """

    def __init__(self, database: RDBStorage, name: str) -> None:
        super().__init__()
        self._database = database
        self._study = database.get_study_id_from_name(name)
        own = self.create_new_study(database.get_study_directions(self._study), name)
        for key, value in database.get_study_user_attrs(self._study).items():
            super().set_study_user_attr(own, key, value)
        for key, value in database.get_study_system_attrs(self._study).items():
            super().set_study_system_attr(own, key, value)
        self._rows: dict[int, int] = {}  # a trial's id here to that in the database
        trials = database.get_all_trials(self._study, deepcopy=False)
        self._read = len(trials)  # numbers below this were in the database before
        for trial in trials:
            self.create_new_trial(own, trial)

    def _known(self, trial_id: int) -> int | None:
        """The trial's id in the database, if it is there."""
        number = self.get_trial_number_from_id(trial_id)
        if trial_id not in self._rows and number < self._read:
            find = self._database.get_trial_id_from_study_id_trial_number
            self._rows[trial_id] = self._write(lambda _: find(self._study, number))
        return self._rows.get(trial_id)

    def _row(self, trial_id: int) -> int:
        """The trial's id in the database, into which it comes now if it was not there yet."""
        row = self._known(trial_id)
        if row is None:
            row = self._rows[trial_id] = self._write(lambda again: self._add(trial_id, again))
        return row

    def _add(self, trial_id: int, again: bool) -> int:
        trial, database = self.get_trial(trial_id), self._database
        if again and database.get_n_trials(self._study) > trial.number:  # it was written after all
            return database.get_trial_id_from_study_id_trial_number(self._study, trial.number)
        row = database.create_new_trial(self._study, trial)
        number = database.get_trial_number_from_id(row)
        if number != trial.number:
            raise RuntimeError(f"another process has added trial {number} to this study")
        return row

    def _write(self, action: Callable[[bool], T]) -> T:
        return patiently(action, _away, "the results store")

    def set_study_user_attr(self, study_id: int, key: str, value: Any) -> None:
        super().set_study_user_attr(study_id, key, value)
        self._write(lambda _: self._database.set_study_user_attr(self._study, key, value))

    def set_study_system_attr(self, study_id: int, key: str, value: Any) -> None:
        super().set_study_system_attr(study_id, key, value)
        self._write(lambda _: self._database.set_study_system_attr(self._study, key, value))

    def set_trial_param(
        self,
        trial_id: int,
        param_name: str,
        param_value_internal: float,
        distribution: BaseDistribution,
    ) -> None:
        super().set_trial_param(trial_id, param_name, param_value_internal, distribution)
        if row := self._known(trial_id):
            values = (row, param_name, param_value_internal, distribution)
            self._write(lambda _: self._database.set_trial_param(*values))

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        super().set_trial_system_attr(trial_id, key, value)
        if row := self._known(trial_id):
            self._write(lambda _: self._database.set_trial_system_attr(row, key, value))

    def set_trial_user_attr(self, trial_id: int, key: str, value: Any) -> None:
        """The first is the trial's parameters, with which it comes into the database."""
        known = self._known(trial_id) is not None
        super().set_trial_user_attr(trial_id, key, value)
        row = self._row(trial_id)
        if known:
            self._write(lambda _: self._database.set_trial_user_attr(row, key, value))

    def set_trial_intermediate_value(
        self, trial_id: int, step: int, intermediate_value: float
    ) -> None:
        self.set_trial_intermediate_values(trial_id, {step: intermediate_value})

    def set_trial_intermediate_values(self, trial_id: int, values: Mapping[int, float]) -> None:
        """As many calls of `set_trial_intermediate_value`, in one transaction."""
        row = self._row(trial_id)
        for step, value in values.items():
            super().set_trial_intermediate_value(trial_id, step, value)
        self._write(lambda _: write_intermediate_values(self._database, row, values))

    def set_trial_state_values(
        self, trial_id: int, state: TrialState, values: Sequence[float] | None = None
    ) -> bool:
        row = self._row(trial_id)
        changed = super().set_trial_state_values(trial_id, state, values)

        def end(again: bool) -> None:
            try:
                self._database.set_trial_state_values(row, state, values)
            except UpdateFinishedTrialError:
                if not again:  # else it was written, and only the answer was lost
                    raise

        self._write(end)
        return changed


def _away(error: Exception) -> str | None:
    """Why the database does not answer."""
    if not isinstance(error, StorageInternalError):
        return None
    return str(getattr(error.__cause__, "orig", None) or error).strip().splitlines()[0]
