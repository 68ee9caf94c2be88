"""Clips decoded from the file each time they are wanted, for data too large to store."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Sequence

import numpy as np

from data.clips.transforms import resize
from data.videos.decode import read_frames
from data.videos.video import Video


def read_clips(
    video: Video, windows: np.ndarray, *, size: tuple[int, int]
) -> Generator[tuple[int, list[np.ndarray]], None, None]:
    """Clips of one video by frame numbers, each yielded as soon as its latest frame is decoded.

    The file is read once, in order, up to the latest frame that is needed. Only the frame just
    decoded, and the resized frames that a later window needs, are in memory. The first `next` opens
    the decoder, and closing the generator closes it: don't fork between the two.

    Args:
        windows: int64 ``[M, L]`` frame numbers at the sampling rate, as from `clip_indices`. Rows may be
            in any order, and so may the numbers in a row.
        size: height and width.

    Returns:
        Pairs of a row's number and its clip, L frames, uint8 ``[H, W, 3]`` and not to be written to, as
        clips that overlap share them. They come in increasing order of the rows' latest frames; rows
        with the same latest frame keep their order.

    Raises:
        ValueError: the video has no frame of such a number; raised at once.
        VideoError: the video does not decode up to the latest frame; raised while iterating.
    """
    windows = np.asarray(windows, dtype=np.int64)
    _check(video, windows)
    return _decode(video, windows, size)


def stacked(clips: Sequence[Sequence[np.ndarray]]) -> np.ndarray:
    """Clips of L frames ``[H, W, 3]`` as ``[N, L, H, W, 3]``, each frame copied once."""
    frames = np.stack([frame for clip in clips for frame in clip])
    return frames.reshape(len(clips), -1, *frames.shape[1:])


def _check(video: Video, numbers: np.ndarray) -> None:
    wrong = numbers[(numbers < 0) | (numbers >= len(video))]
    if wrong.size:
        raise ValueError(f"video '{video.name}' has frames 0 to {len(video) - 1}, not {wrong[0]}")


def _decode(
    video: Video, windows: np.ndarray, size: tuple[int, int]
) -> Generator[tuple[int, list[np.ndarray]], None, None]:
    if not windows.size:
        return
    sources = video.indices[windows]  # frame numbers in the file; several samples may share one
    ready = sources.max(axis=1)
    needed_until = np.full(len(video.info), -1)
    np.maximum.at(needed_until, sources, ready[:, None])
    rows = np.argsort(windows.max(axis=1), kind="stable")
    live: dict[int, np.ndarray] = {}
    done = 0
    video.check()
    wanted = needed_until >= 0
    with contextlib.closing(read_frames(video.info, wanted)) as frames:
        for number, frame in zip(np.flatnonzero(wanted).tolist(), frames, strict=True):
            live[number] = resize(frame[None], size)[0]
            live[number].flags.writeable = False
            while ready[rows[done]] == number:
                row = int(rows[done])
                yield row, [live[source] for source in sources[row].tolist()]
                done += 1
                if done == len(rows):
                    video.check()
                    return
            live = {
                source: image for source, image in live.items() if needed_until[source] > number
            }
