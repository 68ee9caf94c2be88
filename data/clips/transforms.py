"""What is done to frames, the same for stored and freshly decoded ones."""

from __future__ import annotations

import numpy as np


def resize(frames: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize frames, filtering when they shrink (bilinear with antialiasing).

    Args:
        frames: uint8 ``[N, H, W, 3]``.
        size: height and width wanted; the aspect ratio is not kept.

    Returns:
        uint8 ``[N, height, width, 3]``.
    """
    if frames.shape[1:3] == tuple(size):
        return frames
    import torch  # takes a second; code that only reads labels does not need it

    # Flat first: NumPy's stride of 0 along a new axis hides from PyTorch that channels come last, and
    # it takes a way that is several times as long.
    flat = torch.from_numpy(np.ascontiguousarray(frames).ravel())
    images = flat.view(frames.shape).permute(0, 3, 1, 2)
    resized = torch.nn.functional.interpolate(
        images, size=tuple(size), mode="bilinear", antialias=True
    )
    return resized.permute(0, 2, 3, 1).contiguous().numpy()
