"""Labels that overlap where one alone is taken: what is said of them, and what to do instead."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from data.errors import Found, alike
from data.labels.file import LabelFile

_SEVERAL = "if several are shown at once, --set model.task=multilabel takes them together"
_SAME = 1e-9  # seconds


def with_remedy(problems: list[str]) -> list[str]:
    """Problems of labels that overlap; the first says what to do if they are meant to."""
    return [f"{problem}; {_SEVERAL}" if not n else problem for n, problem in enumerate(problems)]


def overlaps(file: LabelFile) -> list[str]:
    """What is said of ranges that begin before another class's of their video has ended.

    Args:
        file: of the form ``range``.
    """
    return with_remedy(alike(file.path, list(_overlaps(file.rows))))


def _overlaps(rows: pd.DataFrame) -> Iterator[Found]:
    """Such ranges, and the rows of both; one without length has the frame at its start."""
    rows = rows.assign(time_end=np.maximum(rows["time_end"], rows["time_start"] + 2 * _SAME))
    latest = rows.groupby("video", observed=True)["time_end"].cummax()
    before = latest.groupby(rows["video"], observed=True).shift()
    overlapping = rows.loc[rows["time_start"] < before - _SAME, "video"].unique()
    for video in sorted(overlapping):
        last: Any = None
        for row in rows[rows["video"] == video].itertuples():
            if last is None:
                last = row
            if row.label != last.label and row.time_start < last.time_end - _SAME:
                yield (
                    [last.row, row.row],
                    f"ranges of video '{video}' overlap ({last.time_start_text} to "
                    f"{last.time_end_text} '{last.label}', {row.time_start_text} to "
                    f"{row.time_end_text} '{row.label}')",
                )
            last = row if row.time_end > last.time_end else last
