"""Figures of predictions, from a confusion matrix or from the probabilities themselves."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor


def confusion(decided: Tensor, labels: Tensor, classes: int) -> np.ndarray:
    """Counts ``[C, C]``: rows are the true classes, columns the predicted ones.

    Args:
        decided: the predicted classes, int64 ``[N]``.
        labels: int64 ``[N]``.
    """
    places = labels * classes + decided
    return torch.bincount(places, minlength=classes**2).view(classes, classes).cpu().numpy()


def scores(matrix: np.ndarray) -> dict[str, float]:
    """Accuracy, F1 averaged over the classes that occur (macro), and balanced accuracy.

    Accuracy is multi-class accuracy, the share of rows that are right. Balanced accuracy is the mean
    recall of the classes that occur among the labels. Without any rows all are NaN.

    Args:
        matrix: as `confusion` gives it.
    """
    right, true, predicted = matrix.diagonal(), matrix.sum(axis=1), matrix.sum(axis=0)
    occurs = true + predicted > 0
    with np.errstate(invalid="ignore"):  # of no rows, each is 0 / 0
        return {
            "accuracy": float(right.sum() / matrix.sum()),
            "f1": _mean(2 * right[occurs] / (true + predicted)[occurs]),
            "balanced_accuracy": _mean(right[true > 0] / true[true > 0]),
        }


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else float("nan")


def recall_by_class(matrix: np.ndarray) -> dict[int, float]:
    """The share of each class's rows that are predicted as this class, for the classes that occur."""
    totals = matrix.sum(axis=1)
    return {i: float(matrix[i, i] / total) for i, total in enumerate(totals) if total}


def average_precision(probabilities: Tensor, labels: Tensor, classes: int) -> dict[int, float]:
    """The area under each class's curve of precision over recall, for the classes that occur.

    It needs no threshold, and its chance level is the share of the class.

    Args:
        probabilities: ``[N, C]``.
        labels: int64 ``[N]``.
    """
    # Imported late: it takes a second, and a search has no need of it.
    from torchmetrics.functional.classification import multiclass_average_precision

    occurring = labels.unique().tolist()
    if not occurring:
        return {}
    with warnings.catch_warnings():  # of the classes that do not occur
        warnings.filterwarnings("ignore", "No positive samples", UserWarning)
        # torchmetrics takes values above 1 for logits, even if only a rounding error is above.
        areas = multiclass_average_precision(
            probabilities.clamp(0, 1), labels, num_classes=classes, average="none", thresholds=None
        )
    return {number: float(areas[number]) for number in occurring}


def thresholds(probabilities: Tensor, labels: Tensor, classes: int) -> list[float]:
    """For each class the threshold of its probability with the best F1 against the rest.

    A threshold lies halfway between the lowest probability that it takes (``>=``) and the next lower
    one, or 0 if there is none. If several are best, it is the highest. A class that does not occur
    gets 0.5.

    Args:
        probabilities: ``[N, C]``.
        labels: int64 ``[N]``.
    """
    values = probabilities.detach().double().cpu().numpy()
    truth = labels.cpu().numpy()
    return [threshold(values[:, number], truth == number) for number in range(classes)]


def at_thresholds(
    probabilities: Tensor, labels: Tensor, chosen: Sequence[float]
) -> tuple[list[float | None], list[float | None]]:
    """Each class's precision and recall if all rows from its threshold on are taken; None: undefined.

    Args:
        probabilities: ``[N, C]``.
        labels: int64 ``[N]``.
        chosen: as `thresholds` gives them.
    """
    precision: list[float | None] = []
    recall: list[float | None] = []
    for number, threshold in enumerate(chosen):
        taken, true = probabilities[:, number] >= threshold, labels == number
        right = int((taken & true).sum())
        precision.append(right / int(taken.sum()) if taken.any() else None)
        recall.append(right / int(true.sum()) if true.any() else None)
    return precision, recall


def threshold(probabilities: np.ndarray, positive: np.ndarray) -> float:
    """As of `thresholds`, of one class: its probabilities ``[N]``, and which rows are of it."""
    if not positive.any():
        return 0.5
    order = np.argsort(-probabilities, kind="stable")
    ranked = probabilities[order]
    # Equal probabilities are taken together: a threshold comes only after the last of them.
    ends = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)
    f1 = 2 * np.cumsum(positive[order])[ends] / (ends + 1 + positive.sum())
    best = int(np.flatnonzero(f1 == f1.max())[0])  # the highest threshold of several best ones
    taken = float(ranked[ends[best]])
    below = float(ranked[ends[best] + 1]) if best + 1 < len(ends) else 0.0
    middle = (taken + below) / 2
    return middle if middle > below else taken  # no float lies between the two
