"""Puts what Ray Tune reports into the results store, and keeps only the best models on the disk."""

from __future__ import annotations

import contextlib
import time
from typing import Any

from ray.tune import Callback

from tuner.objective import Place
from tuner.runtime.failures import Forgiven, of_the_world, reason_of
from tuner.study.context import OUT_OF_TIME, SearchContext
from tuner.study.store.record import UNFINISHED
from tuner.study.store.results import ResultsStore
from tuner.training.folds.run import REFIT, remove_parts
from tuner.training.run import BEST, LAST

_WRITTEN = 60.0  # seconds in which any file is


class Recorder(Callback):
    """Tells the study of every epoch and of every trial's end."""

    def __init__(self, store: ResultsStore, context: SearchContext) -> None:
        self.store, self.context = store, context
        self.latest: dict[int, dict[str, Any]] = {}  # results of the running trials
        self.forgiven = Forgiven()
        self.began = time.time()
        # The best models, whose weights are kept, in the order in which `tuner.best` takes them.
        self.best: list[Place] = store.places()[: context.config.search.keep_models]

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune's own snapshots are not used

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        if "failed" not in result:
            number = trial.config["model_id"]
            self.store.report(number, result["report"].epochs)
            self.latest[number] = result

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        result = trial.last_result or {}
        self._end(trial.config["model_id"], result, result.get("reason", ""))
        # Tune keeps statistics of each number in its results, 25 kB a trial, which nobody reads.
        trial.metric_analysis.clear()
        trial.metric_n_steps.clear()

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        number = trial.config["model_id"]
        self.latest.pop(number, None)
        if of_the_world(trial):
            self.store.leave(number, reason_of(trial))
        else:
            self.store.fail(number, reason_of(trial))

    def on_trial_recover(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self.forgiven.forgive(trial)

    def end_of_time(self) -> None:
        """End the trials that were running when the time budget ended; Tune says nothing of them."""
        for record in self.store.records():
            if record.state in UNFINISHED and not record.reason:
                self._end(record.number, self.latest.get(record.number, {}), OUT_OF_TIME)

    def _end(self, number: int, result: dict[str, Any], reason: str = "") -> None:
        self.latest.pop(number, None)
        if "failed" in result:
            self.store.fail(number, result["failed"])
        elif "best_value" not in result:
            step = self.store.objective.step
            why = f"{reason}: its first {step} had not ended" if reason else ""
            self.store.fail(number, why or f"it ended before its first {step}")
        else:
            value, finished = result["best_value"], result["finished"]
            steps = max(result["report"].epochs)
            self.store.finish(
                number,
                pruned=not finished,
                results=result["report"].summary,
                value=value,
                reason=reason,
            )
            place = self.store.objective.place(value, finished=finished, steps=steps, number=number)
            self._keep(place)
        with contextlib.suppress(OSError):  # nothing depends on it: an ended trial is not resumed
            self.context.storage.remove(self.context.model_folder(number) / LAST)

    def _keep(self, place: Place) -> None:
        """Count a model among the best, and delete the weights of the one that it displaces."""
        self.best = sorted([*self.best, place])
        while len(self.best) > self.context.config.search.keep_models:
            worst = self.best.pop()
            with contextlib.suppress(OSError):  # a file left over costs space, not a search
                self.context.storage.remove(self.context.model_folder(worst.number) / BEST)

    def sweep(self) -> None:
        """Delete files of ended trials that are of no use; a worker may have written one late."""
        best, left = {place.number for place in self.best}, []
        for record in self.store.records():
            if record.state in UNFINISHED:
                continue
            folder = self.context.model_folder(record.number)
            names = (LAST,) if record.number in best else (LAST, BEST)
            left += [folder / name for name in names]
        with contextlib.suppress(OSError):
            self.context.storage.remove(*left)
            self._sweep_folds()
            # Others may be writing there now: `tuner.best`, or a worker that is late.
            self.context.storage.tidy(before=max(self.began, time.time() - _WRITTEN))

    def _sweep_folds(self) -> None:
        """Delete what is left of parts that were under way when their trials ended."""
        search = self.context.config.search
        folds = search.validation.folds if search.validation else 0
        if not folds and not search.refit:
            return
        for record in self.store.records():
            open_refit = search.refit and not isinstance(record.results.get("refit"), int)
            if record.state not in UNFINISHED and (open_refit or len(record.epochs) < folds):
                folder = self.context.model_folder(record.number)
                parts = [len(record.epochs) + 1] if folds else []
                remove_parts(self.context.storage, folder, *parts, REFIT)
