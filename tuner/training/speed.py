"""How fast this machine trains, and what of a card, measured for a moment on clips of noise."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

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
_FRAME_BATCHES = 4  # whose time on the card is measured
_CONTEXT = 2 << 30  # bytes of a card that a process takes beside its tensors, at most
_NO_KERNELS = ("Memcpy", "Memset")  # copies, which go on beside what is computed


class Card(NamedTuple):
    """A kind of GPU: what it is called, and its memory in bytes."""

    name: str
    memory: int

    @classmethod
    def here(cls) -> Card | None:
        """This process's first; None if it has none."""
        if not torch.cuda.is_available():
            return None
        about = torch.cuda.get_device_properties(0)
        return cls(about.name, about.total_memory)


class Load(NamedTuple):
    """What one training takes of a card.

    Attributes:
        memory: bytes, with all that its process needs beside tensors.
        busy: share of the time in which the card computes, from 0 to 1.
    """

    memory: int
    busy: float


def load_on_card(model: ModelConfig, settings: TrainingConfig, classes: Sequence[str]) -> Load:
    """What training a model takes of this process's card, from three short epochs.

    Nothing else of this process may be on the card, nor anything of others, to be exact.

    Raises:
        OutOfMemory, Diverged: as of `Training.step`.
        RuntimeError: there is no card, or it does not tell when it computes.
    """
    if not torch.cuda.is_available():
        raise RuntimeError("no CUDA device is usable here")
    gc.collect()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    stored = models.uses_stored_features(model)
    count = settings.batch_size * settings.accumulate * (_BATCHES if stored else _FRAME_BATCHES)
    count = max(count, _FEW * len(classes))
    whole = {"clips_per_epoch": None, "epochs": 100, "patience": 100}
    settings = settings.model_copy(update=whole)
    training = _training(Training, model, settings, classes, count, settings.batch_size)
    training.step()  # takes the memory, and chooses how to compute
    torch.cuda.synchronize()
    start = time.perf_counter()
    training.step()
    torch.cuda.synchronize()
    seconds = time.perf_counter() - start
    # A step of its own: being watched takes time of the CPU, and none of the card.
    with profile(activities=[ProfilerActivity.CUDA]) as watched:
        training.step()
        torch.cuda.synchronize()
    spans = [
        (event.time_range.start, event.time_range.end)
        for event in watched.events() or ()
        if event.device_type == DeviceType.CUDA
        and not event.is_user_annotation
        and not event.name.startswith(_NO_KERNELS)
    ]
    if not spans:
        raise RuntimeError("PyTorch's profiler does not tell when the card computes")
    free, total = torch.cuda.mem_get_info()
    beside = max(0, min(total - free - torch.cuda.memory_reserved(), _CONTEXT))
    memory = torch.cuda.max_memory_reserved() + beside
    return Load(memory, min(1.0, covered(spans) * 1e-6 / seconds))


def covered(spans: Iterable[tuple[float, float]]) -> float:
    """The time that spans from start to end cover together; where several run at once it counts once."""
    total, until = 0.0, float("-inf")
    for start, end in sorted(spans):
        total += max(0.0, end - max(start, until))
        until = max(until, end)
    return total


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
