"""From the rows of a label file to one label table of the frames that they mean.

The label table is a DataFrame ``video, frame, time, label, split``, one row a labelled frame, sorted.
Where whole videos are labelled it is ``video, label, split``, one row a video. Text is categories, in
alphabetical order.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Literal

import numpy as np
import pandas as pd

from data.cells.columns import as_categories
from data.cells.numbers import parse_time
from data.errors import some
from data.labels.damage import within
from data.labels.file import LabelFile, numbered, read_labels
from data.labels.images import by_number
from data.videos.times import nearest_frames
from data.videos.video import Video

__all__ = ["COLUMNS", "LabelFile", "expand", "parse_time", "read_labels"]

# What a label is of.
Unit = Literal["frame", "video"]
COLUMNS = {
    "frame": ["video", "frame", "time", "label", "split"],
    "video": ["video", "label", "split"],
}


def expand(
    file: LabelFile, videos: Mapping[str, Video], unit: Unit = "frame"
) -> tuple[pd.DataFrame, list[str], list[str]]:
    """One row a labelled frame, or a video, for the videos in `videos`.

    Returns:
        the table with its columns, ``split`` only if the file has it; problems; warnings.
    """
    rows, problems = file.rows, list[str]()
    if not videos.keys() >= set(file.videos):
        rows = rows[rows["video"].isin(list(videos))]
    rows, warnings = within(file.form, rows, videos)
    columns = [column for column in COLUMNS[unit] if column != "split" or "split" in rows]
    if unit == "video" or file.form != "frame":
        table, problems = _of_videos(file, rows, videos, unit)
    else:
        rows, problems = by_number(file, rows, videos)
        beyond = rows["frame"].to_numpy() >= _lengths(rows["video"], videos)
        table = rows[~beyond] if beyond.any() else rows
    for name in {"video", "label", "split"}.intersection(columns):
        table = table.assign(**{name: as_categories(table[name])})
    if unit == "video":
        return table.reindex(columns=columns), problems, warnings
    table, again = _in_order(table)
    if file.form == "frame":
        problems += _problems_of_frames(
            file, rows, videos, beyond, table[_relabelled(table, again)]
        )
    elif not file.problems and _relabelled(table, again).any():
        problems += _problems_of_points(file, table, videos)
    if again.any():
        warnings.append(
            f"{file.path}: {int(again.sum())} frames are labelled twice with the same label; "
            "each counts once"
        )
        table = table[~again].reset_index(drop=True)
    return table.assign(time=_times(table, videos))[columns], problems, warnings


def _lengths(column: pd.Series, videos: Mapping[str, Video]) -> np.ndarray:
    """The number of frames of each row's video."""
    names = column.cat.categories
    of = np.array([len(videos[name]) if name in videos else 0 for name in names], np.int64)
    return of[column.cat.codes]


def _in_order(table: pd.DataFrame) -> tuple[pd.DataFrame, np.ndarray]:
    """The rows by video and frame, and which of them is of the same frame as the one before it."""
    video, frame = table["video"].cat.codes.to_numpy(np.int64), table["frame"].to_numpy(np.int64)
    place = video * (frame.max(initial=0) + 1) + frame
    if np.any(place[1:] < place[:-1]):
        order = np.argsort(place, kind="stable")
        table, place = table.take(order), place[order]
    again = np.zeros(len(place), bool)
    again[1:] = place[1:] == place[:-1]
    return table.reset_index(drop=True), again


def _relabelled(table: pd.DataFrame, again: np.ndarray) -> np.ndarray:
    """Rows of the same frame as the one before, with another label."""
    again = again.copy()
    label = table["label"].cat.codes.to_numpy()
    again[1:] &= label[1:] != label[:-1]
    return again


def _times(table: pd.DataFrame, videos: Mapping[str, Video]) -> np.ndarray:
    """Seconds of each row of a table in order, a video after the other."""
    codes, frames = table["video"].cat.codes.to_numpy(), table["frame"].to_numpy(np.int64)
    bounds = np.flatnonzero(np.diff(codes, prepend=-1, append=-1))
    times = np.empty(len(table))
    for start, end in pairwise(bounds):
        name = table["video"].cat.categories[codes[start]]
        times[start:end] = videos[name].times[frames[start:end]]
    return times


def _of_videos(
    file: LabelFile, rows: pd.DataFrame, videos: Mapping[str, Video], unit: Unit
) -> tuple[pd.DataFrame, list[str]]:
    """A video after the other: its row, or those of all of its labelled frames; and problems."""
    problems: list[str] = []
    parts = []
    for name, of_video in rows.groupby("video", sort=True):
        video = videos[str(name)]
        if unit == "video":
            part, problem = of_video.iloc[:1], _different(file, of_video, video)
        elif file.form == "range":
            part, problem = _frames_of_ranges(file, of_video, video)
        else:
            part, problem = _whole_video(file, of_video, video)
        problems += problem
        parts.append(part)
    if not parts:
        return rows.assign(frame=0), problems
    return pd.concat(parts, ignore_index=True), problems


def _problems_of_frames(
    file: LabelFile,
    rows: pd.DataFrame,
    videos: Mapping[str, Video],
    beyond: np.ndarray,
    relabelled: pd.DataFrame,
) -> list[str]:
    """What is wrong with frames, a video after the other.

    Args:
        beyond: which of the rows are beyond their video's end.
        relabelled: rows of frames that have another label, too.
    """
    problems: list[str] = []
    wrong = set(rows.loc[beyond, "video"].unique()) | set(relabelled["video"].unique())
    for name in sorted(wrong):
        of_video = (rows["video"] == name).to_numpy()
        problems += _problems_of(file, rows[of_video], beyond[of_video], videos[name])
    return problems


def _problems_of_points(
    file: LabelFile, table: pd.DataFrame, videos: Mapping[str, Video]
) -> list[str]:
    """What is wrong with ranges without length that have come to the same sampled frame."""
    labels = table.groupby(["video", "frame"], observed=True)["label"].agg(
        lambda one: sorted(set(one))
    )
    return [
        f"{file.path}: frame {frame} of video '{video}'{_at(videos[str(video)])} is labelled "
        f"{some(both)}; a higher data.fps may tell them apart"
        for (video, frame), both in labels[labels.map(len) > 1].items()
    ]


def _problems_of(
    file: LabelFile, rows: pd.DataFrame, beyond: np.ndarray, video: Video
) -> list[str]:
    problems = []
    if beyond.any():
        problems.append(
            f"{file.path}, {numbered(rows.loc[beyond, 'row'])}: frame "
            f"{rows.loc[beyond, 'frame'].iloc[0]} is beyond video '{video.name}', which has "
            f"{len(video)} frames (0 to {len(video) - 1}{_at(video)})"
        )
    rows = rows[~beyond]
    twice = rows.groupby("frame")["label"].nunique()
    for frame in twice.index[twice > 1][:5]:
        both = rows[rows["frame"] == frame]
        problems.append(
            f"{file.path}, rows {some(both['row'])}: frame {frame} of video '{video.name}' has "
            f"{both['label'].nunique()} labels: {some(sorted(set(both['label'])))}"
        )
    if (twice > 1).sum() > 5:
        problems.append(
            f"{file.path}: {int((twice > 1).sum()) - 5} more frames of video '{video.name}' have "
            "more than one label"
        )
    return problems


def _at(video: Video) -> str:
    return "" if video.fps is None else f" at {video.fps:g} frames/s"


def _frames_of_ranges(
    file: LabelFile, rows: pd.DataFrame, video: Video
) -> tuple[pd.DataFrame, list[str]]:
    step = 1 / (video.fps or video.info.fps)
    beyond = rows["time_end"] > video.duration + step
    problems = [
        f"{file.path}, row {row['row']}: ends at {row['time_end_text']}, beyond video "
        f"'{video.name}', which lasts {video.duration:.3f} seconds ({len(video)} frames)"
        for row in rows[beyond].to_dict("records")
    ]
    rows = rows[~beyond]
    # A range may end at the very end of the video: its bound is the frame after the last.
    times = np.append(video.times, max(video.duration, video.times[-1] + 1e-3))
    bounds = nearest_frames(times, rows[["time_start", "time_end"]].to_numpy(np.float64))
    # One without length has the frame that is shown then, which after the last one is the last.
    points = (rows["time_start"] == rows["time_end"]).to_numpy()
    bounds[points, 0] = np.minimum(bounds[points, 0], len(video) - 1)
    bounds[points, 1] = bounds[points, 0] + 1
    counts = bounds[:, 1] - bounds[:, 0]
    problems += [
        f"{file.path}, row {row['row']}: {row['time_start_text']} to {row['time_end_text']} "
        f"holds no sampled frame of video '{video.name}' (one every {step:.3g} seconds)"
        for row in rows[counts == 0].to_dict("records")
    ]
    # Each range counts on from its first frame.
    first = np.repeat(bounds[:, 0] - (np.cumsum(counts) - counts), counts)
    kept = [name for name in ("video", "label", "split") if name in rows]
    table = rows[kept].loc[rows.index.repeat(counts)]
    return table.assign(frame=first + np.arange(len(first))), problems


def _whole_video(
    file: LabelFile, rows: pd.DataFrame, video: Video
) -> tuple[pd.DataFrame, list[str]]:
    first = rows.take(np.zeros(len(video), int))
    return first.assign(frame=np.arange(len(video))), _different(file, rows, video)


def _different(file: LabelFile, rows: pd.DataFrame, video: Video) -> list[str]:
    """A problem if a video, which has one label, is given several."""
    if rows["label"].nunique() == 1:
        return []
    instead = "" if file.form == "video" else "; data.unit: frame takes a label for each frame"
    return [
        f"{file.path}, rows {some(rows['row'])}: video '{video.name}' has "
        f"{rows['label'].nunique()} labels: {some(sorted(set(rows['label'])))}{instead}"
    ]
