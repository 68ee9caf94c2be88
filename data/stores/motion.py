"""Motion as images: how stored frames differ from the still background, or from the frame before."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import numpy as np

from data.files.array import Rows
from data.files.store import Store, make_key
from data.files.whole import again
from data.stores.frames import FrameStore
from data.videos.times import spread
from data.videos.video import Video

Reference = Literal["background", "relit", "previous"]

STILL = 128  # the value of a pixel that does not differ
_CHUNK_BYTES = 16 * 2**20  # of samples in memory at a time
_EVEN = 1 / 40  # of a picture's width: within it, light counts as even
_DARK = 16.0  # grey levels, added to the light of frames: noise in the dark is not light
_FORMAT = "median-1"  # change it when the background of the same frames would differ


def background(frames: Rows, *, samples: int = 64) -> np.ndarray:
    """What stays where it is: each pixel's median over frames spread evenly over the video.

    With an even number of frames it is the upper of the two middle values, so it always occurs.

    Args:
        frames: uint8 ``[N, H, W, 3]``, in memory or mapped.
        samples: how many frames, at most.

    Returns:
        uint8 ``[H, W, 3]``.

    Raises:
        ValueError: there are no frames.
    """
    count, height = len(frames), frames.shape[1]
    if not count:
        raise ValueError("a video without frames has no background")
    samples = min(samples, count)
    picks = spread(count, samples)
    result = np.empty(frames.shape[1:], np.uint8)
    row_bytes = samples * int(np.prod(frames.shape[2:]))
    step = max(1, _CHUNK_BYTES // row_bytes)
    for top in range(0, height, step):
        rows = np.asarray(frames[picks, top : top + step])
        result[top : top + step] = np.partition(rows, samples // 2, axis=0)[samples // 2]
    return result


def difference(frames: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """``128 + (frames - reference) / 2``: 128 where nothing moves.

    Halves are rounded away from 128: a brighter pixel is always above it, and a darker one below.
    The two greatest differences, 254 and 255, are both 255.

    Args:
        frames: uint8 ``[..., H, W, 3]``.
        reference: uint8, of the same shape or ``[H, W, 3]``.

    Returns:
        uint8, of the shape of `frames`.
    """
    signed = frames.astype(np.int16)
    signed -= reference
    signed += signed > 0
    signed >>= 1
    signed += STILL
    return np.minimum(signed, 255, out=signed).astype(np.uint8)


def relit(frames: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """The frames in the light of the reference: sun through leaves, clouds and exposure are no motion.

    Light is what changes smoothly over the picture and alike for all colours: each pixel is multiplied
    by the ratio of the local means of grey levels. What has edges or a colour of its own stays. Source:
    homomorphic filtering, as in Toth, Aach and Metzler, Illumination-invariant change detection, 2000.

    Args:
        frames: uint8 ``[..., H, W, 3]``.
        reference: uint8, of the same shape or ``[H, W, 3]``.

    Returns:
        uint8, of the shape of `frames`.
    """
    height, width = frames.shape[-3:-1]
    ratio = _light(reference) / _light(frames)
    ratio = _between(height) @ ratio @ _between(width).T
    lit = frames * ratio[..., None]
    lit += 0.5
    return np.minimum(lit, 255, out=lit).astype(np.uint8)


def _light(frames: np.ndarray) -> np.ndarray:
    """float32 ``[..., H / 4, W / 4]``: the grey level around a pixel, weighted by a bell curve."""
    height, width = frames.shape[-3:-1]
    grey = frames.sum(axis=-1, dtype=np.uint16).astype(np.float32) / 3 + _DARK
    return _around(height, width * _EVEN) @ grey @ _around(width, width * _EVEN).T


def _places(length: int) -> np.ndarray:
    """float32 ``[length / 4]``: places along a side, the first and the last at its ends."""
    return np.linspace(0, length - 1, -(-length // 4), dtype=np.float32)


@lru_cache(maxsize=16)
def _around(length: int, deviation: float) -> np.ndarray:
    """float32 ``[length / 4, length]``: weights of all pixels at each place; they sum to 1."""
    far = np.arange(length, dtype=np.float32) - _places(length)[:, None]
    weights = np.exp(-0.5 * (far / deviation) ** 2)
    return weights / weights.sum(axis=1, keepdims=True)


@lru_cache(maxsize=16)
def _between(length: int) -> np.ndarray:
    """float32 ``[length, length / 4]``: weights of the places for each pixel between them."""
    places = _places(length)
    each = [np.interp(np.arange(length), places, one) for one in np.eye(len(places))]
    return np.stack(each, axis=1).astype(np.float32)


def motion_frames(
    frames: Rows,
    index: np.ndarray,
    mode: Reference,
    background: np.ndarray | None = None,
) -> np.ndarray:
    """The motion images of frames by number, as ``frames[index]`` gives the frames themselves.

    Args:
        frames: uint8 ``[N, H, W, 3]`` of one video, in memory or mapped.
        index: frame numbers of any shape, such as ``[M, L]`` of `clip_indices`.
        mode: ``background`` compares with the video's `background`, ``relit`` does so once the frames
            are `relit`, and ``previous`` with the frame before. The first frame is compared with itself.
        background: uint8 ``[H, W, 3]``; only for the first two modes.

    Returns:
        uint8 ``[*index.shape, H, W, 3]``.

    Raises:
        ValueError: there is no such mode, or its background is missing.
    """
    index = np.asarray(index, dtype=np.int64)
    if mode == "previous":
        return difference(frames[index], frames[np.maximum(index - 1, 0)])
    if mode not in ("background", "relit"):
        raise ValueError(f"motion is against 'background', 'relit' or 'previous', not '{mode}'")
    if background is None:
        raise ValueError("motion against the background needs the video's background")
    chosen = frames[index]
    return difference(relit(chosen, background) if mode == "relit" else chosen, background)


def video_background(
    store: FrameStore, video: Video, size: tuple[int, int], *, samples: int = 64
) -> np.ndarray:
    """The `background` of a video, uint8 ``[H, W, 3]``; kept in the cache folder beside its frames.

    Raises:
        VideoError: the video does not decode to its end.
    """
    backgrounds = Store(
        "backgrounds", folder=store.store.folder.parent, limit_bytes=store.store.limit_bytes
    )
    key = make_key(store.key(video, size), _FORMAT, samples)

    def stored() -> np.ndarray:
        while (array := backgrounds.get(key)) is None:
            make()
        return np.array(array)

    def make() -> None:
        with backgrounds.lock(key):
            if not backgrounds.path(key).exists():
                made = again(lambda: background(store.open(video, size), samples=samples))
                with backgrounds.writers({key: made.shape[1:]}, np.dtype(np.uint8)) as writers:
                    writers[key].append(made)

    return again(stored)


class MotionFrames:
    """The motion images of a video, made when they are asked for: ``images[numbers]``.

    Args:
        frames: uint8 ``[N, H, W, 3]``.
        mode, background: as in `motion_frames`.
    """

    def __init__(self, frames: Rows, mode: Reference, background: np.ndarray | None = None) -> None:
        self.frames, self.mode, self.background = frames, mode, background
        self.shape = frames.shape

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, index: np.ndarray | slice) -> np.ndarray:
        if isinstance(index, slice):
            index = np.arange(len(self))[index]
        return motion_frames(self.frames, index, self.mode, self.background)


def open_motion(
    store: FrameStore, video: Video, size: tuple[int, int], mode: Reference
) -> MotionFrames:
    """The motion images of a video's stored frames.

    Raises:
        VideoError: the video does not decode to its end.
    """
    still = video_background(store, video, size) if mode != "previous" else None
    return MotionFrames(store.open(video, size), mode, still)
