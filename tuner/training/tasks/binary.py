"""Losses and figures of answers of yes or no, one for each class of each clip."""

from __future__ import annotations

import warnings

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tuner.training.metrics import threshold


class BinaryLoss(nn.Module):
    """The mean loss of logits ``[B, C]`` for labels float ``[B, C]`` of 0 and 1, a scalar.

    Binary cross-entropy of each logit's sigmoid, the mean over clips and classes; or the focal loss,
    which is that times ``(1 - p) ** gamma``, `p` the probability given to the right answer: Lin, Goyal,
    Girshick, He and Dollar, Focal Loss for Dense Object Detection, ICCV 2017, equation 5.

    Args:
        weights: ``[C]``, how much a clip that shows the class counts beside one that does not.
        gamma: of the focal loss; 0 is cross-entropy.
        label_smoothing: share of each answer that is spread over yes and no, 0 to 1.
    """

    weights: Tensor | None

    def __init__(
        self, weights: Tensor | None = None, *, gamma: float = 0.0, label_smoothing: float = 0.0
    ) -> None:
        super().__init__()
        self.gamma, self.label_smoothing = gamma, label_smoothing
        self.register_buffer("weights", weights)

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        smooth = labels * (1 - self.label_smoothing) + self.label_smoothing / 2
        entropy = F.binary_cross_entropy_with_logits(
            logits, smooth, pos_weight=self.weights, reduction="none"
        )
        if self.gamma:
            # At 0 a root (gamma below 1) has no slope, so it stays above.
            missing = torch.sigmoid(torch.where(labels > 0.5, -logits, logits)).clamp(min=1e-12)
            entropy = entropy * missing**self.gamma
        return entropy.mean()

    def total_weight(self, labels: Tensor) -> Tensor:
        """What the mean over clips with these labels is divided by, a scalar: they count alike."""
        return torch.tensor(float(len(labels)), device=labels.device)


def positive_weights(labels: Tensor, scheme: str) -> Tensor | None:
    """Weights ``[C]`` of clips that show a class: ``balanced`` gives them together those of the rest.

    A class that all clips show, or none, gets what one clip without, or with it, would give.

    Args:
        labels: ``[N, C]`` of 0 and 1.
    """
    if scheme == "none":
        return None
    shown = labels.sum(dim=0).float()
    return (len(labels) - shown).clamp(min=1) / shown.clamp(min=1)


def counts(decided: np.ndarray, true: np.ndarray, group: np.ndarray, groups: int) -> np.ndarray:
    """How often each class was said and shown, by group of rows.

    Args:
        decided, true: bool ``[N, C]``.
        group: int ``[N]``.

    Returns:
        ``[G, C + 1, 2, 2]``: for each class, rows true (no, yes) and columns said; the last one counts
        rows, true in all of them and said where all classes are right.
    """
    rows, classes = decided.shape
    whole = np.zeros((groups, classes + 1, 4))
    code = np.ones((rows, classes + 1), np.int64) * 2
    code[:, :classes] = 2 * true + decided
    code[:, classes] += (decided == true).all(axis=1)
    for value in range(4):
        if groups == 1:
            whole[0, :, value] = (code == value).sum(axis=0)
        else:
            np.add.at(whole[:, :, value], group, code == value)
    return whole.reshape(groups, classes + 1, 2, 2)


def scores(counted: np.ndarray) -> dict[str, float]:
    """Figures of `counts` of one group, ``[C + 1, 2, 2]``; without any rows all are NaN.

    ``accuracy`` is the share of rows all of whose classes are right; ``f1`` is averaged over the classes
    that are shown or said (macro); ``balanced_accuracy`` is the mean of how many of the rows that show a
    class, and of those that don't, are right, over the classes that have both.
    """
    exact, each = counted[-1, 1], counted[:-1]
    found, missed, false, right = each[:, 1, 1], each[:, 1, 0], each[:, 0, 1], each[:, 0, 0]
    occurs = found + missed + false > 0
    both = (found + missed > 0) & (false + right > 0)
    f1 = 2 * found[occurs] / (2 * found + missed + false)[occurs]
    recall = found[both] / (found + missed)[both]
    rejected = right[both] / (false + right)[both]
    return {
        "accuracy": float(exact[1] / exact.sum()) if exact.sum() else float("nan"),
        "f1": float(f1.mean()) if len(f1) else float("nan"),
        "balanced_accuracy": float((recall + rejected).mean() / 2) if len(recall) else float("nan"),
    }


def f1_by_class(counted: np.ndarray) -> list[float | None]:
    """The F1 of each class of `counts` of one group; None of those neither shown nor said."""
    each = counted[:-1]
    of = each[:, 1, 0] + each[:, 0, 1] + 2 * each[:, 1, 1]
    pairs = zip(each[:, 1, 1], of, strict=True)
    return [float(2 * found / total) if total else None for found, total in pairs]


def average_precision(probabilities: Tensor, labels: Tensor) -> dict[int, float]:
    """The area under each class's curve of precision over recall, for the classes that are shown.

    Args:
        probabilities, labels: ``[N, C]``.
    """
    # Imported late: it takes a second, and a search has no need of it.
    from torchmetrics.functional.classification import multilabel_average_precision

    shown = labels.sum(dim=0)
    with warnings.catch_warnings():  # of the classes that are not shown
        warnings.filterwarnings("ignore", "No positive samples", UserWarning)
        areas = multilabel_average_precision(
            probabilities.clamp(0, 1),
            labels.long(),
            num_labels=labels.shape[1],
            average="none",
            thresholds=None,
        )
    return {number: float(areas[number]) for number in shown.nonzero().flatten().tolist()}


def thresholds(probabilities: Tensor, labels: Tensor) -> list[float]:
    """For each class the threshold of its probability with the best F1; as of `metrics.thresholds`.

    Args:
        probabilities, labels: ``[N, C]``.
    """
    values = probabilities.detach().double().cpu().numpy()
    truth = labels.cpu().numpy() > 0.5
    return [threshold(values[:, number], truth[:, number]) for number in range(values.shape[1])]


def as_pairs(probabilities: Tensor) -> Tensor:
    """Probabilities of yes ``[N, C]`` as those of no and yes, ``[N * C, 2]``."""
    flat = probabilities.double().flatten()
    return torch.stack([1 - flat, flat], dim=1)
