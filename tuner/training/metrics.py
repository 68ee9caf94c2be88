"""What is measured of predictions; accuracy is multi-class accuracy of the most probable class."""

from __future__ import annotations

import warnings

import numpy as np
import torch
from torch import Tensor


def scores(logits: Tensor, labels: Tensor, classes: int) -> dict[str, float]:
    """Accuracy, F1 averaged over the classes that occur (macro), and balanced accuracy.

    Balanced accuracy is the mean recall of the classes that occur among the labels.

    Args:
        logits: ``[N, C]``.
        labels: int64 ``[N]``.
    """
    matrix = confusion(logits, labels, classes)
    right, true, told = matrix.diagonal(), matrix.sum(axis=1), matrix.sum(axis=0)
    if not len(labels):
        return dict.fromkeys(("accuracy", "f1", "balanced_accuracy"), float("nan"))
    occurs = true + told > 0
    return {
        "accuracy": float(right.sum() / len(labels)),
        "f1": float((2 * right[occurs] / (true + told)[occurs]).mean()),
        "balanced_accuracy": float((right[true > 0] / true[true > 0]).mean()),
    }


def per_class_recall(logits: Tensor, labels: Tensor, classes: int) -> dict[int, float]:
    """The share of each class's rows that are told to be of it, for the classes that occur.

    Args:
        logits: or probabilities, ``[N, C]``.
        labels: int64 ``[N]``.
    """
    matrix = confusion(logits, labels, classes)
    totals = matrix.sum(axis=1)
    return {i: float(matrix[i, i] / totals[i]) for i in range(classes) if totals[i]}


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
        # torchmetrics takes anything above 1 for logits, be it by a rounding error.
        found = multiclass_average_precision(
            probabilities.clamp(0, 1), labels, num_classes=classes, average="none", thresholds=None
        )
    return {number: float(found[number]) for number in occurring}


def thresholds(probabilities: Tensor, labels: Tensor, classes: int) -> list[float]:
    """For each class the probability from which on taking it gives the best F1 against the rest.

    A threshold lies in the middle between the last probability that it takes (``>=``) and the next
    lower one, 0 below all; of several best ones it is the highest. A class that does not occur
    gets 0.5.

    Args:
        probabilities: ``[N, C]``.
        labels: int64 ``[N]``.
    """
    values = probabilities.detach().double().cpu().numpy()
    truth = labels.cpu().numpy()
    return [_threshold(values[:, number], truth == number) for number in range(classes)]


def _threshold(probabilities: np.ndarray, positive: np.ndarray) -> float:
    if not positive.any():
        return 0.5
    order = np.argsort(-probabilities, kind="stable")
    ranked = probabilities[order]
    # Equal probabilities are taken together: only their last place is a choice.
    ends = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)
    f1 = 2 * np.cumsum(positive[order])[ends] / (ends + 1 + positive.sum())
    best = int(f1.argmax())
    taken = float(ranked[ends[best]])
    below = float(ranked[ends[best] + 1]) if best + 1 < len(ends) else 0.0
    middle = (taken + below) / 2
    return middle if middle > below else taken  # no number between two neighbouring ones


def confusion(logits: Tensor, labels: Tensor, classes: int) -> np.ndarray:
    """Counts ``[C, C]``: rows are the true classes, columns the predicted ones."""
    places = labels * classes + logits.argmax(dim=1)
    return torch.bincount(places, minlength=classes**2).view(classes, classes).cpu().numpy()
