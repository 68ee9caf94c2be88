"""Pictures of a confusion matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST = 30  # classes in a picture
# The same of a picture that each trial draws anew: a hundred cells take 0.1 s, nine hundred 1 s.
FEW = 10
_LONGEST = 40  # letters of a class's name in it


class ConfusionPicture:
    """A matplotlib figure of a confusion matrix; of many classes, of those with most errors.

    Args:
        matrix: ``[C, C]``, rows true, columns predicted.
        title: of two lines at most: which model, and which split.
        normalised: show shares of each true class instead of counts.
        most: of more classes, so many are shown.
    """

    def __init__(
        self,
        matrix: np.ndarray,
        classes: list[str],
        title: str,
        *,
        normalised: bool = False,
        most: int = MOST,
    ) -> None:
        from matplotlib.figure import Figure

        self.shown = worst(matrix, most)
        self.normalised = normalised
        if len(classes) > most:
            title += f"; the {most} of {len(classes)} classes with most errors"
        # A dollar would begin a formula.
        names = [_short(classes[number]).replace("$", r"\$") for number in self.shown]
        # The layout is computed here: matplotlib's takes as long as the drawing, for every trial.
        of_names = 0.6 + 0.09 * max(map(len, names))
        cells = 1.2 + 0.6 * len(names)
        width = max(of_names + cells + 0.2, 0.2 + 0.075 * max(map(len, title.split("\n"))))
        height = of_names + cells + 0.5
        self.figure: Figure = Figure(figsize=(width, height), dpi=100)
        place = (of_names / width, of_names / height, cells / width, cells / height)
        self.axes: Axes = self.figure.add_axes(place)
        self.figure.text(0.5, 1 - 0.08 / height, title, ha="center", va="top", parse_math=False)
        self.axes.imshow(np.zeros((len(names), len(names))), cmap="Blues", vmin=0, vmax=1)
        ticks = range(len(names))
        self.axes.set_xticks(ticks, names, rotation=45, ha="right")
        self.axes.set_yticks(ticks, names)
        self.axes.set_xlabel("predicted")
        self.axes.set_ylabel("true")
        for row in ticks:
            for column in ticks:
                self.axes.text(column, row, "", ha="center", va="center")
        self.fill(matrix)

    def fill(self, matrix: np.ndarray) -> None:
        """Show another matrix ``[C, C]`` of the same classes."""
        counts = matrix[np.ix_(self.shown, self.shown)]
        shares = counts / np.maximum(matrix[self.shown].sum(axis=1, keepdims=True), 1)
        self.axes.images[0].set_data(shares)
        cells = zip(self.axes.texts, counts.flat, shares.flat, strict=True)
        for text, count, share in cells:
            text.set_text(f"{share:.2f}" if self.normalised else str(int(count)))
            text.set_color("white" if share > 0.5 else "black")


def worst(matrix: np.ndarray, most: int) -> np.ndarray:
    """At most so many classes, in their order: those with most errors, missed or named wrongly."""
    errors = matrix.sum(axis=0) + matrix.sum(axis=1) - 2 * matrix.diagonal()
    return np.sort(np.argsort(-errors, kind="stable")[:most])


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"
