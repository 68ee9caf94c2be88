"""Clips decoded from the file each time they are wanted, for data too large to store."""

from __future__ import annotations

import contextlib
from collections.abc import Generator

import numpy as np

from data.clips.transforms import resize
from data.videos.decode import read_frames
from data.videos.video import Video


def read_clips(
    video: Video, windows: np.ndarray, *, size: tuple[int, int]
) -> Generator[tuple[int, np.ndarray], None, None]:
    """Clips of one video by their frames' numbers, each as soon as its latest frame is decoded.

    The file is read once, in sequence, as far as the latest frame; in memory are the resized frames
    that a later window needs, and the one just decoded. The decoder is opened by the first `next`, in
    the process that calls it, and closed with the generator: don't fork between the two.

    Args:
        windows: int64 ``[M, L]`` frame numbers at the sampling rate, as of `clip_indices`; rows, and
            numbers in them, in any order.
        size: height and width.

    Returns:
        Pairs of a row's number and its clip, uint8 ``[L, H, W, 3]``, in increasing order of the rows'
        latest frames; rows with the same one in the order given.

    Raises:
        ValueError: a number is not of the video; at once.
        VideoError: the video does not decode as far as it is needed; while iterating.
    """
    windows = np.asarray(windows, dtype=np.int64)
    _check(video, windows)
    return _decode(video, windows, size)


def _check(video: Video, numbers: np.ndarray) -> None:
    wrong = numbers[(numbers < 0) | (numbers >= len(video))]
    if wrong.size:
        raise ValueError(f"video '{video.name}' has frames 0 to {len(video) - 1}, no {wrong[0]}")


def _decode(
    video: Video, windows: np.ndarray, size: tuple[int, int]
) -> Generator[tuple[int, np.ndarray], None, None]:
    if not windows.size:
        return
    sources = video.indices[windows]  # the file's frames, several samples may share one
    ready = sources.max(axis=1)
    needed_until = np.full(len(video.info), -1)
    np.maximum.at(needed_until, sources, ready[:, None])
    rows = np.argsort(windows.max(axis=1), kind="stable")
    live: dict[int, np.ndarray] = {}
    done = 0
    with contextlib.closing(read_frames(video.info)) as frames:
        for number, frame in enumerate(frames):
            if needed_until[number] < 0:
                continue
            live[number] = resize(frame[None], size)[0]
            while ready[rows[done]] == number:
                row = int(rows[done])
                yield row, np.stack([live[source] for source in sources[row].tolist()])
                done += 1
                if done == len(rows):
                    return
            live = {
                source: image for source, image in live.items() if needed_until[source] > number
            }
