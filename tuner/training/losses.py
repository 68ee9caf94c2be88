"""The losses, and how often each class is seen in an epoch."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Loss(nn.Module):
    """The mean loss of logits ``[B, C]`` for labels int64 ``[B]``, a scalar.

    Args:
        weights: ``[C]``, one for each class; a clip counts in the mean by its label's weight.
        label_smoothing: share of each label that is spread over all classes, 0 to 1.

    Raises:
        ValueError: `label_smoothing` is out of its range.
    """

    weights: Tensor | None

    def __init__(self, weights: Tensor | None = None, *, label_smoothing: float = 0.0) -> None:
        super().__init__()
        if not 0 <= label_smoothing <= 1:
            raise ValueError(f"label_smoothing has to be from 0 to 1, and is {label_smoothing}")
        self.label_smoothing = label_smoothing
        self.register_buffer("weights", weights)

    def total_weight(self, labels: Tensor) -> Tensor:
        """What the mean over clips with these labels is divided by, a scalar."""
        if self.weights is None:
            return torch.tensor(float(len(labels)), device=labels.device)
        return self.weights[labels].sum()


class CrossEntropy(Loss):
    """Cross-entropy of the logits' softmax."""

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(logits, labels, self.weights, label_smoothing=self.label_smoothing)


class FocalLoss(Loss):
    """Cross-entropy times ``(1 - p) ** gamma``, `p` the probability given to the label.

    Clips that are already classified well count less, so the rare and the difficult count more. From
    Lin, Goyal, Girshick, He and Dollar, Focal Loss for Dense Object Detection, ICCV 2017, equation 5,
    over a softmax; `weights` are alpha of the paper. `label_smoothing` changes the cross-entropy; `p`
    stays the probability of the label.

    Args:
        gamma: 0 is cross-entropy; the paper's best is 2.

    Raises:
        ValueError: `gamma` is below 0, or `label_smoothing` out of its range.
    """

    def __init__(
        self, weights: Tensor | None = None, *, gamma: float = 2.0, label_smoothing: float = 0.0
    ) -> None:
        super().__init__(weights, label_smoothing=label_smoothing)
        if not gamma >= 0:
            raise ValueError(f"focal_gamma has to be at least 0, and is {gamma}")
        self.gamma = gamma

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        entropy = F.cross_entropy(
            logits,
            labels,
            self.weights,
            label_smoothing=self.label_smoothing,
            reduction="none",
        )
        if self.gamma:
            log_p = logits.log_softmax(dim=1).gather(1, labels[:, None]).squeeze(1)
            # At 0 a root (gamma below 1) has no slope, so it stays above; expm1 is exact for p near 1.
            missing = (-torch.expm1(log_p)).clamp(min=1e-12)
            entropy = entropy * missing**self.gamma
        if self.weights is None:
            return entropy.mean()
        return entropy.sum() / self.total_weight(labels)


def make_loss(
    name: str,
    *,
    weights: Tensor | None = None,
    label_smoothing: float = 0.0,
    focal_gamma: float = 2.0,
) -> Loss:
    """The loss ``cross_entropy`` or ``focal``; the other arguments as in `Loss` and `FocalLoss`.

    Raises:
        ValueError: an unknown name, or a number out of its range.
    """
    if name == "cross_entropy":
        return CrossEntropy(weights, label_smoothing=label_smoothing)
    if name == "focal":
        return FocalLoss(weights, gamma=focal_gamma, label_smoothing=label_smoothing)
    raise ValueError(f"unknown loss {name!r}: one of cross_entropy, focal")


def balanced_order(labels: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """An epoch's clips, drawn with replacement so that all classes are expected equally often.

    Classes that do not occur are not drawn. It already does what balanced class weights do: use one
    of the two.

    Args:
        labels: int64 ``[N]``.
        generator: where the draws come from, on any device; None for PyTorch's own.

    Returns:
        positions in `labels`, int64 ``[N]``, on its device.
    """
    if len(labels) == 0:
        return labels.new_empty(0)
    device = "cpu" if generator is None else generator.device
    draws = torch.rand(2, len(labels), generator=generator, device=device, dtype=torch.float64)
    draws = draws.to(labels.device)
    by_class = labels.argsort(stable=True)
    _, counts = torch.unique(labels, return_counts=True)
    starts = counts.cumsum(0) - counts
    # A class first, then one of its clips: torch.multinomial ends at 2**24 clips.
    picked = (draws[0] * len(counts)).long()
    return by_class[starts[picked] + (draws[1] * counts[picked]).long()]


def class_weights(labels: Tensor, classes: int, scheme: str) -> Tensor | None:
    """Loss weights ``[C]``: ``balanced`` gives N / (C * count), so every class weighs the same."""
    if scheme == "none":
        return None
    counts = torch.bincount(labels, minlength=classes).float()
    return torch.where(counts > 0, len(labels) / (classes * counts.clamp(min=1)), 0.0)
