"""One step of the optimizer over a batch, in halves if the batch does not fit into memory."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from models import VideoClassifier
from models.layers.windows import Windows
from tuner.config.parameters import TrainingConfig
from tuner.training.clips.augment import Augmentation
from tuner.training.device import OutOfMemory, out_of_memory
from tuner.training.losses import Loss
from tuner.training.task import Task
from tuner.training.tasks.binary import BinaryLoss


class Step:
    """Gradients of the loss over a batch of augmented clips, and what the optimizer makes of them.

    Args:
        task: says which answers are right.
        loss: what is minimised.
        precision: ``fp32`` or ``bf16``.

    Attributes:
        parts: how many parts a batch is split into; 2 once a batch did not fit into memory.
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
        self.parts = 1

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
            OutOfMemory: the batch did not fit in halves either.
        """
        optimizer.zero_grad(set_to_none=True)
        try:
            total = self._accumulate(clips, labels)
        except RuntimeError as error:
            if not out_of_memory(error):
                raise
            if self.parts > 1 or self.config.batch_size == 1:
                raise OutOfMemory(
                    f"a batch of {math.ceil(self.config.batch_size / self.parts)} clips does not fit "
                    f"into memory ({str(error).splitlines()[0]}): a smaller batch_size, "
                    "sequence_length or frame_size may help, or gradient_checkpointing"
                ) from error
            self.parts = 2  # the effective batch, and so what is learnt, stays the same
            if self.device.type == "cuda":
                torch.cuda.empty_cache()
            return self(optimizer, clips, labels)
        if self.config.gradient_clip is not None:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.config.gradient_clip)
        optimizer.step()
        return total

    def _accumulate(self, clips: Tensor | Windows, labels: Tensor) -> Tensor:
        """Gradients of the mean loss over all of `clips`, taken a part at a time."""
        total = torch.zeros(3, device=self.device)
        size = math.ceil(self.config.batch_size / self.parts)
        for part, answers in zip(clips.split(size), labels.split(size), strict=True):
            frames = part if isinstance(part, Windows) else self.augmentation.frames(part)
            with self.autocast():
                logits = self.model(frames)
                loss = self.loss(logits.float(), answers)
            whole = len(answers) == len(labels)
            (loss if whole else loss * self._share(answers, labels)).backward()
            right = self.task.count_right(logits.detach(), answers)
            count = torch.tensor(len(answers), device=self.device)
            total += torch.stack([loss.detach() * count, right, count])
        return total

    def _share(self, answers: Tensor, labels: Tensor) -> Tensor:
        """The share of some of a batch's clips in the loss over all of them."""
        return self.loss.total_weight(answers) / self.loss.total_weight(labels)
