"""When trials go on, wait or end: successive halving under Ray Tune, and the time budget."""

from __future__ import annotations

import time
from typing import Any

from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.stopper import Stopper

from tuner.config.load import Config
from tuner.study.halving.rungs import Rungs, Score
from tuner.study.sampler import StudySearcher
from tuner.study.store.results import ResultsStore


class ASHA(FIFOScheduler):
    """Ray Tune's side of `Rungs`: pauses the trials that wait, and resumes those that are promoted.

    A trial is judged by the best epoch that it has had, since that is what it is selected by, and
    of two equal ones by the lower loss: with few validation frames many are equal.
    """

    def __init__(self, rungs: Rungs, searcher: StudySearcher, *, maximize: bool) -> None:
        super().__init__()
        self.rungs, self.searcher = rungs, searcher
        self.sign = 1.0 if maximize else -1.0
        self.paused: dict[int, Trial] = {}
        self.chosen: Trial | None = None

    def remember(self, store: ResultsStore) -> None:
        """Fill the rungs with what the trials of earlier runs of the search reached at each."""
        for record in store.records():
            for rung, level in enumerate(self.rungs.levels):
                reached = [self.sign * v for epoch, v in record.epochs.items() if epoch <= level]
                if record.epochs and max(record.epochs) >= level:
                    # Losses are not in the store; without them a new trial wins a tie.
                    self.rungs.reached[rung][record.number] = (max(reached), -float("inf"))
                if record.epochs and max(record.epochs) > level:
                    self.rungs.promoted[rung].add(record.number)

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        if "best_value" not in result:
            return TrialScheduler.CONTINUE
        number = trial.config["model_id"]
        if self.rungs.report(number, result["epoch"], self._score(result)):
            return TrialScheduler.CONTINUE
        given_up = self.rungs.give_up()
        for hopeless in given_up:
            if hopeless != number:
                self._stop(tune_controller, hopeless)
        if number in given_up:
            return TrialScheduler.STOP
        self.paused[number] = trial
        self.searcher.waiting.add(number)
        # Its folder has all that it needs to go on.
        tune_controller.pause_trial(trial, should_checkpoint=False)
        return TrialScheduler.NOOP

    def _score(self, result: dict[str, Any]) -> Score:
        return self.sign * result["best_value"], -result["best_loss"]

    def _stop(self, tune_controller: Any, number: int) -> None:
        self.searcher.waiting.discard(number)
        tune_controller.stop_trial(self.paused.pop(number))

    def on_trial_complete(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> None:
        if "best_value" in result:  # its last epoch may end at a rung
            self.rungs.report(trial.config["model_id"], result["epoch"], self._score(result))
        self._forget(trial)

    def on_trial_error(self, tune_controller: Any, trial: Trial) -> None:
        self._forget(trial)

    def on_trial_remove(self, tune_controller: Any, trial: Trial) -> None:
        self._forget(trial)

    def _forget(self, trial: Trial) -> None:
        number = trial.config["model_id"]
        self.rungs.leave(number)
        self.paused.pop(number, None)
        self.searcher.waiting.discard(number)

    def choose_trial_to_run(self, tune_controller: Any) -> Trial | None:
        """A promoted trial goes before new ones; when no others are left, the best that waits."""
        if self.chosen is not None and self.chosen.status == Trial.PENDING:
            return self.chosen
        self.chosen = None
        if not self.paused:
            return None
        busy = (Trial.PENDING, Trial.RUNNING)  # Tune counts failed trials as live, too
        others = any(trial.status in busy for trial in tune_controller.get_live_trials())
        last = self.searcher.remaining == 0 and not others
        number = self.rungs.promote(last=last)
        if number is not None:
            self.chosen = self.paused.pop(number)
            self.searcher.waiting.discard(number)
        elif last:
            for number in list(self.paused):
                self._stop(tune_controller, number)
        return self.chosen


def make_scheduler(config: Config, store: ResultsStore, searcher: StudySearcher) -> TrialScheduler:
    """The scheduler that the configuration names."""
    search = config.search
    longest = config.training.max_epochs
    for name in ("rounds", "epochs"):
        for domain in config.space.get(name, []):
            most = max(domain.choices) if domain.choices else domain.high
            longest = longest * int(most or 1) // getattr(config.training, name)
    if search.scheduler == "none" or longest <= search.grace_period:
        return FIFOScheduler()
    rungs = Rungs(grace=search.grace_period, factor=search.reduction_factor, longest=longest)
    scheduler = ASHA(rungs, searcher, maximize=store.maximize)
    scheduler.remember(store)
    return scheduler


class TimeBudget(Stopper):
    """Stops the whole search when its time is up."""

    def __init__(self, seconds: float | None) -> None:
        self.end = None if seconds is None else time.monotonic() + seconds

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return False

    def stop_all(self) -> bool:
        return self.end is not None and time.monotonic() >= self.end
