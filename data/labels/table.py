"""From the rows of a label file to one label table of the frames that they mean.

The label table is a DataFrame ``video, frame, time, label, split``, one row a labelled frame, sorted.
Where whole videos are labelled it is ``video, label, split``, one row a video. Text is categories, in
alphabetical order.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import pandas as pd

from data.cells.columns import as_categories
from data.cells.numbers import parse_time
from data.errors import Found, alike
from data.labels import mistakes
from data.labels.damage import up_to_end, within
from data.labels.file import LabelFile, read_labels
from data.labels.gaps import (
    NEAR,
    Gaps,
    near_boundaries,
    short_events,
    told_near,
    told_short,
    with_background,
    without,
)
from data.labels.images import by_number
from data.labels.mistakes import overlaps, with_remedy
from data.labels.numbering import Numbers, lasting, sampled
from data.labels.sets import TaskName, by_class, merged
from data.videos.times import nearest_frames
from data.videos.video import Video

__all__ = ["COLUMNS", "LabelFile", "expand", "parse_time", "read_labels"]

# What a label is of.
Unit = Literal["frame", "video"]
COLUMNS = {
    "frame": ["video", "frame", "time", "label", "split"],
    "video": ["video", "label", "split"],
}
NO_GAPS = Gaps()


def expand(
    file: LabelFile,
    videos: Mapping[str, Video],
    unit: Unit = "frame",
    numbers: Numbers = "file",
    *,
    gaps: Gaps = NO_GAPS,
    task: TaskName = "multiclass",
) -> tuple[pd.DataFrame, list[str], list[str]]:
    """One row a labelled frame, or a video, for the videos in `videos`.

    Args:
        numbers: what frames the labels number, of a file with a frame a row.
        gaps: how unlabelled time, short events and boundaries are taken.
        task: whether a frame or video has one label, or a set of them.

    Returns:
        the table with its columns, ``split`` only if the file has it, and ``near`` only with
        `gaps.margin`; problems; warnings.
    """
    problems, warnings = gaps.problems(file.path, file.form, unit), list[str]()
    if problems:
        gaps = NO_GAPS
    rows, found = _rows(file, videos, unit, task)
    problems += found
    if file.form == "range":
        rows, count = up_to_end(rows, videos, cut=file.cut)
        if count:
            warnings.append(f"{file.path}: {count} ranges go on after their video, and end with it")
    rows, said = within(file.form, rows, videos, numbers)
    warnings += said
    if gaps.shortest:
        rows = rows.assign(short=short_events(rows, gaps.shortest))
        if rows["short"].any():
            warnings.append(told_short(file.path, rows[rows["short"]], gaps.shortest))
    columns = [column for column in COLUMNS[unit] if column != "split" or "split" in rows]
    if unit == "video" or file.form != "frame":
        table, found = _of_videos(file, rows, videos, unit)
        problems += found
    else:
        rows, found = by_number(file, rows, videos)
        problems += found
        beyond = rows["frame"].to_numpy() >= _lengths(rows["video"], videos, numbers)
        table = rows[~beyond] if beyond.any() else rows
    for name in {"video", "label", "split"}.intersection(columns):
        table = table.assign(**{name: as_categories(table[name])})
    if unit == "video":
        return table.reindex(columns=columns), problems, warnings
    left = table[table["short"]] if gaps.shortest else table.iloc[:0]
    table, again = _in_order(table[~table["short"]] if gaps.shortest else table)
    relabelled = table[_relabelled(table, again)] if task == "multiclass" else table.iloc[:0]
    if file.form == "frame":
        problems += mistakes.of_frames(file, rows, videos, beyond, relabelled, numbers)
    elif not relabelled.empty and not problems and not file.problems:
        problems += mistakes.of_points(file, table, videos)
    table, twice = _once(table, again, task)
    if twice:
        warnings.append(
            f"{file.path}: {twice} frames are labelled twice with the same label; each counts once"
        )
    if file.form == "frame" and numbers == "file":
        table, notes = sampled(table, videos, file.path)
        warnings += notes
    if not left.empty:
        table = without(table, left)
    if gaps.background is not None:
        lengths = {name: len(videos[name]) for name in file.videos if name in videos}
        table = with_background(table, gaps.background, lengths, left)
    table = table.assign(time=_times(table, videos))
    if gaps.margin:
        near = near_boundaries(table.assign(end=_times(table, videos, after=1)), gaps.margin)
        table, columns = table.assign(**{NEAR: near}), [*columns, NEAR]
        warnings.append(told_near(near, gaps.margin))
    return table[columns], problems, warnings


def _rows(
    file: LabelFile, videos: Mapping[str, Video], unit: Unit, task: TaskName
) -> tuple[pd.DataFrame, list[str]]:
    """The rows of `videos`, where a label is a set one for each class, and problems of all rows."""
    rows = file.rows
    problems = overlaps(file) if file.form == "range" and task == "multiclass" else []
    if not videos.keys() >= set(file.videos):
        rows = rows[rows["video"].isin(list(videos))]
    if task == "multilabel":
        rows = by_class(rows).reset_index(drop=True)
        if unit == "video" or file.form == "video":
            rows, _ = merged(*_in_order(rows.assign(frame=0)))
    return rows, problems


def _once(table: pd.DataFrame, again: np.ndarray, task: TaskName) -> tuple[pd.DataFrame, int]:
    """A table in order with each frame once, and how many rows say what another has said."""
    if not again.any():
        return table, 0
    if task == "multilabel":
        return merged(table, again)
    return table[~again].reset_index(drop=True), int(again.sum())


def _lengths(column: pd.Series, videos: Mapping[str, Video], numbers: Numbers) -> np.ndarray:
    """How many frames of each row's video labels can number."""
    names = column.cat.categories
    known = [lasting(videos[name], numbers) if name in videos else 0 for name in names]
    of = np.array(known, np.int64)
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


def _times(table: pd.DataFrame, videos: Mapping[str, Video], after: int = 0) -> np.ndarray:
    """Seconds of each row of a table in order, a video after the other.

    Args:
        after: of the frame so many later.
    """
    codes, frames = table["video"].cat.codes.to_numpy(), table["frame"].to_numpy(np.int64)
    bounds = np.flatnonzero(np.diff(codes, prepend=-1, append=-1))
    times = np.empty(len(table))
    for start, end in pairwise(bounds):
        name = table["video"].cat.categories[codes[start]]
        times[start:end] = _bounds(videos[name])[frames[start:end] + after]
    return times


def _bounds(video: Video) -> np.ndarray:
    """When each frame of a video begins, and when its last ends: seconds ``[N + 1]``."""
    return np.append(video.times, max(video.duration, video.times[-1] + 1e-3))


def _of_videos(
    file: LabelFile, rows: pd.DataFrame, videos: Mapping[str, Video], unit: Unit
) -> tuple[pd.DataFrame, list[str]]:
    """A video after the other: its row, or those of all of its labelled frames; and problems."""
    several, beyond, empty = list[Found](), list[Found](), list[Found]()
    parts = []
    for name, of_video in rows.groupby("video", sort=True):
        video = videos[str(name)]
        if unit == "video" or file.form == "video":
            several += mistakes.of_whole_videos(file, of_video, video)
        if unit == "video":
            part = of_video.iloc[:1]
        elif file.form == "range":
            part = _frames_of_ranges(of_video, video, beyond, empty)
        else:
            part = of_video.take(np.zeros(len(video), int)).assign(frame=np.arange(len(video)))
        parts.append(part)
    problems = with_remedy(alike(file.path, several))
    problems += [line for found in (beyond, empty) for line in alike(file.path, found)]
    if not parts:
        return rows.assign(frame=0), problems
    return pd.concat(parts, ignore_index=True), problems


def _wrong_end(row: Mapping[Hashable, Any]) -> str:
    if np.isinf(row["time_end"]):
        return f"begins at {row['time_start_text']}"
    return f"ends at {row['time_end_text']}"


def _frames_of_ranges(
    rows: pd.DataFrame, video: Video, outside: list[Found], without: list[Found]
) -> pd.DataFrame:
    """The frames of a video that ranges hold.

    Args:
        outside, without: get the ranges that end after the video, and those that hold no frame.
    """
    step = 1 / (video.fps or video.info.fps)
    beyond = rows["time_end"] > video.duration + step
    outside += [
        (
            [row["row"]],
            f"{_wrong_end(row)}, beyond video '{video.name}', which lasts "
            f"{video.duration:.3f} seconds ({len(video)} frames)",
        )
        for row in rows[beyond].to_dict("records")
    ]
    rows = rows[~beyond]
    # A range may end at the very end of the video: its bound is the frame after the last.
    bounds = nearest_frames(_bounds(video), rows[["time_start", "time_end"]].to_numpy(np.float64))
    # One without length has the frame that is shown then, which after the last one is the last.
    points = (rows["time_start"] == rows["time_end"]).to_numpy()
    bounds[points, 0] = np.minimum(bounds[points, 0], len(video) - 1)
    bounds[points, 1] = bounds[points, 0] + 1
    counts = bounds[:, 1] - bounds[:, 0]
    unseen = counts == 0
    if "short" in rows:  # what is left out needs no frame
        unseen &= ~rows["short"].to_numpy()
    without += [
        (
            [row["row"]],
            f"{row['time_start_text']} to {row['time_end_text']} holds no sampled frame of video "
            f"'{video.name}' (one every {step:.3g} seconds)",
        )
        for row in rows[unseen].to_dict("records")
    ]
    # Each range counts on from its first frame.
    first = np.repeat(bounds[:, 0] - (np.cumsum(counts) - counts), counts)
    kept = [name for name in ("video", "label", "split", "short") if name in rows]
    table = rows[kept].loc[rows.index.repeat(counts)]
    return table.assign(frame=first + np.arange(len(first)))
