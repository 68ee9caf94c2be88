"""From the rows of a label file to one label table of the frames that they mean.

The label table is a DataFrame ``video, frame, time, label, split``, one row a labelled frame, sorted.
Where whole videos are labelled it is ``video, label, split``, one row a video.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
import pandas as pd

from data.errors import some
from data.labels.file import LabelFile, numbered, parse_time, read_labels
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
    problems: list[str] = []
    warnings: list[str] = []
    rows = file.rows[file.rows["video"].isin(list(videos))]
    parts = []
    for name, of_video in rows.groupby("video", sort=True):
        video = videos[str(name)]
        if unit == "video":
            problems += _different(file, of_video, video)
            parts.append(of_video.iloc[:1])
            continue
        if file.form == "frame":
            part, problem = _frames_of(file, of_video, video)
        elif file.form == "range":
            part, problem = _frames_of_ranges(file, of_video, video)
        else:
            part, problem = _whole_video(file, of_video, video)
        problems += problem
        parts.append(part.assign(time=video.times[part["frame"].to_numpy(np.int64)]))
    columns = [column for column in COLUMNS[unit] if column != "split" or "split" in rows]
    if not parts:
        return pd.DataFrame(columns=columns), problems, warnings
    table = pd.concat(parts, ignore_index=True)[columns]
    if unit == "video":
        return table, problems, warnings
    same = table.duplicated(["video", "frame"])
    if same.any():
        warnings.append(
            f"{file.path}: {int(same.sum())} frames are labelled twice with the same label; "
            "each counts once"
        )
    return table[~same].sort_values(["video", "frame"], ignore_index=True), problems, warnings


def _frames_of(file: LabelFile, rows: pd.DataFrame, video: Video) -> tuple[pd.DataFrame, list[str]]:
    problems = []
    beyond = rows["frame"] >= len(video)
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
    return rows, problems


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
    counts = bounds[:, 1] - bounds[:, 0]
    problems += [
        f"{file.path}, row {row['row']}: {row['time_start_text']} to {row['time_end_text']} "
        f"holds no sampled frame of video '{video.name}' (one every {step:.3g} seconds)"
        for row in rows[counts == 0].to_dict("records")
    ]
    frames = [np.arange(start, end) for start, end in bounds]
    table = rows.loc[rows.index.repeat(counts)]
    return table.assign(frame=np.concatenate([np.arange(0), *frames])), problems


def _whole_video(
    file: LabelFile, rows: pd.DataFrame, video: Video
) -> tuple[pd.DataFrame, list[str]]:
    row = rows.iloc[0]
    same = {name: row[name] for name in ("video", "label", "split") if name in rows}
    table = pd.DataFrame({"frame": np.arange(len(video))}).assign(**same)
    return table, _different(file, rows, video)


def _different(file: LabelFile, rows: pd.DataFrame, video: Video) -> list[str]:
    """A problem if a video, which has one label, is given several."""
    if rows["label"].nunique() == 1:
        return []
    instead = "" if file.form == "video" else "; data.unit: frame takes a label for each frame"
    return [
        f"{file.path}, rows {some(rows['row'])}: video '{video.name}' has "
        f"{rows['label'].nunique()} labels: {some(sorted(set(rows['label'])))}{instead}"
    ]
