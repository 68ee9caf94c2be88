"""One step of the optimizer over a batch, in parts if the batch does not fit into memory."""

from __future__ import annotations

import math
from collections.abc import Hashable
from functools import partial

import torch
from torch import Tensor, nn

from models import VideoClassifier
from models.layers.windows import Windows
from tuner.config.parameters import TrainingConfig
from tuner.training.clips.augment import Augmentation
from tuner.training.device import AtOnce
from tuner.training.losses import Loss
from tuner.training.task import Task
from tuner.training.tasks.binary import BinaryLoss

# What this process has found to fit: clips at once, of those that do not all fit, by what takes memory.
_known: dict[Hashable, int] = {}


class Step:
    """Gradients of the loss over a batch of augmented clips, and what the optimizer makes of them.

    Args:
        task: says which answers are right.
        loss: what is minimised.
        precision: ``fp32`` or ``bf16``.

    Attributes:
        at_once: as many clips as fit into memory, a whole batch as long as it does. A batch in parts has
            the gradients of the whole one, up to rounding. Only batch normalisation whose statistics
            are those of a batch, as in the 3D networks that start from nothing, sees a part at a time.
    """

    def __init__(
        self,
        model: VideoClassifier,
        config: TrainingConfig,
        task: Task,
        loss: Loss | BinaryLoss,
        augmentation: Augmentation,
        device: torch.device,
        precision: str,
    ) -> None:
        self.model, self.config, self.task = model, config, task
        self.augmentation, self.device, self.precision = augmentation, device, precision
        self.loss = loss.to(device)
        self.at_once = AtOnce(config.batch_size)
        self._shape: Hashable = None  # not known before the first step

    def autocast(self) -> torch.autocast:
        """The precision that the model computes in."""
        return torch.autocast(
            self.device.type, dtype=torch.bfloat16, enabled=self.precision == "bf16"
        )

    def __call__(
        self, optimizer: torch.optim.Optimizer, clips: Tensor | Windows, labels: Tensor
    ) -> Tensor:
        """Take the step; returns loss times clips, right answers and clips.

        Raises:
            OutOfMemory: one clip alone does not fit.
        """
        if self._shape is None:
            self._shape = self._takes(clips)
            self.at_once.most = min(self.at_once.most, _known.get(self._shape, self.at_once.most))
        work = partial(self._accumulate, optimizer, clips, labels)
        total = self.at_once(work, min(len(labels), self.config.batch_size))
        if self.parts > 1:
            _known[self._shape] = self.at_once.most
        self.finish(optimizer)
        return total

    def finish(self, optimizer: torch.optim.Optimizer) -> None:
        """Change the weights, once the gradients are there."""
        if self.config.gradient_clip is not None:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.config.gradient_clip)
        optimizer.step()

    @property
    def parts(self) -> int:
        """How many parts a batch is taken in."""
        return math.ceil(self.config.batch_size / self.at_once.most)

    @parts.setter
    def parts(self, parts: int) -> None:
        self.at_once.most = math.ceil(self.config.batch_size / parts)

    def _takes(self, clips: Tensor | Windows) -> Hashable:
        """What decides how much memory a clip takes: equal for models and clips that take the same."""
        weights = (
            (name, tuple(weight.shape), weight.requires_grad)
            for name, weight in self.model.named_parameters()
        )
        frames = clips.features.shape[1:] if isinstance(clips, Windows) else clips.shape[2:]
        length = (clips.index if isinstance(clips, Windows) else clips).shape[1]
        saving = self.model.config.gradient_checkpointing
        return self.device, self.precision, saving, length, tuple(frames), tuple(weights)

    def _accumulate(
        self,
        optimizer: torch.optim.Optimizer,
        clips: Tensor | Windows,
        labels: Tensor,
        size: int,
    ) -> Tensor:
        """Gradients of the mean loss over all of `clips`, taken `size` at a time."""
        optimizer.zero_grad(set_to_none=True)
        total = torch.zeros(3, device=self.device)
        for part, answers in zip(clips.split(size), labels.split(size), strict=True):
            total += self.gradients(self.shown(part), answers, labels)
        return total

    def shown(self, clips: Tensor | Windows) -> Tensor | Windows:
        """What the model is given of clips: pictures are changed, features are as they are."""
        if isinstance(clips, Tensor) and clips.ndim == 5:
            return self.augmentation.frames(clips)
        return clips

    def gradients(self, clips: Tensor | Windows, answers: Tensor, labels: Tensor) -> Tensor:
        """Add the gradients of some clips' share in the mean loss over a batch.

        Args:
            answers: their labels, of all `labels` of the batch.

        Returns:
            loss times clips, right answers and clips.
        """
        with self.autocast():
            logits = self.model(clips)
            loss = self.loss(logits.float(), answers)
        if len(answers) < len(labels):
            loss = loss * self._share(answers, labels)
        loss.backward()
        right = self.task.count_right(logits.detach(), answers)
        whole = loss.detach() * len(labels)
        return torch.stack([whole, right, torch.full_like(whole, len(answers))])

    def _share(self, answers: Tensor, labels: Tensor) -> Tensor:
        """The share of some of a batch's clips in the loss over all of them."""
        return self.loss.total_weight(answers) / self.loss.total_weight(labels)
