"""The columns of tables of predictions: those of classes, and those that are always there."""

from __future__ import annotations

from collections.abc import Sequence

# Of tables of predictions, beside the classes' probabilities.
COLUMNS = {
    *("video", "frame", "frames", "time", "prediction", "label", "split", "error", "attention"),
    *("first_second", "last_second"),
}


def class_columns(classes: Sequence[str]) -> list[str]:
    """The columns of the classes' probabilities.

    They are their names, but for those that other columns have (`COLUMNS`), such as ``label``, which is
    ``p_label``.
    """
    columns = []
    for name in classes:
        column = name
        while column in COLUMNS or (column != name and column in classes):
            column = f"p_{column}"
        columns.append(column)
    return columns
