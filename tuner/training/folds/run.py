"""One trial validated by folds: a training for each fold, and a last one on all that validated.

Each video is validated once, by a model that was not trained on it. The figures of a trial are those
of all such rows together. So a fold that hardly has a class does not upset macro-F1, which a mean over
folds would be (Forman and Scholz, Apples-to-apples in cross-validation studies, SIGKDD Explorations
2010); accuracy and loss are the means over folds, weighted by their rows.
"""

from __future__ import annotations

import os
import shutil
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

import models
from data.files.patience import no_room, patiently
from data.files.storage import Storage
from data.files.whole import write_table
from models import tensors
from models.config import ModelConfig
from tuner.config.parameters import TrainingConfig
from tuner.objective import METRICS, Objective
from tuner.training.clips.source import ClipSource
from tuner.training.folds.refit import Plan
from tuner.training.folds.training import FoldedTraining, FoldSources
from tuner.training.loop import Diverged, OutOfTime
from tuner.training.run import BEST, HISTORY, LAST, Run, checkpoint
from tuner.training.tensorboard import TrialWriter

REFIT = "refit"  # the part of a trial that is trained on all that validates
SEEDS_APART = 1_000_003  # of two parts of a trial


def part_folder(folder: Path, part: int | str) -> Path:
    """Where a part of a trial, the number of a fold or `REFIT`, has its files while it is trained."""
    return folder / (f"fold{part}" if isinstance(part, int) else part)


def remove_parts(storage: Storage, folder: Path, *parts: int | str) -> None:
    """Delete what parts of a trial have left in its folder."""
    for part in parts:
        own = part_folder(folder, part)
        storage.remove(*(own / name for name in (LAST, BEST, HISTORY)))
        shutil.rmtree(own, ignore_errors=True)


def train_out(run: Run) -> int | str:
    """Train to the end; returns the epochs, or why it broke off."""
    try:
        while not run.training.finished:
            run.step()
    except (Diverged, OutOfTime) as error:
        return str(error) or "the time for training was over"
    return run.training.epoch


@dataclass
class FoldedRun:
    """The trainings of a trial's folds in its folder, one after the other, with the face of a `Run`.

    A step is a fold, trained to its own end in ``fold1``, ``fold2``..., as `Run` does it. Then its model
    joins those of the folds before in ``best.pt``, a `models.Mixture`, and its folder is deleted. After
    the last fold the model that answers for new videos is trained on all of them in ``refit``, as `Plan`
    says, and joins them. Files: ``best.pt``, ``fit_history.csv`` (a row an epoch of each fold),
    ``last.pt``. What has ended is never trained again, and what is under way goes on from its own
    checkpoint.

    Args:
        seed: of the first fold; each has its own.
        events: has the event files of the trial, and below it those of each part.
        refit: whether to train on all videos at the end; else the folds' models answer together.
        folder, config, training_config, metric, params, storage, deadline: as of `Run`.
    """

    folder: Path
    config: ModelConfig
    training_config: TrainingConfig
    sources: FoldSources
    metric: str
    seed: int
    params: Mapping[str, Any]
    storage: Storage
    events: Path
    deadline: float | None = None
    refit: bool = True

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        task = self.sources.together.task
        objective = Objective(self.metric, folded=True)
        self.training = FoldedTraining(objective, task, len(self.sources.each))
        self.checkpoint_seconds = 0.0
        self.run: Run | None = None  # of the part under way
        self.resumed_folds = self._resume()
        self.writer = TrialWriter(self.events, self.params, epochs_done=self.resumed_folds)

    def _resume(self) -> int:
        """Go on from the folder's checkpoint; returns the folds that had ended."""
        for folder in (self.folder, self.events):
            self.storage.fetch(folder)
        if (found := checkpoint(self.folder)) is None:
            return 0
        self.training.load_state_dict(found[0])
        return self.training.epoch

    def step(self) -> dict[str, Any]:
        """Train a fold to its end, and save; returns its entry of the history.

        After the last fold the model that answers for new videos is trained, too.

        Raises:
            Diverged, OutOfTime: as of `Training.step`; the fold does not count then.
        """
        number = self.training.epoch + 1
        self.run = run = self._part(number, self.sources.each[number - 1])
        while not run.training.finished:
            run.step()
        entry = self.training.end(run)
        self._end_part(run)
        if self.refit and self.training.finished:
            entry["seconds"] += self._refit()
        self.writer.epoch(entry, entry)
        patiently(lambda _: self._save(number), no_room, f"room in {self.folder}")
        return entry

    def complete(self) -> None:
        """Nothing: the last fold's step has done all."""

    def _part(self, part: int | str, source: ClipSource, plan: Plan | None = None) -> Run:
        """A part of the trial, a fold or `REFIT`, from its own checkpoint if it has one."""
        place = part if isinstance(part, int) else self.training.folds + 1
        return Run(
            folder=part_folder(self.folder, part),
            config=self.config,
            training_config=self.training_config,
            source=source,
            metric=self.metric,
            seed=self.seed + (place - 1) * SEEDS_APART,
            params=None,
            storage=self.storage,
            deadline=self.deadline,
            events=part_folder(self.events, part),
            plan=plan,
        )

    def _end_part(self, run: Run) -> None:
        run.close()
        self.checkpoint_seconds += run.checkpoint_seconds
        self.run = None

    def _refit(self) -> float:
        """Train on all that has validated; returns the seconds. If it breaks off, folds answer."""
        training = self.training
        histories = [fold["history"] for fold in training.ended]
        plan = Plan.of(histories, Objective(self.metric))
        self.run = run = self._part(REFIT, self.sources.together, plan)
        training.refit = train_out(run)
        self._end_part(run)
        return sum(entry["seconds"] for entry in run.training.history)

    def _save(self, number: int) -> None:
        """Bring the files up to date: the model before the checkpoint that counts its folds."""
        start = time.perf_counter()
        last = models.load(part_folder(self.folder, number) / BEST)
        before = models.members(models.load(self.folder / BEST))[: number - 1] if number > 1 else []
        refitted = isinstance(self.training.refit, int)
        refit = models.load(part_folder(self.folder, REFIT) / BEST) if refitted else None
        extra = {name: value for name, value in last.extra.items() if name != "epoch"}
        extra |= self.training.calibration()
        mixture = models.Mixture([*before, last], refit)
        models.save(mixture, self.folder / BEST, extra=extra)
        rows = [
            {"fold": fold, **entry}
            for fold, ended in enumerate(self.training.ended, 1)
            for entry in ended["history"]
        ]
        write_table(self.folder / HISTORY, pd.DataFrame(rows))
        tensors.write(self.training.state_dict(), self.folder / LAST)
        self.writer.flush()
        for folder in (self.events, self.folder):  # the checkpoint last, after all it refers to
            self.storage.keep(folder)
        remove_parts(self.storage, self.folder, number, REFIT)
        self.checkpoint_seconds += time.perf_counter() - start

    def summary(self) -> dict[str, Any]:
        """As of `Run.summary`; what is of one training alone is None, or a list with all folds'."""
        training = self.training
        return {
            "best_epoch": None,
            "epochs": training.epoch,
            "resumed_epochs": self.resumed_folds,
            "best": {k: v for k, v in training.best.items() if k.startswith(("train_", "valid_"))},
            "best_round": None,
            "stopped_epochs": [],
            "folds": {
                "of": training.folds,
                "epochs": [len(fold["history"]) for fold in training.ended],
                "best_epoch": [fold["best_epoch"] for fold in training.ended],
                **{name: [entry[f"fold/{name}"] for entry in training.history] for name in METRICS},
                "refit": training.refit,
            },
            **training.facts,
            "seed": self.seed,
            "worker": f"{socket.gethostname()}:{os.getpid()}",
            "seconds": sum(entry["seconds"] for entry in training.history),
            "checkpoint_seconds": self.checkpoint_seconds,
        }

    def close(self) -> None:
        """End the event files."""
        classes = self.sources.together.dataset.classes
        if self.run is not None:  # it broke off
            self.run.writer.close([], classes, self.run.training.epoch)
        confusion = []
        if self.training.epoch:
            logits, labels = self.training.together()
            confusion = self.training.task.epoch_confusion(logits, labels).tolist()
        self.writer.close(confusion, classes, self.training.epoch)
        self.storage.keep(self.events)
