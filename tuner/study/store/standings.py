"""What decides the place of a trial, read without all else that the store knows of it."""

from __future__ import annotations

from typing import Any, NamedTuple

from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState

from tuner.objective import Objective, Place
from tuner.study.store.patches import read_standings

BEST_VALUE = "best_value"  # an attribute of a trial: its value at the step that stands for it


class Standing(NamedTuple):
    """How a trial stands.

    Attributes:
        value: the selection metric at the step that stands for it; None if there is none.
        steps: epochs or folds that it has done.
    """

    number: int
    state: TrialState
    value: float | None
    steps: int

    def place(self, objective: Objective) -> Place | None:
        """Its place in the ranking; None if it has none, as it did not come to an end."""
        finished = self.state == TrialState.COMPLETE
        if self.value is None or not (finished or self.state == TrialState.PRUNED):
            return None
        return objective.place(self.value, finished=finished, steps=self.steps, number=self.number)


def value_of(trial: FrozenTrial) -> float | None:
    """As of `Standing.value`; trials that something else told of have Optuna's own value alone."""
    return trial.user_attrs.get(BEST_VALUE, trial.value)


def standings(storage: Any, study_id: int) -> list[Standing]:
    """How each trial of a study stands, by number."""
    if isinstance(storage, RDBStorage):
        read = read_standings(storage, study_id, BEST_VALUE)
        if read is not None:
            return [Standing(*one) for one in read]
    return [
        Standing(one.number, one.state, value_of(one), len(one.intermediate_values))
        for one in storage.get_all_trials(study_id, deepcopy=False)
    ]
