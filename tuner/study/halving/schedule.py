"""When trials go on, wait or end: successive halving under Ray Tune, and the time budget."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from ray.tune import Callback
from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.stopper import Stopper

from models.registry import PROBE
from tuner.config.classes import SCHEDULERS
from tuner.config.load import Config
from tuner.study.halving.rungs import Rungs, longest
from tuner.study.store.results import ResultsStore


class ASHA(FIFOScheduler):
    """Ray Tune's side of `Rungs`: pauses the trials that wait, and resumes those that are promoted.

    A trial is judged by its best epoch so far, or its folds so far, because it will be selected by
    them. The lower loss decides between equal trials: with few validation frames many are equal.
    Linear probes always go on.

    Args:
        remaining: how many trials are still to be proposed.
    """

    def __init__(self, rungs: Rungs, remaining: Callable[[], int]) -> None:
        super().__init__()
        self.rungs, self.remaining = rungs, remaining
        self.trials: dict[int, Trial] = {}  # those that have reported and not ended, by number
        self.chosen: Trial | None = None

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        if "score" not in result:
            return TrialScheduler.CONTINUE
        number = trial.config["model_id"]
        self.trials[number] = trial
        # A probe takes a second, and what beats it is to beat it on all folds.
        probe = trial.config["params"]["architecture"] == PROBE
        if self.rungs.report(number, result["epoch"], result["score"], sure=probe):
            return TrialScheduler.CONTINUE
        given_up = self.rungs.give_up()
        for hopeless in given_up:
            if hopeless != number:
                tune_controller.stop_trial(self.trials[hopeless])
        if number in given_up:
            return TrialScheduler.STOP
        # Its folder has all that it needs to go on.
        tune_controller.pause_trial(trial, should_checkpoint=False)
        return TrialScheduler.NOOP

    def on_trial_complete(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> None:
        if "score" in result:  # its last epoch may end at a rung
            self.rungs.report(trial.config["model_id"], result["epoch"], result["score"])
        self._forget(trial)

    def on_trial_error(self, tune_controller: Any, trial: Trial) -> None:
        self._forget(trial)

    def on_trial_remove(self, tune_controller: Any, trial: Trial) -> None:
        self._forget(trial)

    def _forget(self, trial: Trial) -> None:
        number = trial.config["model_id"]
        self.rungs.leave(number)
        self.trials.pop(number, None)

    def choose_trial_to_run(self, tune_controller: Any) -> Trial | None:
        """A promoted trial, before new ones; when no others are left, the best one that waits."""
        if self.chosen is not None and self.chosen.status == Trial.PENDING:
            return self.chosen
        self.chosen = None
        if not self.rungs.waiting:
            return None
        busy = (Trial.PENDING, Trial.RUNNING)  # Tune counts failed trials as live, too
        others = any(trial.status in busy for trial in tune_controller.get_live_trials())
        last = self.remaining() == 0 and not others
        number = self.rungs.promote(last=last)
        if number is not None:
            self.chosen = self.trials[number]
        elif last:
            for number in list(self.rungs.waiting):
                tune_controller.stop_trial(self.trials[number])
        return self.chosen


class Paused(Callback):
    """Tells `Rungs` which trials wait, if a scheduler without rungs pauses them."""

    def __init__(self, rungs: Rungs) -> None:
        self.rungs = rungs

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune's own snapshots are not used

    def on_step_end(self, iteration: int, trials: list[Trial], **info: Any) -> None:
        self.rungs.hold({t.config["model_id"] for t in trials if t.status == Trial.PAUSED})


def make_rungs(config: Config, store: ResultsStore) -> Rungs:
    """The rungs of a search, with what trials of its earlier runs reached."""
    rungs = Rungs.of(config)
    for record in store.records():
        rungs.remember(record.number, record.epochs, store.objective)
    return rungs


def make_scheduler(config: Config, rungs: Rungs, remaining: Callable[[], int]) -> TrialScheduler:
    """The scheduler that the configuration names.

    Args:
        remaining: how many trials are still to be proposed.
    """
    if config.search.scheduler == "asha" and not rungs.levels:
        return FIFOScheduler()
    made = config.search.make_scheduler(rungs=rungs, remaining=remaining)
    if config.search.scheduler not in SCHEDULERS.words:
        _tell_of_failures(made)
    return made


def _tell_of_failures(scheduler: TrialScheduler) -> None:
    """Tell somebody else's scheduler of failed trials; Tune would say that they completed.

    A training that can't go on ends with a result that has the reason, and no figures.
    """
    complete = scheduler.on_trial_complete

    def on_trial_complete(tune_controller: Any, trial: Trial, result: dict[str, Any]) -> None:
        if "failed" in result:
            scheduler.on_trial_error(tune_controller, trial)
        else:
            complete(tune_controller, trial, result)

    scheduler.on_trial_complete = on_trial_complete  # type: ignore[method-assign]


def decisions(config: Config, rungs: Rungs) -> tuple[int, ...]:
    """Steps after which the scheduler decides, so that a trial may have to go on from its files."""
    if config.search.scheduler in SCHEDULERS.words:
        return tuple(rungs.levels)
    return tuple(range(1, longest(config) + 1))


def watchers(config: Config, rungs: Rungs) -> list[Callback]:
    """The callbacks that the scheduler needs."""
    return [] if config.search.scheduler in SCHEDULERS.words else [Paused(rungs)]


class TimeBudget(Stopper):
    """Stops the whole search when its time is up.

    Args:
        end: when that is, in seconds of `time.monotonic`; None: never.
    """

    def __init__(self, end: float | None) -> None:
        self.end = end

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return False

    def stop_all(self) -> bool:
        return self.end is not None and time.monotonic() >= self.end
