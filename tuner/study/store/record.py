"""One trial as the results store has it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from tuner.config.parameters import Params

STATES = {
    TrialState.COMPLETE: "finished",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "running",
    TrialState.WAITING: "waiting",
}


@dataclass(frozen=True)
class TrialRecord:
    """What the store knows of a trial.

    Attributes:
        number: the `model_id`.
        state: ``finished, pruned, failed, running``.
        value: the selection metric at the best epoch; None if there is none.
        epochs: epoch to the selection metric's value.
        results: what `Run.summary` gives.
    """

    number: int
    state: str
    params: Params
    value: float | None
    epochs: dict[int, float]
    results: dict[str, Any]
    reason: str
    started: datetime | None
    ended: datetime | None

    @classmethod
    def of(cls, trial: FrozenTrial) -> TrialRecord:
        return cls(
            number=trial.number,
            state=STATES[trial.state],
            params=trial.user_attrs.get("parameters", trial.params),
            value=trial.user_attrs.get("best_value", trial.value),
            epochs=dict(sorted(trial.intermediate_values.items())),
            results=trial.user_attrs.get("results", {}),
            reason=trial.user_attrs.get("reason", ""),
            started=trial.datetime_start,
            ended=trial.datetime_complete,
        )
