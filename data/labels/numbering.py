"""From numbers of a file's frames, as labels have them, to those of the frames that are sampled."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Literal

import numpy as np
import pandas as pd

from data.files.path import File
from data.videos.times import nearest_frames
from data.videos.video import Video

# What frames labels number: those of the file, or those that are sampled of it, at `data.fps`.
Numbers = Literal["file", "sampled"]


def lasting(video: Video, numbers: Numbers) -> int:
    """How many frames of a video labels can number."""
    return len(video.info) if numbers == "file" and video.fps is not None else len(video)


def sampled(
    table: pd.DataFrame, videos: Mapping[str, Video], path: File
) -> tuple[pd.DataFrame, list[str]]:
    """The rows of labelled frames of files as those of sampled frames, and what to say of it.

    A sampled frame has the label of the file's frame that it shows. If that has none, it has that of
    the frame nearest to it in time, of those that no sampled frame shows and to which no other sampled
    one is nearer. So labels of frames in between are left out where a nearer one is there.

    Args:
        table: ``video, frame`` and others, by video and frame.
        path: of the labels.
    """
    codes, frames = table["video"].cat.codes.to_numpy(), table["frame"].to_numpy(np.int64)
    bounds = np.flatnonzero(np.diff(codes, prepend=-1, append=-1))
    rows, numbers, other, within = [], [], False, True
    for start, end in pairwise(bounds):
        video = videos[table["video"].cat.categories[codes[start]]]
        of_video = frames[start:end]
        within &= bool(of_video[-1] < len(video) < len(video.info))
        if video.fps is None or np.array_equal(video.indices, np.arange(len(video.info))):
            rows.append(np.arange(start, end))
            numbers.append(of_video)
            continue
        other = True
        row, number = _of_video(of_video, video)
        rows.append(row + start)
        numbers.append(number)
    if not other:
        return table, []
    taken = table.take(np.concatenate(rows)).assign(frame=np.concatenate(numbers))
    fps = next(iter(videos.values())).fps
    note = (
        f"{path}: its frame numbers are taken as those of the files (data.frame_numbers: file): "
        f"{len(table):,} labels become those of the {len(taken):,} frames nearest in time at "
        f"{fps:g} a second"
    )
    if within:
        note += (
            "; no number is beyond the frames that are sampled: if it is these that they count, "
            "--set data.frame_numbers=sampled"
        )
    else:
        note += "; if they count the sampled frames, --set data.frame_numbers=sampled"
    return taken.reset_index(drop=True), [note]


def _of_video(frames: np.ndarray, video: Video) -> tuple[np.ndarray, np.ndarray]:
    """Which rows label sampled frames, and which frames these are: int ``[M]`` each.

    Args:
        frames: of the file, ``[N]``, in order; several rows may be of one.
    """
    labelled, first, count = np.unique(frames, return_index=True, return_counts=True)
    source = _sources(labelled, video)
    number = np.flatnonzero(source >= 0)
    chosen = source[number]
    each = count[chosen]  # rows of each chosen frame
    begin = np.repeat(first[chosen] - (np.cumsum(each) - each), each)
    return begin + np.arange(len(begin)), np.repeat(number, each)


def _sources(labelled: np.ndarray, video: Video) -> np.ndarray:
    """For each sampled frame, which of the `labelled` ones of the file it has its label of; -1: none."""
    shown = video.indices
    place = np.minimum(np.searchsorted(labelled, shown), len(labelled) - 1)
    source = np.where(labelled[place] == shown, place, -1)
    unseen = np.flatnonzero(~np.isin(labelled, shown))
    times = video.info.times[labelled[unseen]]
    near = nearest_frames(video.times, times)
    away = np.round(np.abs(times - video.times[near]), 6)
    # The nearest is put in last; of two that are as near it is the later one, as in sampling.
    order = np.lexsort((unseen, -away))
    unseen, near = unseen[order], near[order]
    free = source[near] < 0
    source[near[free]] = unseen[free]
    return source
