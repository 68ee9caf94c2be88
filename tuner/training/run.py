"""One model's training with its files: built, trained epoch by epoch, checkpointed, resumed.

A search's trials and ``tuner.train`` both use it.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch

import models
from data.files.patience import no_room, patiently, say
from data.files.storage import Storage
from data.files.whole import write_table
from models import tensors
from models.config import ModelConfig
from models.registry import PROBE
from tuner.config.parameters import TrainingConfig
from tuner.training.clips.source import ClipSource, fit_normalisation
from tuner.training.device import backbone_precision, best_device
from tuner.training.folds.refit import Plan, ProbeRefit, Refit
from tuner.training.loop import Training
from tuner.training.probe import ProbeTraining
from tuner.training.state import load_trained_state, trained_state
from tuner.training.tensorboard import TrialWriter

LAST, BEST, HISTORY = "last.pt", "best.pt", "fit_history.csv"
CHECKPOINT_SECONDS = 10.0


@dataclass
class Run:
    """One training in its folder; continues from the checkpoint there, if there is one.

    Files: ``last.pt``, ``fit_history.csv``, ``best.pt`` (the model at its best, as `models.load` reads
    it). They are written with TensorBoard's events every ten seconds, at the epochs in `milestones` and
    at the end. So a crash costs seconds, and a short epoch does not wait for a checkpoint.

    Args:
        folder: of this model, made if need be.
        source: where clips come from.
        metric, seed, deadline: as in `Training`.
        params: what the HPARAMS tab shows; None: it does not show this training.
        milestones: epochs after which it may have to go on from its files.
        storage: where `folder` and `events` are kept, if that is not this machine.
        events: folder of TensorBoard's event files, which shows its path as the training's name;
            None is `folder`.
        plan: train as it says, and without validation.
    """

    folder: Path
    config: ModelConfig
    training_config: TrainingConfig
    source: ClipSource
    metric: str
    seed: int
    params: Mapping[str, Any] | None
    milestones: Collection[int] = ()
    storage: Storage | None = None
    deadline: float | None = None
    events: Path | None = None
    plan: Plan | None = None

    def __post_init__(self) -> None:
        torch.manual_seed(self.seed)
        self.folder.mkdir(parents=True, exist_ok=True)
        task = self.source.task
        if task.name != self.config.task:
            raise ValueError(f"the data is {task.name}, and the model's task is {self.config.task}")
        train = self.source.clips(self.config, "train", self.training_config)
        self.model = models.build(self.config, task.classes, with_backbone=False)
        if self.training_config.warm_start is None:
            fit_normalisation(self.model, train)
            self.model.forget()
        else:
            take_head(self.model, Path(self.training_config.warm_start))
        common: dict[str, Any] = {
            "config": self.training_config,
            "task": task,
            "metric": self.metric,
            "seed": self.seed,
            "device": best_device(),
            "deadline": self.deadline,
        }
        probe = self.config.architecture == PROBE
        self.training: Training
        if self.plan is None:
            valid = self.source.clips(self.config, "valid")
            kind = ProbeTraining if probe else Training
            self.training = kind(self.model, train, valid, **common)
        else:
            refit = ProbeRefit if probe else Refit
            self.training = refit(self.model, train, train, plan=self.plan, **common)
        self.checkpoint_seconds = 0.0
        self.saved_at, self.best_saved, self.history_saved = time.monotonic(), 0, 0
        self.resumed_epochs = self._resume()
        self.writer = TrialWriter(self.folders[-1], self.params, epochs_done=self.resumed_epochs)

    @property
    def folders(self) -> list[Path]:
        """The folders that it writes to: the model's, and the event files' if that is another one."""
        return [self.folder] if self.events is None else [self.folder, self.events]

    def _resume(self) -> int:
        """Continue from the folder's checkpoint; returns the epochs that it had done."""
        if self.storage:
            for folder in self.folders:
                self.storage.fetch(folder)
        if (found := checkpoint(self.folder)) is None:
            return 0
        state, model = found
        best, *_ = models.members(model)
        self.training.load_state_dict(state, trained_state(best))
        self.best_saved = self.training.best_epoch
        return self.training.epoch

    def step(self) -> dict[str, Any]:
        """Train an epoch, and save when it is time to."""
        result = self.training.step()
        self.writer.epoch(result, self.training.best)
        late = time.monotonic() - self.saved_at >= CHECKPOINT_SECONDS
        if late or self.training.finished or self.training.epoch in self.milestones:
            self.save()
        return result

    def complete(self) -> None:
        """Do what is left once the training is finished: nothing."""

    def save(self) -> None:
        """Bring the files up to date, the best model before the checkpoint that names it."""
        start = time.perf_counter()
        patiently(lambda _: self._save(), no_room, f"room in {self.folder}")
        self.saved_at = time.monotonic()
        self.checkpoint_seconds += time.perf_counter() - start

    def _save(self) -> None:
        self._save_best()
        tensors.write(self.training.state_dict(), self.folder / LAST)
        self.writer.flush()
        self._send()

    def _send(self) -> None:
        if self.storage:
            for folder in reversed(self.folders):  # the checkpoint last, after all it refers to
                self.storage.keep(folder)

    def _save_best(self) -> None:
        training = self.training
        if self.history_saved != training.epoch:
            write_table(self.folder / HISTORY, pd.DataFrame(training.history))
            self.history_saved = training.epoch
        if training.best_epoch == self.best_saved:
            return
        # Whoever predicts with the file alone has to sample videos as these were.
        data = self.source.config
        extra: dict[str, Any] = {
            "epoch": training.best_epoch,
            "fps": data.fps,
            "max_frames": data.max_frames,
        }
        if self.plan is None:
            extra |= training.calibration()
        if models.uses_stored_features(self.config):
            extra["feature_precision"] = backbone_precision(best_device())
        with training.at_best():
            models.save(self.model, self.folder / BEST, extra=extra)
        self.best_saved = training.best_epoch

    def summary(self) -> dict[str, Any]:
        """The figures that the results store keeps of this run."""
        training = self.training
        return {
            "best_epoch": training.best_epoch,
            "epochs": training.epoch,
            "resumed_epochs": self.resumed_epochs,  # those done before this worker began
            "best": {k: v for k, v in training.best.items() if k.startswith(("train_", "valid_"))},
            "best_round": training.best["round"],
            "stopped_epochs": training.stopped_epochs,
            "model_param_count": models.param_count(self.model),
            "num_features": self.model.num_features,
            "seed": self.seed,
            "precision": training.precision,
            "batch_halved": training.step_over.parts > 1,
            "worker": f"{socket.gethostname()}:{os.getpid()}",
            "seconds": sum(entry["seconds"] for entry in training.history),
            "checkpoint_seconds": self.checkpoint_seconds,
        }

    def close(self) -> None:
        """Save the best model if that was not yet done, and end the event file."""
        training = self.training
        if training.epoch:
            self._save_best()
        self.writer.close(training.best_confusion, self.source.dataset.classes, training.best_epoch)
        self._send()


def checkpoint(folder: Path) -> tuple[Any, models.VideoClassifier] | None:
    """What a folder's ``last.pt`` holds, and the model of its ``best.pt``; None if it has no checkpoint.

    If one of them is damaged or missing, that is said, and both are deleted: the training begins again.
    """
    if not (folder / LAST).exists():
        return None
    try:
        return tensors.read(folder / LAST), models.load(folder / BEST)
    except (FileNotFoundError, tensors.DamagedTensors) as error:
        say(f"{error}: this training begins again")
        for name in (LAST, BEST):
            (folder / name).unlink(missing_ok=True)
        return None


def take_head(model: models.VideoClassifier, path: Path) -> None:
    """Give `model` the head, with its normalisation of features, of a model that was trained before.

    Of several models in one file it is the first one's.

    Raises:
        ValueError: that model's head has another shape, or task.
    """
    other = models.members(models.load(path))[0]
    if other.config.task != model.config.task:
        raise ValueError(
            f"warm_start: the head of {path} is of task {other.config.task}, not {model.config.task}"
        )
    head = {k: value for k, value in other.state_dict().items() if not k.startswith("backbone.")}
    try:
        load_trained_state(model, head)
    except (RuntimeError, ValueError) as error:
        raise ValueError(f"warm_start: the head of {path} does not fit: {error}") from error
