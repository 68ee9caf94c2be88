"""Where in a frame something moves, found in the small frames of a video."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from data.files.array import Rows
from data.stores.frames import FrameStore
from data.stores.motion import video_background
from data.videos.times import spread
from data.videos.video import Video

_SAMPLES = 64  # frames in which noise is measured
_AT_ONCE = 64  # frames in which moving pixels are looked for at a time
_CHANNELS = 3  # grey levels are sums of three channels: whole numbers, equal on every machine
_FLOOR = 12 * _CHANNELS  # a pixel that moves differs at least so much
_DEVIATIONS = 8  # and by so many median absolute deviations of the video
_FLICKER = 6  # and so many times as much as it mostly does itself, as leaves and water do
_WINDOWS = (
    1 / 16,
    1 / 32,
)  # of the small frame's shorter side, in which most pixels of a thing move
_LEAST_PIXELS, _LEAST_SHARE = 4, 1 / 4000  # of a small frame that move, or nothing does
_OUTSIDE = 0.02  # share of the moving pixels that may lie beyond each edge
_SECONDS = 0.5  # before and after a frame, over which its box is smoothed
_MARGIN = 0.25  # on each side, of the longer side of what moves
_LEAST_SIDE = 1 / 4  # of the shorter side of the frame
_WHOLE = 0.75  # of the frame's area; a box that is larger gains nothing


def boxes(
    frames: Rows, background: np.ndarray, shape: tuple[int, int], *, radius: int = 2
) -> np.ndarray:
    """The square around what moves in each frame, or the whole frame where nothing does.

    A pixel moves if its grey level differs from the background's, less the difference of the whole
    frame (the camera adapts to light), by at least 12 levels, by 8 median absolute deviations more
    than the video's median, and by 6 times its own median; and if most of the 9 pixels around it do.
    Where things of some size move, whose pixels fill most of a window of 1/16 of the frame's side
    (else of 1/32), only these count: not ropes and leaves elsewhere. Nothing moves if fewer than 4
    pixels, or 1/4000 of the frame, are left, in the frame and in those nearby.

    What moves is between the 2nd and 98th percentile of these pixels' rows and columns. Its edges are
    medians over the frames nearby, with a margin of a quarter of the longer side; they are moved out to
    what moves in the frame itself. The square has at least a quarter of the frame's shorter side and
    lies within the frame; one that is higher than the frame is cut to a rectangle. A box of more than
    3/4 of the frame, as when the camera moves, is the whole frame.

    Args:
        frames: uint8 ``[N, H, W, 3]`` of one video, of any size, in memory or mapped.
        background: uint8 ``[H, W, 3]``, as `data.stores.motion.background` gives it.
        shape: height and width of the frames that the boxes are for.
        radius: how many frames before and after one are nearby.

    Returns:
        int64 ``[N, 4]``: top, left, bottom and right, in pixels of `shape`; the last two are the first
        row and column that are outside.
    """
    scale = np.array([shape[0] / frames.shape[1], shape[1] / frames.shape[2]] * 2)
    found = _extents(frames, background) * scale
    edges = _medians(found, radius)
    margin = _MARGIN * (edges[:, 2:] - edges[:, :2]).max(axis=1, keepdims=True)
    first = np.fmin(edges[:, :2] - margin, found[:, :2])
    last = np.fmax(edges[:, 2:] + margin, found[:, 2:])
    still = np.isnan(edges).any(axis=1)
    first[still], last[still] = 0, shape
    side = np.maximum((last - first).max(axis=1), _LEAST_SIDE * min(shape))[:, None]
    sides = np.minimum(np.ceil(side).astype(np.int64), shape)
    corners = np.round((first + last - sides) / 2).astype(np.int64)
    corners = np.clip(corners, 0, np.array(shape) - sides)
    result = np.concatenate([corners, corners + sides], axis=1)
    result[still | (sides.prod(axis=1) > _WHOLE * np.prod(shape))] = (0, 0, *shape)
    return result


def _extents(frames: Rows, background: np.ndarray) -> np.ndarray:
    """float64 ``[N, 4]``, the edges of what moves in small frames; NaN where nothing does."""
    grey = _grey(background)
    sample = _differences(frames[spread(len(frames), min(len(frames), _SAMPLES))], grey)
    middle = np.median(sample)
    limit = max(_FLOOR, middle + _DEVIATIONS * np.median(np.abs(sample - middle)))
    limits = np.maximum(limit, _FLICKER * np.median(sample, axis=0))
    parts = []
    for start in range(0, len(frames), _AT_ONCE):
        moving = _differences(frames[start : start + _AT_ONCE], grey) > limits
        parts.append(_edges(_main(moving)))
    return np.concatenate(parts)


def _differences(frames: np.ndarray, grey: np.ndarray) -> np.ndarray:
    """int16 ``[n, H, W]``: by how much grey levels differ, apart from the whole frame's difference."""
    signed = _grey(frames) - grey
    flat = signed.reshape(len(signed), -1)
    middle = flat.shape[1] // 2
    signed -= np.partition(flat, middle, axis=1)[:, middle, None, None]
    return np.abs(signed)


def _grey(frames: np.ndarray) -> np.ndarray:
    """int16 ``[..., H, W]``: the sum of the channels of uint8 ``[..., H, W, 3]``."""
    red, green, blue = (frames[..., channel] for channel in range(_CHANNELS))
    return red.astype(np.int16) + green + blue


def _main(moving: np.ndarray) -> np.ndarray:
    """bool ``[n, H, W]``: of the pixels that move, those of the largest things."""
    fine = _nearby(moving, 3) * 2 > 9
    result, found = fine.copy(), np.zeros(len(moving), bool)
    for share in _WINDOWS:
        window = int(share * min(moving.shape[1:])) // 2 * 2 + 1
        large = _nearby(fine, window) * 2 > window**2
        here = ~found & large.any(axis=(1, 2))
        result[here] &= _nearby(large[here], 2 * window + 1) > 0
        found |= here
    return result


def _nearby(mask: np.ndarray, window: int) -> np.ndarray:
    """uint16 ``[n, H, W]``: how many pixels of a mask are set in the square window around each."""
    half = window // 2
    padded = np.pad(mask, ((0, 0), (half + 1, half), (half + 1, half)))
    # The sums may pass 65535 and begin at 0 again: their differences, up to window², are right.
    rows = padded.cumsum(axis=1, dtype=np.uint16)
    sums = (rows[:, window:] - rows[:, :-window]).cumsum(axis=2, dtype=np.uint16)
    return sums[:, :, window:] - sums[:, :, :-window]


def _edges(moving: np.ndarray) -> np.ndarray:
    """float64 ``[n, 4]`` of the pixels that move, without the outermost; NaN where these are too few."""
    count = moving.sum(axis=(1, 2))[:, None]
    first, last = [], []
    for axis in (2, 1):
        beyond = moving.sum(axis=axis).cumsum(axis=1)
        first.append((beyond <= _OUTSIDE * count).sum(axis=1))
        last.append((beyond < (1 - _OUTSIDE) * count).sum(axis=1) + 1)
    edges = np.stack([*first, *last], axis=1).astype(np.float64)
    edges[count[:, 0] < max(_LEAST_PIXELS, _LEAST_SHARE * moving[0].size)] = np.nan
    return edges


def _medians(edges: np.ndarray, radius: int) -> np.ndarray:
    """The medians of ``[N, 4]`` over the frames nearby where something moves, else NaN."""
    padded = np.pad(edges, ((radius, radius), (0, 0)), constant_values=np.nan)
    nearby = sliding_window_view(padded, 2 * radius + 1, axis=0)
    known = ~np.isnan(nearby).all(axis=(1, 2))
    result = np.full_like(edges, np.nan)
    result[known] = np.nanmedian(nearby[known], axis=2)
    return result


def video_boxes(store: FrameStore, video: Video, size: tuple[int, int]) -> np.ndarray:
    """The `boxes` of a video's frames, ``[N, 4]`` in pixels of its file, found in the stored ones.

    Raises:
        VideoError: the video does not decode to its end.
    """
    step = float(np.median(np.diff(video.times))) if len(video) > 1 else np.inf
    return boxes(
        store.open(video, size),
        video_background(store, video, size),
        (video.info.height, video.info.width),
        radius=round(_SECONDS / step) if step > 0 else 0,
    )
