"""Clips by index: which frames make up the clip of a labelled frame."""

from __future__ import annotations

import numpy as np


def clip_indices(
    frames: np.ndarray, length: int, stride: int = 1, *, after: int = 0, count: int | None = None
) -> np.ndarray:
    """Frame numbers of the clips that end at `frames`, or some steps after them, within one video.

    The first frame is repeated where the video has not begun yet, and the last where it has ended, so
    that every frame has a clip.

    Args:
        frames: ``[M]`` numbers of the labelled frames.
        length: frames a clip.
        stride: step from one frame of the clip to the next, in frames.
        after: how many of the clip's frames come after its own, fewer than `length`.
        count: frames of the video, needed for those after.

    Returns:
        int64 ``[M, length]``.

    Example:
        ``clip_indices([0, 1, 5], 3) -> [[0, 0, 0], [0, 0, 1], [3, 4, 5]]``
    """
    steps = (np.arange(length, dtype=np.int64) - (length - 1 - after)) * stride
    last = None if count is None else count - 1
    return np.clip(np.asarray(frames, dtype=np.int64)[:, None] + steps, 0, last)
