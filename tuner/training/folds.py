"""One trial validated by folds: a training for each fold, and one model of them all.

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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor

import models
from data import Dataset
from data.files.storage import Storage
from models.config import ModelConfig
from tuner.config.parameters import TrainingConfig
from tuner.config.sections import DataConfig
from tuner.objective import METRICS, Objective
from tuner.training.clips.source import ClipSource, Held
from tuner.training.run import BEST, HISTORY, LAST, Run
from tuner.training.task import Task
from tuner.training.tensorboard import TrialWriter

_SEEDS_APART = 1_000_003  # of two folds of a trial


def fold_sources(
    dataset: Dataset, config: DataConfig, folds: Mapping[str, int]
) -> list[ClipSource]:
    """The clips of each fold, which share what they hold of features.

    Args:
        folds: video to the number of the fold that it validates, from 1; not of test videos.
    """
    held, sources = Held(), []
    for number in range(1, max(folds.values()) + 1):
        splits = {v: "valid" if fold == number else "train" for v, fold in folds.items()}
        sources.append(ClipSource(dataset.with_splits(splits), config, held))
    return sources


def fold_folder(folder: Path, number: int) -> Path:
    """Where the fold of a model that is under way has its files."""
    return folder / f"fold{number}"


def remove_fold(storage: Storage, folder: Path, number: int) -> None:
    """Delete what a fold of a model has left in its folder."""
    own = fold_folder(folder, number)
    storage.remove(*(own / name for name in (LAST, BEST, HISTORY)))
    shutil.rmtree(own, ignore_errors=True)


@dataclass
class FoldedTraining:
    """What the folds of a trial have come to so far.

    Attributes:
        history: an entry a fold, as `Training.step` gives it: ``epoch`` is the number of the fold, the
            figures are those of all folds so far, and ``fold/valid_f1``... are those of the fold alone.
        ended: of each fold that has ended, ``history`` and ``best_epoch``.
        valid: of each fold, logits ``[M, C]`` and labels ``[M]`` of the videos that it validates.
        facts: what `Run.summary` says and is the same for all folds.
    """

    objective: Objective
    task: Task
    folds: int
    history: list[dict[str, Any]] = field(default_factory=list)
    ended: list[dict[str, Any]] = field(default_factory=list)
    valid: list[tuple[Tensor, Tensor]] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def epoch(self) -> int:
        """Folds done."""
        return len(self.history)

    @property
    def best(self) -> dict[str, Any]:
        """The figures over all folds so far."""
        return self.history[-1]

    @property
    def finished(self) -> bool:
        return self.epoch == self.folds

    def together(self) -> tuple[Tensor, Tensor]:
        """Logits ``[N, C]`` and labels ``[N]`` of all folds so far."""
        logits, labels = zip(*self.valid, strict=True)
        return torch.cat(logits), torch.cat(labels)

    def temperature(self) -> float:
        """Of all folds so far; as of `fit_temperature`."""
        logits, labels = self.together()
        return self.task.temperature(self.task.probabilities(logits.double()), labels)

    def end(self, run: Run) -> dict[str, Any]:
        """Count a fold whose training has ended; returns its entry of `history`."""
        training, facts = run.training, run.summary()
        self.valid.append(training.valid_at_best())
        self.ended.append({"history": training.history, "best_epoch": training.best_epoch})
        names = ("model_param_count", "num_features", "precision")
        self.facts = {name: facts[name] for name in names} | {
            "batch_halved": facts["batch_halved"] or self.facts.get("batch_halved", False)
        }
        best = [fold["history"][fold["best_epoch"] - 1] for fold in self.ended]
        seconds = facts["seconds"]
        waited = sum(entry["data_wait"] * entry["seconds"] for entry in training.history)
        means = {
            name: sum(entry[name] for entry in best) / len(best)
            for name in ("train_loss", "train_accuracy")
        }
        figures = self.task.epoch_figures(*self.together())
        self.history.append(
            {
                "epoch": len(self.ended),
                "round": 1,
                **means,
                **{f"valid_{name}": value for name, value in figures.items()},
                **{f"fold/{name}": training.best[name] for name in METRICS},
                "seconds": seconds,
                "data_wait": waited / max(seconds, 1e-9),
            }
        )
        return self.best

    def state_dict(self) -> dict[str, Any]:
        """All that `load_state_dict` needs."""
        return {
            name: getattr(self, name) for name in ("history", "ended", "valid", "facts", "folds")
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state_dict` of a trial with the same parameters and folds."""
        for name, value in state.items():
            setattr(self, name, value)


@dataclass
class FoldedRun:
    """The trainings of a trial's folds in its folder, one after the other, with the face of a `Run`.

    A step is a fold, trained to its own end in ``fold1``, ``fold2``..., as `Run` does it. Then its model
    joins those of the folds before in ``best.pt``, a `models.Mixture`, and its folder is deleted. Files:
    ``best.pt``, ``fit_history.csv`` (a row an epoch of each fold), ``last.pt``. A fold that has ended is
    never trained again, and one under way goes on from its own checkpoint.

    Args:
        sources: the clips of each fold, as `fold_sources` gives them.
        seed: of the first fold; each has its own.
        events: has the event files of the trial, and below it those of each fold.
        folder, config, training_config, metric, params, storage, deadline: as of `Run`.
    """

    folder: Path
    config: ModelConfig
    training_config: TrainingConfig
    sources: Sequence[ClipSource]
    metric: str
    seed: int
    params: Mapping[str, Any]
    storage: Storage
    events: Path
    deadline: float | None = None

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        task = self.sources[0].task
        objective = Objective(self.metric, folded=True)
        self.training = FoldedTraining(objective, task, len(self.sources))
        self.checkpoint_seconds = 0.0
        self.run: Run | None = None  # of the fold under way
        self.resumed_folds = self._resume()
        self.writer = TrialWriter(self.events, self.params, epochs_done=self.resumed_folds)

    def _resume(self) -> int:
        """Go on from the folder's checkpoint; returns the folds that had ended."""
        for folder in (self.folder, self.events):
            self.storage.fetch(folder)
        try:
            state = torch.load(self.folder / LAST, weights_only=True, map_location="cpu")
        except FileNotFoundError:
            return 0
        self.training.load_state_dict(state)
        return self.training.epoch

    def step(self) -> dict[str, Any]:
        """Train a fold to its end, and save; returns its entry of the history.

        Raises:
            Diverged, OutOfTime: as of `Training.step`; the fold does not count then.
        """
        number = self.training.epoch + 1
        self.run = run = Run(
            folder=fold_folder(self.folder, number),
            config=self.config,
            training_config=self.training_config,
            source=self.sources[number - 1],
            metric=self.metric,
            seed=self.seed + (number - 1) * _SEEDS_APART,
            params=None,
            storage=self.storage,
            deadline=self.deadline,
            events=fold_folder(self.events, number),
        )
        while not run.training.finished:
            run.step()
        entry = self.training.end(run)
        run.close()
        self.checkpoint_seconds += run.checkpoint_seconds
        self.run = None
        self.writer.epoch(entry, entry)
        self._save(number)
        return entry

    def _save(self, number: int) -> None:
        """Bring the files up to date: the model before the checkpoint that counts its folds."""
        start = time.perf_counter()
        last = models.load(fold_folder(self.folder, number) / BEST)
        before = models.members(models.load(self.folder / BEST))[: number - 1] if number > 1 else []
        extra = {name: value for name, value in last.extra.items() if name != "epoch"}
        extra |= {"temperature": self.training.temperature()}
        models.save(models.Mixture([*before, last]), self.folder / BEST, extra=extra)
        rows = [
            {"fold": fold, **entry}
            for fold, ended in enumerate(self.training.ended, 1)
            for entry in ended["history"]
        ]
        pd.DataFrame(rows).to_csv(self.folder / HISTORY, index=False)
        part = self.folder / f"{LAST}.{os.getpid()}.tmp"
        torch.save(self.training.state_dict(), part)
        os.replace(part, self.folder / LAST)
        self.writer.flush()
        for folder in (self.events, self.folder):  # the checkpoint last, after all it refers to
            self.storage.keep(folder)
        remove_fold(self.storage, self.folder, number)
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
            },
            **training.facts,
            "seed": self.seed,
            "worker": f"{socket.gethostname()}:{os.getpid()}",
            "seconds": sum(entry["seconds"] for entry in training.history),
            "checkpoint_seconds": self.checkpoint_seconds,
        }

    def close(self) -> None:
        """End the event files."""
        classes = self.sources[0].dataset.classes
        if self.run is not None:  # it broke off
            self.run.writer.close([], classes, self.run.training.epoch)
        confusion = []
        if self.training.epoch:
            logits, labels = self.training.together()
            confusion = self.training.task.confusion(logits, labels).tolist()
        self.writer.close(confusion, classes, self.training.epoch)
        self.storage.keep(self.events)
