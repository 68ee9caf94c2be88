"""Frames as a decoder gives them, on their way to another process: half of the bytes of RGB."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from data.videos.decoding.pictures import Pictures, display_matrix
from data.videos.decoding.stream import of_decoders

_PIXELS = frozenset(["yuv420p", "yuvj420p"])  # what nearly all cameras write


@dataclass(frozen=True)
class Planes:
    """What the planes of a frame mean, which lie one after the other without gaps.

    Attributes:
        pixels: FFmpeg's name of their format.
        matrix: as of `display_matrix`.
    """

    width: int
    height: int
    pixels: str
    colorspace: int
    color_range: int
    matrix: np.ndarray | None


What = Planes | tuple[int, ...]  # that lies in shared memory: these, or RGB of this shape


def planes_of(frame: Any) -> Planes | None:
    """What the planes of a frame of PyAV mean; None if it has to become RGB where it is."""
    if frame.format.name not in _PIXELS or frame.width % 2 or frame.height % 4:
        return None
    return Planes(
        frame.width,
        frame.height,
        frame.format.name,
        int(frame.colorspace),
        int(frame.color_range),
        display_matrix(frame),
    )


def bytes_of(what: What) -> int:
    """Bytes that it takes."""
    if isinstance(what, Planes):
        return what.width * what.height * 3 // 2
    return int(np.prod(what))


def copy_planes(frame: Any, place: np.ndarray) -> None:
    """Copy the planes of a frame of PyAV to where they are to lie, uint8 and flat."""
    start = 0
    for plane in frame.planes:
        rows = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)
        end = start + plane.height * plane.width
        np.copyto(place[start:end].reshape(plane.height, plane.width), rows[:, : plane.width])
        start = end


class Received:
    """Pictures of what lies in shared memory, ``[H, W, 3]`` RGB, upright."""

    def __init__(self) -> None:
        self._pictures = Pictures()

    def __call__(self, what: What, place: np.ndarray) -> np.ndarray:
        """
        Args:
            place: where it lies, uint8 and flat; of planes, it is no longer needed then.

        Raises:
            VideoError: planes can't be made a picture.
        """
        if not isinstance(what, Planes):
            return place.reshape(what)
        from av import VideoFrame

        rows = place.reshape(what.height * 3 // 2, what.width)
        with of_decoders("{}"):
            frame = VideoFrame.from_numpy_buffer(rows, format=what.pixels)
            frame.colorspace, frame.color_range = what.colorspace, what.color_range
            return self._pictures.of(frame, what.matrix)
