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
# Of one class among several that may be shown at once.
ANSWERS = ("shown, said", "shown, not said", "not shown, said", "not shown, not said")
_LONGEST = 40  # letters of a class's name in it


class ConfusionPicture:
    """A matplotlib figure of a confusion matrix; of many classes, of those with most errors.

    Args:
        matrix: ``[C, C]``, rows true, columns predicted; or ``[C, 2, 2]`` where several classes may be
            shown at once: of each, how often it was found, missed and said wrongly.
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
        across = ANSWERS if matrix.ndim == 3 else names
        left, below = (0.6 + 0.09 * max(map(len, texts)) for texts in (names, across))
        wide, high = (1.2 + 0.6 * len(texts) for texts in (across, names))
        width = max(left + wide + 0.2, 0.2 + 0.075 * max(map(len, title.split("\n"))))
        height = below + high + 0.5
        self.figure: Figure = Figure(figsize=(width, height), dpi=100)
        place = (left / width, below / height, wide / width, high / height)
        self.axes: Axes = self.figure.add_axes(place)
        self.figure.text(0.5, 1 - 0.08 / height, title, ha="center", va="top", parse_math=False)
        self.axes.imshow(np.zeros((len(names), len(across))), cmap="Blues", vmin=0, vmax=1)
        self.axes.set_xticks(range(len(across)), across, rotation=45, ha="right")
        self.axes.set_yticks(range(len(names)), names)
        self.axes.set_xlabel("predicted")
        self.axes.set_ylabel("true")
        for row in range(len(names)):
            for column in range(len(across)):
                self.axes.text(column, row, "", ha="center", va="center")
        self.fill(matrix)

    def fill(self, matrix: np.ndarray) -> None:
        """Show another matrix of the same kind and classes."""
        if matrix.ndim == 3:
            both = matrix[self.shown][:, ::-1, ::-1]
            counts = both.reshape(len(both), -1)
            shares = (both / np.maximum(both.sum(axis=2, keepdims=True), 1)).reshape(counts.shape)
        else:
            counts = matrix[np.ix_(self.shown, self.shown)]
            shares = counts / np.maximum(matrix[self.shown].sum(axis=1, keepdims=True), 1)
        self.axes.images[0].set_data(shares)
        cells = zip(self.axes.texts, counts.flat, shares.flat, strict=True)
        for text, count, share in cells:
            text.set_text(f"{share:.2f}" if self.normalised else str(int(count)))
            text.set_color("white" if share > 0.5 else "black")


def worst(matrix: np.ndarray, most: int) -> np.ndarray:
    """At most so many classes, in their order: those with most errors, missed or named wrongly."""
    if matrix.ndim == 3:
        errors = matrix[:, 0, 1] + matrix[:, 1, 0]
    else:
        errors = matrix.sum(axis=0) + matrix.sum(axis=1) - 2 * matrix.diagonal()
    return np.sort(np.argsort(-errors, kind="stable")[:most])


def columns_of(matrix: np.ndarray, classes: list[str]) -> tuple[list[str], np.ndarray]:
    """The columns of a table of a matrix, as of `ConfusionPicture`, and its cells ``[C, ...]``."""
    if matrix.ndim == 2:
        return classes, matrix
    return list(ANSWERS), matrix[:, ::-1, ::-1].reshape(len(matrix), 4)


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"
