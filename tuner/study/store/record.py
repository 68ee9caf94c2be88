"""One trial as the results store has it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from tuner.config.parameters import Params
from tuner.study.store.standings import value_of

STATES = {
    TrialState.COMPLETE: "finished",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "running",
    TrialState.WAITING: "waiting",
}
STOPPED = "stopped"  # a trial that has not ended, while no process runs its search any more
UNFINISHED = ("running", "waiting", STOPPED)


def state_of(state: TrialState, *, stopped: bool) -> str:
    """The state in the product's words; `stopped` as in `TrialRecord.of`."""
    return STOPPED if stopped and not state.is_finished() else STATES[state]


@dataclass(frozen=True)
class TrialRecord:
    """What the store knows of a trial.

    Attributes:
        number: the `model_id`.
        state: ``finished, pruned, failed, running``, or ``stopped``: the search may go on with it.
        value: the selection metric at the step that stands for it; None if there is none.
        epochs: the selection metric's value of each step, an epoch or a fold, by its number.
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
    def of(cls, trial: FrozenTrial, *, stopped: bool) -> TrialRecord:
        """The record of Optuna's trial.

        Args:
            stopped: whether no process runs the search.

        Raises:
            TypeError: it is none that a search has written.
        """
        params = trial.user_attrs.get("parameters", trial.params)
        results, reason = trial.user_attrs.get("results", {}), trial.user_attrs.get("reason", "")
        if (
            not isinstance(params, dict)
            or not isinstance(results, dict)
            or not isinstance(reason, str)
        ):
            raise TypeError(
                f"model {trial.number} has parameters, results or a reason that are none"
            )
        return cls(
            number=trial.number,
            state=state_of(trial.state, stopped=stopped),
            params=params,
            value=value_of(trial),
            epochs=dict(sorted(trial.intermediate_values.items())),
            results=results,
            reason=reason,
            started=trial.datetime_start,
            ended=trial.datetime_complete,
        )
