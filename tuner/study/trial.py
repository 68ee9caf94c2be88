"""One trial as a Ray Tune Trainable: a worker serves one trial after another."""

from __future__ import annotations

import contextlib
import socket
import time
from pathlib import Path
from typing import Any

import torch
from ray import tune

from data.files import patience
from tuner.study.context import OUT_OF_TIME, Report, SearchContext
from tuner.study.space.space import resolve
from tuner.training.clips.source import ClipSource
from tuner.training.clips.stored import remember
from tuner.training.device import OutOfMemory, out_of_memory
from tuner.training.folds.run import FoldedRun, FoldSources
from tuner.training.folds.split import RefitRun, SplitSources
from tuner.training.loop import Diverged, OutOfTime
from tuner.training.run import Run

_REPORT_SECONDS = 1.0


class Trial(tune.Trainable):
    """Trains the model of one trial, from its own folder's checkpoint if it has one.

    The checkpoint is the trial's own file and not one of Tune's, so that a retry, a move to another
    worker and a resumed search are one thing: whoever has the trial next goes on from its folder.
    """

    def setup(self, config: dict[str, Any], context: SearchContext | None = None) -> None:
        assert context is not None  # given by tune.with_parameters
        self.context = context
        patience.tell(context.notices.say)
        remember(context.known)
        self.run: Run | FoldedRun | None = None
        self.reported = 0  # steps
        torch.set_num_threads(max(1, int(context.config.resources.cpus)))
        dataset, data = context.dataset, context.config.data
        self.source: ClipSource | SplitSources | FoldSources
        if context.folds:
            self.source = FoldSources.of(dataset, data, context.folds)
        elif context.config.search.refit:
            self.source = SplitSources.of(dataset, data)
        else:
            self.source = ClipSource(dataset, data)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self._close()
        return True

    def step(self) -> dict[str, Any]:
        """Train for a second, at least a step (an epoch or a fold) and not beyond a rung.

        If each of many short epochs were reported, workers would wait for the scheduler, and the
        scheduler for the database.

        Returns:
            the last step as ``epoch``, and its selection metric under the metric's name; ``best_value``
            and ``score``, `Objective`'s value and score of the trial so far; ``finished``, whether
            the training has come to its end; ``reason``, why something else ended it; ``report``,
            with all steps. If the training can't go on: ``failed``, the reason, alone.
        """
        try:
            return self._step()
        except (Diverged, OutOfMemory, torch.cuda.OutOfMemoryError) as error:
            # A retry would end the same way, so this is a result: Tune would retry after an exception.
            reason = str(error).split("\n")[0] or type(error).__name__
        except (MemoryError, RuntimeError) as error:
            if not isinstance(error, MemoryError) and not out_of_memory(error):
                raise
            # Others may have had it, so it is tried again, and counted.
            raise MemoryError(
                f"{socket.gethostname()} had no memory left for this model: run fewer trials at once "
                "(resources.trials_at_once), or search smaller models"
            ) from error
        # Now, and not when the next trial begins: what fails here would be that one's failure, and what
        # this one holds of the card is missed by those that share it.
        self._close()
        return {"failed": reason, "done": True}

    def _step(self) -> dict[str, Any]:
        start = time.monotonic()
        if self.run is None:
            self.run, self.reported = self._open(), 0
        training = self.run.training
        objective = training.objective
        reason = ""
        while not training.finished:
            try:
                self.run.step()
            except OutOfTime:
                reason = OUT_OF_TIME
                break
            if training.epoch in self.context.rungs:
                break
            if time.monotonic() - start >= _REPORT_SECONDS:
                break
        if not training.history:
            reason += f": its first {objective.step} had not ended"
            return {"failed": reason, "done": True}
        if training.finished:
            self.run.complete()
        new = training.history[self.reported :] or training.history[-1:]
        self.reported = training.epoch
        return {
            "epoch": training.epoch,
            objective.metric: objective.value(new[-1]),
            "best_value": objective.value(training.best),
            "score": objective.score(training.best),
            "finished": training.finished,
            "done": training.finished or bool(reason),
            "reason": reason,
            "report": Report(
                {entry["epoch"]: objective.value(entry) for entry in new}, self.run.summary()
            ),
        }

    def _open(self) -> Run | FoldedRun:
        config = self.context.config
        model_id, params = self.config["model_id"], self.config["params"]
        model, training = resolve(params)
        if head := self.config.get("warm_start"):
            self.context.storage.fetch(Path(head).parent)  # another machine may have trained it
        training = training.model_copy(update={"warm_start": self.config.get("warm_start")})
        common: dict[str, Any] = {
            "folder": self.context.model_folder(model_id),
            "config": model,
            "training_config": training,
            "metric": config.search.metric,
            # Each trial has its own seed, so that not all have the same lucky or unlucky start.
            "seed": config.search.seed * 10_000 + model_id,
            "params": {name: params[name] for name in config.space},
            "storage": self.context.storage,
            "deadline": self.context.deadline,
            "events": self.context.events_folder(model_id, params),
        }
        if isinstance(self.source, FoldSources):
            assert config.search.validation is not None  # as there are folds
            refit = config.search.validation.refit
            return FoldedRun(sources=self.source, refit=refit, **common)
        common["milestones"] = self.context.rungs
        if isinstance(self.source, SplitSources):
            return RefitRun(source=self.source.split, together=self.source.together, **common)
        return Run(source=self.source, **common)

    def save_checkpoint(self, checkpoint_dir: str) -> dict[str, Any]:
        """Nothing more: the trial's folder has it all."""
        return {}

    def load_checkpoint(self, checkpoint: dict[str, Any] | None) -> None:
        """Nothing: the first step goes on from the trial's folder."""

    def _close(self) -> None:
        if self.run is not None:
            with contextlib.suppress(OSError):  # the trial's folder may have been deleted meanwhile
                self.run.close()
            self.run = None
            torch.cuda.empty_cache()  # others share the card; does nothing without one

    def cleanup(self) -> None:
        self._close()
