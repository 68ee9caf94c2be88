"""Pictures of a confusion matrix."""

from __future__ import annotations

from typing import Any

import numpy as np


def plot_confusion(matrix: np.ndarray, classes: list[str], *, normalised: bool = False):
    """A matplotlib figure of a confusion matrix.

    Args:
        matrix: ``[C, C]``, rows true, columns predicted.
        normalised: show shares of each true class instead of counts.
    """
    from matplotlib.figure import Figure

    # Inches by hand: matplotlib's own layout takes as long as drawing, for every trial.
    names = 0.6 + 0.09 * max(len(name) for name in classes)
    cells = 1.2 + 0.6 * len(classes)
    size = names + cells + 0.2
    figure = Figure(figsize=(size, size), dpi=100)
    axes = figure.add_axes((names / size, names / size, cells / size, cells / size))
    axes.imshow(matrix, cmap="Blues", vmin=0, vmax=1)
    ticks = range(len(classes))
    axes.set_xticks(ticks, classes, rotation=45, ha="right")
    axes.set_yticks(ticks, classes)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    for row in ticks:
        for column in ticks:
            axes.text(column, row, "", ha="center", va="center")
    fill_confusion(axes, matrix, normalised=normalised)
    return figure


def fill_confusion(axes: Any, matrix: np.ndarray, *, normalised: bool = False) -> None:
    """Put another matrix ``[C, C]`` into the axes of a `plot_confusion`."""
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    axes.images[0].set_data(shares)
    cells = zip(axes.texts, matrix.flat, shares.flat, strict=True)
    for text, count, share in cells:
        text.set_text(f"{share:.2f}" if normalised else str(int(count)))
        text.set_color("white" if share > 0.5 else "black")
