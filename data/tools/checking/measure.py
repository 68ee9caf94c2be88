"""What is measured of one video while all of it is decoded."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from data.errors import VideoError
from data.files.image_folder import size_of
from data.files.path import File
from data.files.video_cache import local
from data.videos.decode import survey
from data.videos.decoding.survey import Stretch, Survey
from data.videos.rejects import Reject

_SHARE = 0.98  # a picture is black if so much of it is dark
_SAME = 0.05  # mean difference (of 255) of two pictures, below which nothing has changed
_STRETCH, _FRAMES = 2.0, 5  # seconds and frames that a picture has to be black or still to be told
_JUMP, _TIMES = 1.0, 10  # seconds, and times the usual step, from which on a clock has jumped


@dataclass
class Measured:
    """What there is to know of a video.

    Attributes:
        size: bytes.
        survey: None if it can't be opened; `refused` says why.
        refused: why it is left out wherever videos are used; empty if it is used.
        black, frozen: stretches in which the picture is black, or does not change; seconds.
        jumps: the second before each jump of the clock, and how far it goes; below 0: back.
        thumbnails: JPEG, spread over the video.
    """

    size: int = 0
    survey: Survey | None = None
    refused: str = ""
    black: list[Stretch] = field(default_factory=list)
    frozen: list[Stretch] = field(default_factory=list)
    jumps: list[tuple[float, float]] = field(default_factory=list)
    thumbnails: list[bytes] = field(default_factory=list)

    def reject(self, name: str, file: File, *, use_damaged: bool = True) -> Reject | None:
        """What is left out of it, as a search lists it; None: nothing is."""
        if self.survey is None or self.survey.info is None:
            return Reject(name, file, self.refused)
        if not self.survey.info.damage:
            return None
        cut = Reject.cut(name, replace(self.survey.info, path=file))
        return cut if use_damaged else cut.left_out


def bytes_of(file: File) -> int:
    """How large a video is."""
    return size_of(file) if isinstance(file, Path) else file.size


def measure(
    file: File, thumbnails: int, fps: float | None, on_share: Callable[[float], None]
) -> Measured:
    """Decode a video.

    Args:
        thumbnails: how many to make.
        fps: of images that don't say theirs.
        on_share: as of `survey`.
    """
    found = Measured()
    try:
        found.size = bytes_of(file)
        with local(file, lambda: on_share(0.0)) as path:
            found.survey = survey(path, fps, thumbnails, on_share)
    except (VideoError, OSError, MemoryError) as error:
        found.refused = str(error) or "there is not enough memory for it"
        return found
    found.refused = found.survey.refused
    times = found.survey.times
    dark = found.survey.dark >= _SHARE
    still = (found.survey.changes < _SAME) & ~dark
    # What stands still since the picture before began with that one.
    found.black = stretches(dark, times, times)
    found.frozen = stretches(still, times, np.concatenate([times[:1], times[:-1]]))
    found.jumps = jumps(times)
    found.thumbnails = [jpeg(picture) for picture in found.survey.pictures]
    found.survey.pictures = []
    return found


def stretches(holds: np.ndarray, times: np.ndarray, starts: np.ndarray) -> list[Stretch]:
    """Stretches in which something holds for long enough to be told.

    Args:
        holds, times: ``[N]``, of each picture.
        starts: since when it holds, where it is the first.
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[False], holds, [False]]).astype(np.int8)))
    found = []
    for first, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        start, stop = float(starts[first]), float(times[min(end, len(times) - 1)])
        if stop - start >= _STRETCH and end - first >= _FRAMES:
            found.append((start, stop))
    return found


def jumps(times: np.ndarray) -> list[tuple[float, float]]:
    """Where the clock goes back, or far ahead: the second before, and by how much."""
    steps = np.diff(times)
    if not steps.size:
        return []
    # Frames that some containers give in the order of decoding go back by a few steps alone.
    least = max(_JUMP, _TIMES * float(np.median(np.abs(steps))))
    wrong = np.abs(steps) > least
    return [(float(times[index]), float(steps[index])) for index in np.flatnonzero(wrong)]


def variable_rate(times: np.ndarray) -> bool:
    """Whether times between frames differ by more than a tenth, but for jumps of the clock."""
    steps = np.diff(np.sort(times))
    steps = steps[steps <= max(1, 10 * np.median(steps))] if steps.size else steps
    if len(steps) < 3:
        return False
    low, usual, high = np.quantile(steps, [0.05, 0.5, 0.95])
    return bool(high - low > max(0.1 * usual, 0.002))


def jpeg(picture: np.ndarray, quality: int = 70) -> bytes:
    """uint8 ``[h, w, 3]`` RGB as JPEG."""
    import PIL.Image

    content = io.BytesIO()
    PIL.Image.fromarray(np.ascontiguousarray(picture)).save(content, "JPEG", quality=quality)
    return content.getvalue()
