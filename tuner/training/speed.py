"""How fast this machine trains, measured for a moment on clips of noise."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

import models
from models.config import ModelConfig
from tuner.config.parameters import TrainingConfig
from tuner.training.clips.batches import Clips, FeatureClips, FrameClips
from tuner.training.device import best_device
from tuner.training.loop import Training
from tuner.training.probe import MOST_ROWS, ProbeTraining
from tuner.training.task import task_of

_BATCHES = 16  # of features; a batch of frames takes long enough
_FEW = 2  # clips of frames, on CPUs
_EVALUATION = 1 / 3  # of the time that training on a clip takes: there is no backward pass
_PROBED = 400  # clips that a probe is fitted to, at most


def epoch_seconds(
    model: ModelConfig, settings: TrainingConfig, classes: Sequence[str], *, train: int, valid: int
) -> float:
    """Seconds of an epoch of a model over so many clips.

    Raises:
        OutOfMemory, Diverged: as of `Training.step`.
    """
    train = min(train, settings.clips_per_epoch or train)
    device = best_device()
    stored = models.uses_stored_features(model)
    count = settings.batch_size * settings.accumulate
    if stored:
        count *= _BATCHES
    elif device.type == "cpu":
        count = min(count, _FEW)
    count, checked = max(_FEW, min(train, count)), max(_FEW, min(valid, count if stored else 0))
    training = _training(Training, model, settings, classes, count, checked)
    if stored or device.type == "cuda":
        training.step()  # the first takes longer
    seconds = _timed(training)
    return seconds * (train + _EVALUATION * valid) / (count + _EVALUATION * checked)


def probe_seconds(
    model: ModelConfig, settings: TrainingConfig, classes: Sequence[str], *, train: int
) -> float:
    """Seconds of fitting a linear probe to so many clips: they grow with their square."""
    rows = min(train, MOST_ROWS)
    count = max(len(classes), min(rows, _PROBED))
    _timed(_training(ProbeTraining, model, settings, classes, _FEW * len(classes), _FEW))
    training = _training(ProbeTraining, model, settings, classes, count, _FEW)
    return _timed(training) * max(1.0, rows / count) ** 2


def _training(
    kind: type[Training],
    model: ModelConfig,
    settings: TrainingConfig,
    classes: Sequence[str],
    train: int,
    valid: int,
) -> Training:
    plain = model.model_copy(update={"pretrained": False, "model_weights_path": None})
    task = task_of(model.task, list(classes))
    return kind(
        models.build(plain, list(classes), with_backbone=False),
        noise_clips(model, task.noise(train)),
        noise_clips(model, task.noise(valid)),
        config=settings,
        task=task,
        device=best_device(),
    )


def _timed(training: Training) -> float:
    start = time.perf_counter()
    training.step()
    return time.perf_counter() - start


def noise_clips(model: ModelConfig, labels: Tensor) -> Clips:
    """Clips as the model takes them, of features or frames, that show nothing, one for each label."""
    draw, count = np.random.default_rng(0), len(labels)
    steps = models.input_steps(model)
    if models.uses_stored_features(model):
        width = models.build(model, ["one", "other"], with_backbone=False).num_features
        index = torch.from_numpy(draw.integers(0, 8 * count, (count, 1))) + torch.arange(steps)
        return FeatureClips(torch.rand(8 * count + steps, width).half(), index, labels)
    length = steps * models.clip_length(model)
    frames = draw.integers(0, 256, (length, *models.frame_size(model), 3), np.uint8)
    return FrameClips(
        videos=[[frames] * len(models.streams(model))],
        video=torch.zeros(count, dtype=torch.int64),
        index=torch.arange(length).expand(count, length),
        labels=labels,
    )
