"""What is measured of one video while all of it is decoded, in a process of its own."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import xxhash

from data.errors import VideoError
from data.files.image_folder import images_of
from data.files.path import CHUNK, File
from data.files.video_cache import local
from data.tools.checking.inspection import Inspection, inspect
from data.tools.checking.processes import Beat

_DARK, _SHARE = 26, 0.98  # a picture is black if so much of it is this dark (of 255)
_SAME = 0.05  # mean difference (of 255) of two pictures, below which nothing has changed
_STRETCH, _FRAMES = 2.0, 5  # seconds and frames that a picture has to be black or still to be told
_JUMP, _TIMES = 1.0, 10  # seconds, and times the usual step, from which on a clock has jumped

Stretch = tuple[float, float]
# A file, how many thumbnails to make, and the rate of images that don't say theirs.
Asked = tuple[File, int, float | None]


@dataclass
class Measured:
    """What there is to know of a video.

    Attributes:
        size: bytes.
        inspection: None if it can't be read; `error` says why.
        black, frozen: stretches in which the picture is black, or does not change; seconds.
        jumps: the second before each jump of the clock, and how far it goes; below 0: back.
        content: of the bytes; equal for copies of the file.
        pictures: of what is shown; equal for copies in another container, too.
        thumbnails: JPEG, spread over the video.
    """

    size: int = 0
    inspection: Inspection | None = None
    error: str = ""
    black: list[Stretch] = field(default_factory=list)
    frozen: list[Stretch] = field(default_factory=list)
    jumps: list[tuple[float, float]] = field(default_factory=list)
    content: str = ""
    pictures: str = ""
    thumbnails: list[bytes] = field(default_factory=list)


def size_of(file: File) -> int:
    """The bytes of a file, or of the images in a folder."""
    if not isinstance(file, Path):
        return file.size
    return sum(one.stat().st_size for one in (images_of(file) if file.is_dir() else [file]))


def measure(asked: Asked, beat: Beat) -> Measured:
    """Decode a video."""
    file, thumbnails, fps = asked
    found = Measured()
    looking = _Looking(thumbnails)
    try:
        found.size = size_of(file)
        with local(file) as path:
            found.content = _content(path)
            inspection = inspect(path, looking.take, beat, fps)
    except (VideoError, OSError) as error:
        found.error = str(error)
        return found
    found.inspection = inspection
    found.black, found.frozen = looking.stretches()
    found.jumps = jumps(inspection.times)
    found.pictures = looking.digest.hexdigest()
    found.thumbnails = looking.thumbnails()
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


def _content(path: Path) -> str:
    digest = xxhash.xxh3_128()
    for file in images_of(path) if path.is_dir() else [path]:
        with file.open("rb") as content:
            while chunk := content.read(CHUNK):
                digest.update(chunk)
    return digest.hexdigest()


class _Looking:
    """Looks at pictures as they come."""

    def __init__(self, thumbnails: int) -> None:
        self.digest = hashlib.sha256()
        self._wanted = thumbnails
        self._kept: list[np.ndarray] = []
        self._every, self._count = 1, 0
        self._last: np.ndarray | None = None
        self._runs = {"black": _Runs(), "frozen": _Runs()}

    def take(self, picture: np.ndarray, second: float) -> None:
        self.digest.update(picture[::8, ::8].tobytes())
        grey = picture[::2, ::2].mean(axis=2, dtype=np.float32)
        dark = float((grey <= _DARK).mean()) >= _SHARE
        still = (
            self._last is not None
            and self._last.shape == grey.shape
            and float(np.abs(grey - self._last).mean()) < _SAME
        )
        # What stands still since the frame before began with that frame.
        self._runs["black"].add(dark, second, second)
        self._runs["frozen"].add(still and not dark, second, self._before(second))
        self._last, self._second = grey, second
        if self._wanted and self._count % self._every == 0:
            self._kept.append(picture.copy())
            if len(self._kept) > 4 * self._wanted:  # how long it is, is not known before its end
                self._kept, self._every = self._kept[::2], self._every * 2
        self._count += 1

    def _before(self, second: float) -> float:
        return second if self._last is None else self._second

    def stretches(self) -> tuple[list[Stretch], list[Stretch]]:
        whole = self._count > 0 and self._last is not None
        end = self._second if whole else 0.0
        return self._runs["black"].end(end), self._runs["frozen"].end(end)

    def thumbnails(self) -> list[bytes]:
        if not self._kept or not self._wanted:
            return []
        count = min(self._wanted, len(self._kept))
        places = (2 * np.arange(count) + 1) * len(self._kept) // (2 * count)
        return [jpeg(self._kept[place]) for place in places.tolist()]


class _Runs:
    """Stretches in which something holds."""

    def __init__(self) -> None:
        self._found: list[Stretch] = []
        self._start: float | None = None
        self._frames = 0

    def add(self, holds: bool, second: float, start: float) -> None:
        self._frames += holds
        if holds and self._start is None:
            self._start = start
        elif not holds and self._start is not None:
            self._close(second)

    def _close(self, second: float) -> None:
        assert self._start is not None
        if second - self._start >= _STRETCH and self._frames >= _FRAMES:
            self._found.append((self._start, second))
        self._start, self._frames = None, 0

    def end(self, second: float) -> list[Stretch]:
        if self._start is not None:
            self._close(second)
        return self._found


def jpeg(picture: np.ndarray, quality: int = 70) -> bytes:
    """uint8 ``[h, w, 3]`` RGB as JPEG."""
    import PIL.Image

    content = io.BytesIO()
    PIL.Image.fromarray(np.ascontiguousarray(picture)).save(content, "JPEG", quality=quality)
    return content.getvalue()
