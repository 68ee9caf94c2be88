"""What is said of labels that do not fit their videos, or each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from data.errors import Found, alike, some
from data.labels.file import LabelFile
from data.labels.numbering import Numbers, lasting
from data.videos.video import Video

_SEVERAL = "if several are shown at once: --set model.task=multilabel (tools: --task multilabel)"
_SAME = 1e-9  # seconds


def of_frames(
    file: LabelFile,
    rows: pd.DataFrame,
    videos: Mapping[str, Video],
    beyond: np.ndarray,
    relabelled: pd.DataFrame,
    numbers: Numbers,
) -> list[str]:
    """What is wrong with frames, a line for each kind.

    Args:
        beyond: which of the rows are beyond their video's end.
        relabelled: rows of frames that have another label, too.
    """
    if not beyond.any() and relabelled.empty:
        return []
    outside = [
        (of_video["row"], _beyond(videos[str(name)], int(of_video["frame"].iloc[0]), numbers))
        for name, of_video in rows[beyond].groupby("video", observed=True)
    ]
    inside = rows[~beyond]
    inside = inside[inside["video"].isin(relabelled["video"].unique())]
    frames = inside.groupby(["video", "frame"], observed=True)
    twice = inside[frames["label"].transform("nunique") > 1]
    several = [
        (
            both["row"],
            f"frame {frame} of video '{name}' has {both['label'].nunique()} labels: "
            f"{some(sorted(set(both['label'])))}",
        )
        for (name, frame), both in twice.groupby(["video", "frame"], observed=True)
    ]
    return alike(file.path, outside) + with_remedy(alike(file.path, several))


def of_points(file: LabelFile, table: pd.DataFrame, videos: Mapping[str, Video]) -> list[str]:
    """What is wrong with ranges without length that have come to the same sampled frame."""
    labels = table.groupby(["video", "frame"], observed=True)["label"].agg(
        lambda one: sorted(set(one))
    )
    return [
        f"{file.path}: frame {frame} of video '{video}'{_at(videos[str(video)])} is labelled "
        f"{some(both)}; a higher data.fps may tell them apart"
        for (video, frame), both in labels[labels.map(len) > 1].items()
    ]


def _beyond(video: Video, frame: int, numbers: Numbers) -> str:
    """That a video has no such frame, and what to do if the number is of another kind."""
    last = lasting(video, numbers) - 1
    of_file = numbers == "file"
    said = (
        f"frame {frame} is beyond video '{video.name}', which has {last + 1} frames (0 to "
        f"{last}{'' if of_file else _at(video)})"
    )
    other = lasting(video, "sampled" if of_file else "file")
    if frame < other:
        whose = f"those sampled{_at(video)}" if of_file else "those of the file"
        said += (
            f"; if the labels number {whose}, which are {other}, "
            f"--set data.frame_numbers={'sampled' if of_file else 'file'}"
        )
    return said


def _at(video: Video) -> str:
    return "" if video.fps is None else f" at {video.fps:g} frames/s"


def of_whole_videos(file: LabelFile, rows: pd.DataFrame, video: Video) -> list[Found]:
    """A problem if a video, which has one label, is given several."""
    if rows["label"].nunique() == 1:
        return []
    instead = "" if file.form == "video" else "; data.unit: frame takes a label for each frame"
    labels = some(sorted(set(rows["label"])))
    return [
        (
            list(rows["row"]),
            f"video '{video.name}' has {rows['label'].nunique()} labels: {labels}{instead}",
        )
    ]


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
