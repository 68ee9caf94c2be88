"""Labels that overlap where one alone is taken: what is said of them, and what to do instead."""

from __future__ import annotations

from typing import Any

import pandas as pd

from data.labels.file import LabelFile

_SEVERAL = "if several are shown at once, --set model.task=multilabel takes them together"
_SAME = 1e-9  # seconds


def with_remedy(problems: list[str]) -> list[str]:
    """Problems of labels that overlap; the first says what to do if they are meant to."""
    return [f"{problem}; {_SEVERAL}" if not n else problem for n, problem in enumerate(problems)]


def overlaps(file: LabelFile) -> list[str]:
    """A problem for each range that begins before another of its video has ended.

    Args:
        file: of the form ``range``.
    """
    rows = file.rows.sort_values(["video", "time_start"], kind="stable", ignore_index=True)
    latest = rows.groupby("video", observed=True)["time_end"].cummax()
    before = latest.groupby(rows["video"], observed=True).shift()
    found = rows.loc[rows["time_start"] < before - _SAME, "video"].unique()
    each = (_of_video(file, video, rows[rows["video"] == video]) for video in sorted(found))
    return with_remedy([problem for said in each for problem in said])


def _of_video(file: LabelFile, video: str, ranges: pd.DataFrame) -> list[str]:
    last: Any = None
    said = []
    for row in ranges.itertuples():
        if last is not None and row.time_start < last.time_end - _SAME:
            said.append(
                f"{file.path}, rows {last.row} and {row.row}: ranges of video '{video}' overlap "
                f"({last.time_start_text} to {last.time_end_text} '{last.label}', "
                f"{row.time_start_text} to {row.time_end_text} '{row.label}')"
            )
        if last is None or row.time_end > last.time_end:
            last = row
    return said
