"""Pictures of a confusion matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot_confusion(
    matrix: np.ndarray, classes: list[str], title: str, *, normalised: bool = False
) -> Figure:
    """A matplotlib figure of a confusion matrix.

    Args:
        matrix: ``[C, C]``, rows true, columns predicted.
        title: of two lines at most: which model, and which split.
        normalised: show shares of each true class instead of counts.
    """
    from matplotlib.figure import Figure

    # The layout is computed here: matplotlib's takes as long as the drawing, for every trial.
    names = 0.6 + 0.09 * max(len(name) for name in classes)
    cells = 1.2 + 0.6 * len(classes)
    width = max(names + cells + 0.2, 0.2 + 0.075 * max(map(len, title.split("\n"))))
    height = names + cells + 0.5
    figure = Figure(figsize=(width, height), dpi=100)
    axes = figure.add_axes((names / width, names / height, cells / width, cells / height))
    figure.text(0.5, 1 - 0.08 / height, title, ha="center", va="top")
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
