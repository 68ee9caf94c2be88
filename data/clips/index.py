"""Clips by index: which frames make up the clip of a labelled frame."""

from __future__ import annotations

import numpy as np


def clip_indices(frames: np.ndarray, length: int, stride: int = 1) -> np.ndarray:
    """Frame numbers of the clips that end at `frames`, within one video.

    The first frame is repeated where the video has not begun yet, so that every frame has a clip.

    Args:
        frames: ``[M]`` numbers of the labelled frames.
        length: frames a clip.
        stride: step from one frame of the clip to the next, in frames.

    Returns:
        int64 ``[M, length]``.

    Example:
        ``clip_indices([0, 1, 5], 3) -> [[0, 0, 0], [0, 0, 1], [3, 4, 5]]``
    """
    steps = np.arange(-(length - 1), 1, dtype=np.int64) * stride
    return np.maximum(np.asarray(frames, dtype=np.int64)[:, None] + steps, 0)
