"""When trials are stopped early: asynchronous successive halving, and the time budget."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

from ray.tune.schedulers import AsyncHyperBandScheduler, FIFOScheduler, TrialScheduler
from ray.tune.stopper import Stopper

from tuner.config import Config
from tuner.study.store import ResultsStore


class ASHA(AsyncHyperBandScheduler):
    """ASHA (Li et al. 2020) that knows the trials of earlier runs of the search.

    A trial is judged by the best epoch that it has had, since that is what it is selected by.
    """

    def remember(self, store: ResultsStore, sign: float) -> None:
        """Fill the rungs with what the trials in the store had reached at each."""
        (bracket,) = self._brackets
        for record in store.records():
            trial: Any = SimpleNamespace(trial_id=str(record.number))
            for milestone, _ in reversed(bracket._rungs):
                reached = [sign * v for epoch, v in record.epochs.items() if epoch <= milestone]
                if record.epochs and max(record.epochs) >= milestone:
                    bracket.on_result(trial, milestone, max(reached))

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        if self._time_attr not in result or self._metric not in result:
            return TrialScheduler.CONTINUE
        # By its number in the study, which stays the same when a trial is resumed.
        known: Any = SimpleNamespace(trial_id=str(trial.config["model_id"]))
        bracket = self._trial_info[trial.trial_id]
        return bracket.on_result(
            known, result[self._time_attr], self._metric_op * result[self._metric]
        )

    def on_trial_complete(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> None:
        self.on_trial_result(tune_controller, trial, result)  # its last epoch may end at a rung
        self._trial_info.pop(trial.trial_id, None)

    def on_trial_remove(self, tune_controller: Any, trial: Any) -> None:
        self._trial_info.pop(trial.trial_id, None)


def make_scheduler(config: Config, store: ResultsStore) -> TrialScheduler:
    """The scheduler that the configuration names."""
    search = config.search
    longest = config.training.max_epochs
    for name in ("rounds", "epochs"):
        for domain in config.space.get(name, []):
            most = max(domain.choices) if domain.choices else domain.high
            longest = longest * int(most or 1) // getattr(config.training, name)
    if search.scheduler == "none" or longest <= search.grace_period:
        return FIFOScheduler()
    scheduler = ASHA(
        time_attr="epoch",
        metric="best_value",
        mode="max" if store.maximize else "min",
        max_t=longest,
        grace_period=search.grace_period,
        reduction_factor=search.reduction_factor,
    )
    scheduler.remember(store, 1.0 if store.maximize else -1.0)
    return scheduler


class TimeBudget(Stopper):
    """Stops the whole search when its time is up."""

    def __init__(self, seconds: float | None) -> None:
        self.end = None if seconds is None else time.monotonic() + seconds

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return False

    def stop_all(self) -> bool:
        return self.end is not None and time.monotonic() >= self.end
