"""Studies that are read from memory, and written to their database as they change."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NoReturn, TypeVar

from optuna.distributions import BaseDistribution
from optuna.exceptions import DuplicatedStudyError, StorageInternalError, UpdateFinishedTrialError
from optuna.storages import InMemoryStorage, RDBStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from data.files.patience import patiently
from tuner.config.messages import StoreError
from tuner.study.store.damage import StoreFile, damage_of, first_line
from tuner.study.store.database import open_storage, url_of
from tuner.study.store.patches import write_intermediate_values

T = TypeVar("T")


class Mirror(InMemoryStorage):
    """Studies of `database`, for the only process that writes to them.

    For each proposal, a sampler reads all trials, and Optuna reads those that have not ended from the
    database: half a second with hundreds that wait at a rung. A trial is written to the database in one
    piece, when its parameters are complete, and not one parameter at a time.

    While the database is away a search waits for it, at most a quarter of an hour, and nothing is lost.
    Only making or deleting a study does not wait.

    Args:
        database: holds the studies.
        name: a study of the database; None: the mirror has only the studies that it makes.

    Raises:
        KeyError: no study has this name.
        StorageInternalError: when something is written, and the database stays away too long.
        StoreError: when something is written, and the file is damaged or was deleted. A new one is in
            its place then.
    """

    def __init__(self, database: RDBStorage, name: str | None = None) -> None:
        super().__init__()
        self._database, self._file = database, StoreFile(url_of(database) or "")
        self._anew: str | None = None  # why its file was written anew: the search is to end then
        # Ids here to ids in the database; for trials only those that were needed so far.
        self._study_rows: dict[int, int] = {}
        self._trial_rows: dict[int, int] = {}
        # Trials read from the database, and trials that only the mirror has; each with its study's row.
        self._stored: dict[int, int] = {}
        self._proposed: dict[int, int] = {}
        if name is not None:
            self._read(name)

    @property
    def url(self) -> str:
        """Of the database."""
        return self._database.url

    def _read(self, name: str) -> None:
        database, row = self._database, self._database.get_study_id_from_name(name)
        study = super().create_new_study(database.get_study_directions(row), name)
        self._study_rows[study] = row
        for key, value in database.get_study_user_attrs(row).items():
            super().set_study_user_attr(study, key, value)
        for key, value in database.get_study_system_attrs(row).items():
            super().set_study_system_attr(study, key, value)
        for trial in database.get_all_trials(row, deepcopy=False):
            self._stored[super().create_new_trial(study, trial)] = row

    def _row(self, trial_id: int) -> int | None:
        """The trial's id in the database, if it is there."""
        study = self._stored.get(trial_id)
        if trial_id not in self._trial_rows and study is not None:
            number = self.get_trial_number_from_id(trial_id)
            find = self._database.get_trial_id_from_study_id_trial_number
            self._trial_rows[trial_id] = self._write(lambda _: find(study, number))
        return self._trial_rows.get(trial_id)

    def _change(self, trial_id: int, change: Callable[[int, bool], object]) -> None:
        """Have `change` write to the trial's row, or bring the trial in as it is now."""
        if row := self._row(trial_id):
            self._write(partial(change, row))
        else:
            self._bring_in(trial_id)

    def _bring_in(self, trial_id: int) -> None:
        """Write a trial after those proposed earlier: the database numbers trials as they come."""
        while trial_id in self._proposed:
            first, study = next(iter(self._proposed.items()))
            self._trial_rows[first] = self._write(partial(self._add, first, study))
            del self._proposed[first]

    def _add(self, trial_id: int, study: int, again: bool) -> int:
        trial, database = self.get_trial(trial_id), self._database
        if again and database.get_n_trials(study) > trial.number:  # it was written after all
            return database.get_trial_id_from_study_id_trial_number(study, trial.number)
        row = database.create_new_trial(study, trial)
        number = database.get_trial_number_from_id(row)
        if number != trial.number:
            raise RuntimeError(f"another process has added trial {number} to this study")
        return row

    def _write(self, action: Callable[[bool], T]) -> T:
        if (reason := self._anew or self._file.gone()) is not None:
            self._write_anew(reason)
        try:
            return patiently(action, _away, "the results store")
        except StorageInternalError as error:
            if (damage := damage_of(error)) is None:
                raise
            self._write_anew(damage)

    def verify(self) -> None:
        """Look whether the file still has all: a writer does not read again what it has read once.

        Raises:
            StoreError: it has not. A new one is in its place then.
        """
        try:
            self._file.check()
        except StoreError:
            self._write_anew("was damaged")

    def _write_anew(self, reason: str) -> NoReturn:
        """Put a new file, with all that is in memory, in the place of one that can't be used any more.

        Raises:
            StoreError: always; it says where all is.
        """
        with self._lock:  # the heartbeat writes from a thread of its own
            self._fill(reason)

    def _fill(self, reason: str) -> NoReturn:
        aside = None if self._anew else self._file.set_aside()
        database = open_storage(self._file.url)
        for study in list(self._study_rows):
            name = self.get_study_name_from_id(study)
            if self._anew and name in {one.study_name for one in database.get_all_studies()}:
                database.delete_study(database.get_study_id_from_name(name))
            try:
                row = database.create_new_study(self.get_study_directions(study), name)
            except DuplicatedStudyError as error:
                raise StoreError(
                    f"results: {self._file.path} {reason}, which has a search '{name}' too"
                ) from error
            for key, value in self.get_study_user_attrs(study).items():
                database.set_study_user_attr(row, key, value)
            for key, value in self.get_study_system_attrs(study).items():
                database.set_study_system_attr(row, key, value)
            for trial in self.get_all_trials(study, deepcopy=False):
                database.create_new_trial(row, trial)
        self._anew = self._anew or reason
        former = f"; the former one is {aside}" if aside else ""
        raise StoreError(
            f"results: {self._file.path} {reason}. A new one is in its place, with all trials of this "
            f"search{former}. The same command with --resume goes on"
        )

    def create_new_study(
        self, directions: Sequence[StudyDirection], study_name: str | None = None
    ) -> int:
        row = self._database.create_new_study(directions, study_name)
        study = super().create_new_study(directions, self._database.get_study_name_from_id(row))
        self._study_rows[study] = row
        return study

    def delete_study(self, study_id: int) -> None:
        super().delete_study(study_id)
        row = self._study_rows.pop(study_id)
        self._database.delete_study(row)
        self._proposed = {trial: study for trial, study in self._proposed.items() if study != row}

    def set_study_user_attr(self, study_id: int, key: str, value: Any) -> None:
        super().set_study_user_attr(study_id, key, value)
        row = self._study_rows[study_id]
        self._write(lambda _: self._database.set_study_user_attr(row, key, value))

    def set_study_system_attr(self, study_id: int, key: str, value: Any) -> None:
        super().set_study_system_attr(study_id, key, value)
        row = self._study_rows[study_id]
        self._write(lambda _: self._database.set_study_system_attr(row, key, value))

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        """A trial made from a template is complete, and is written at once."""
        trial_id = super().create_new_trial(study_id, template_trial)
        self._proposed[trial_id] = self._study_rows[study_id]
        if template_trial is not None:
            self._bring_in(trial_id)
        return trial_id

    def set_trial_param(
        self,
        trial_id: int,
        param_name: str,
        param_value_internal: float,
        distribution: BaseDistribution,
    ) -> None:
        super().set_trial_param(trial_id, param_name, param_value_internal, distribution)
        if row := self._row(trial_id):
            values = (row, param_name, param_value_internal, distribution)
            self._write(lambda _: self._database.set_trial_param(*values))

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        super().set_trial_system_attr(trial_id, key, value)
        if row := self._row(trial_id):
            self._write(lambda _: self._database.set_trial_system_attr(row, key, value))

    def set_trial_user_attr(self, trial_id: int, key: str, value: Any) -> None:
        """The first attribute is the trial's parameters; with it the trial is written."""
        super().set_trial_user_attr(trial_id, key, value)
        self._change(trial_id, lambda row, _: self._database.set_trial_user_attr(row, key, value))

    def set_trial_intermediate_value(
        self, trial_id: int, step: int, intermediate_value: float
    ) -> None:
        self.set_trial_intermediate_values(trial_id, {step: intermediate_value})

    def set_trial_intermediate_values(self, trial_id: int, values: Mapping[int, float]) -> None:
        """The same as calls of `set_trial_intermediate_value`, but in one transaction."""
        for step, value in values.items():
            super().set_trial_intermediate_value(trial_id, step, value)
        self._change(
            trial_id, lambda row, _: write_intermediate_values(self._database, row, values)
        )

    def set_trial_state_values(
        self, trial_id: int, state: TrialState, values: Sequence[float] | None = None
    ) -> bool:
        changed = super().set_trial_state_values(trial_id, state, values)

        def end(row: int, again: bool) -> None:
            try:
                self._database.set_trial_state_values(row, state, values)
            except UpdateFinishedTrialError:
                if not again:  # else it was written, and only the answer was lost
                    raise

        self._change(trial_id, end)
        return changed


def _away(error: Exception) -> str | None:
    """Why the database does not answer; None if the error is another one, or no waiting would help."""
    if not isinstance(error, StorageInternalError) or damage_of(error):
        return None
    return first_line(error)
