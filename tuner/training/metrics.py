"""What is measured of predictions; accuracy is multi-class accuracy of the most probable class."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torchmetrics.functional.classification import (
    multiclass_accuracy,
    multiclass_confusion_matrix,
    multiclass_f1_score,
)


def scores(logits: Tensor, labels: Tensor, classes: int) -> dict[str, float]:
    """Accuracy, and F1 averaged over the classes that occur (macro).

    Args:
        logits: ``[N, C]``.
        labels: int64 ``[N]``.
    """
    accuracy = multiclass_accuracy(logits, labels, num_classes=classes, average="micro")
    f1 = multiclass_f1_score(logits, labels, num_classes=classes, average="macro")
    return {"accuracy": float(accuracy), "f1": float(f1)}


def confusion(logits: Tensor, labels: Tensor, classes: int) -> np.ndarray:
    """Counts ``[C, C]``: rows are the true classes, columns the predicted ones."""
    return multiclass_confusion_matrix(logits, labels, num_classes=classes).cpu().numpy()


def class_weights(labels: Tensor, classes: int, scheme: str) -> Tensor | None:
    """Loss weights ``[C]``: ``balanced`` gives N / (C * count), so every class weighs the same."""
    if scheme == "none":
        return None
    counts = torch.bincount(labels, minlength=classes).float()
    return torch.where(counts > 0, len(labels) / (classes * counts.clamp(min=1)), 0.0)


def plot_confusion(matrix: np.ndarray, classes: list[str], *, normalised: bool = False):
    """A matplotlib figure of a confusion matrix.

    Args:
        matrix: ``[C, C]``, rows true, columns predicted.
        normalised: show shares of each true class instead of counts.
    """
    from matplotlib.figure import Figure

    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    # Inches by hand: matplotlib's own layout takes as long as drawing, for every trial.
    names = 0.6 + 0.09 * max(len(name) for name in classes)
    cells = 1.2 + 0.6 * len(classes)
    size = names + cells + 0.2
    figure = Figure(figsize=(size, size), dpi=100)
    axes = figure.add_axes((names / size, names / size, cells / size, cells / size))
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    ticks = range(len(classes))
    axes.set_xticks(ticks, classes, rotation=45, ha="right")
    axes.set_yticks(ticks, classes)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    for row in ticks:
        for column in ticks:
            text = f"{shares[row, column]:.2f}" if normalised else str(int(matrix[row, column]))
            colour = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, text, ha="center", va="center", color=colour)
    return figure
