"""All that is in a video file: what a search reads of it, what is wrong with the rest, what it shows."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from data.errors import VideoError
from data.files.image_folder import images_of
from data.videos.decoding.measure import Damaged, Decoded, all_frames, by_packets, packets_of
from data.videos.decoding.pictures import Pictures, stored
from data.videos.decoding.stream import OnShare, opened, reason
from data.videos.images import probe_images, read_image
from data.videos.info import VideoInfo

WIDTH = 160  # of the pictures that are looked at
_DARK = 26  # levels, of 255, up to which a pixel is dark
_TOGETHER = 1e-6  # seconds

Stretch = tuple[float, float]


@dataclass
class Survey:
    """What a file has, and what came of decoding all of it.

    Attributes:
        info: what is read of it wherever videos are used; None: nothing, and `refused` says why.
        stored: how its pictures are stored, if not upright.
        promised: frames, as the header has it; 0: it does not say.
        times: ``[N]`` seconds from the first frame, of each frame that decodes, as they come. Those
            after damage, which are read nowhere else, are among them.
        damage, concealed: first and last second of what does not decode, and of what the decoder has
            filled in.
        why: what is wrong with the first of `damage`.
        dark: ``[N]`` share of each picture's pixels that are nearly black.
        changes: ``[N]`` mean difference, of 255, from the picture before; NaN if there is none.
        digest: of what is shown; equal for copies in another container, too.
        pictures: some, spread over the video: uint8 ``[h, w, 3]`` RGB, upright, `WIDTH` pixels wide
            as they are stored.
    """

    container: str
    codec: str
    info: VideoInfo | None = None
    refused: str = ""
    stored: str = ""
    promised: int = 0
    times: np.ndarray = field(default_factory=lambda: np.zeros(0))
    damage: list[Stretch] = field(default_factory=list)
    concealed: list[Stretch] = field(default_factory=list)
    why: str = ""
    dark: np.ndarray = field(default_factory=lambda: np.zeros(0))
    changes: np.ndarray = field(default_factory=lambda: np.zeros(0))
    digest: str = ""
    pictures: list[np.ndarray] = field(default_factory=list)


def survey(path: Path, pictures: int, fps: float | None, beyond: bool, on_share: OnShare) -> Survey:
    """Decode all of a file, or of a folder of images.

    Args:
        pictures: how many to give back.
        fps: of a folder of images that does not say its own.
        beyond: go on after damage, to name all of it.

    Raises:
        VideoError: it can't be opened.
    """
    if path.is_dir():
        return _images(path, pictures, fps, on_share)
    packets = packets_of(path, on_share)
    looking, decoded = _Looking(pictures), Decoded()
    # The stream that is read elsewhere, too: a file may have several.
    with opened(path) as (container, stream):
        found = Survey(
            container.format.name.split(",")[0], stream.codec_context.codec.canonical_name
        )
        found.promised = packets.promised
        clock = _Clock(found, float(stream.time_base or 0), packets.rate)
        picture = Pictures(WIDTH)
        for frame in all_frames(container, stream, on_share):
            if isinstance(frame, Damaged):
                decoded.stopped = decoded.stopped or str(frame)
                clock.damaged(str(frame))
                if not beyond:
                    break
                continue
            if not decoded.stopped:
                decoded.take(frame)
            try:
                image = picture(frame)
            except Exception as error:  # there is no way from its pixels to RGB
                if not decoded.stopped:
                    found.refused = reason(error)
                break
            looking.take(image)
            clock.take(frame)
        clock.end(packets.ends)
        if not found.refused:
            try:
                promised = by_packets(path, packets)
                kept = promised is not None and decoded.are(promised, stream.time_base)
                found.info = promised if kept else decoded.info(path, packets)
            except VideoError as error:
                found.refused = str(error)
    looking.tell(found)
    return found


class _Clock:
    """When frames are shown, and where some don't decode."""

    def __init__(self, found: Survey, base: float, rate: float) -> None:
        self._found, self._base, self._rate = found, base, rate
        self._times: list[float] = []
        self._first: float | None = None
        self._broken = False  # since the last frame

    def damaged(self, why: str) -> None:
        self._broken, self._found.why = True, self._found.why or why

    def take(self, frame: Any) -> None:
        second = frame.pts * self._base if frame.pts is not None and self._base else None
        if second is None:
            second = len(self._times) / self._rate + (self._first or 0)
        if self._first is None:
            self._first, self._found.stored = second, stored(frame)
        second -= self._first
        last = self._times[-1] if self._times else 0.0
        if self._broken:
            self._found.damage.append((last, second))
        elif frame.is_corrupt:
            self._found.concealed.append((last, second))
        self._broken = False
        self._times.append(second)

    def end(self, ends: float) -> None:
        """All was read of a file that promises to end at this second."""
        if self._broken:
            last = self._times[-1] if self._times else 0.0
            self._found.damage.append((last, max(ends, last)))
        self._found.times = np.array(self._times)
        self._found.damage = _merged(self._found.damage)
        self._found.concealed = _merged(self._found.concealed)


def _merged(stretches: list[Stretch]) -> list[Stretch]:
    """Stretches in order, those that touch as one: some containers give frames out of order."""
    merged: list[Stretch] = []
    for start, end in sorted((min(stretch), max(stretch)) for stretch in stretches):
        if merged and merged[-1][1] > start - _TOGETHER:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged


class _Looking:
    """Looks at pictures as they come."""

    def __init__(self, pictures: int) -> None:
        self._digest = hashlib.sha256()
        self._wanted = pictures
        self._kept: list[np.ndarray] = []
        self._every = 1
        self._last: np.ndarray | None = None
        self._dark: list[float] = []
        self._changes: list[float] = []

    def take(self, picture: np.ndarray) -> None:
        self._digest.update(picture[::8, ::8].tobytes())
        red, green, blue = (picture[::2, ::2, colour].astype(np.int16) for colour in range(3))
        grey = red + green + blue  # three times as much as it is
        change = np.nan
        if self._last is not None and self._last.shape == grey.shape:
            change = int(np.abs(grey - self._last).sum(dtype=np.int64)) / (3 * grey.size)
        if self._wanted and len(self._dark) % self._every == 0:
            self._kept.append(picture.copy())
            if len(self._kept) > 4 * self._wanted:  # how long it is, is not known before its end
                self._kept, self._every = self._kept[::2], self._every * 2
        self._dark.append(np.count_nonzero(grey <= 3 * _DARK) / grey.size)
        self._changes.append(change)
        self._last = grey

    def tell(self, found: Survey) -> None:
        found.dark, found.changes = np.array(self._dark), np.array(self._changes)
        if self._dark:
            found.digest = self._digest.hexdigest()
        if self._kept and self._wanted:
            count = min(self._wanted, len(self._kept))
            places = (2 * np.arange(count) + 1) * len(self._kept) // (2 * count)
            found.pictures = [self._kept[place] for place in places.tolist()]


def _images(folder: Path, pictures: int, fps: float | None, on_share: OnShare) -> Survey:
    """A folder of images: of one with an image that can't be read, nothing is used."""
    info, looking, times = probe_images(folder, fps), _Looking(pictures), list[float]()
    images = images_of(folder)
    found = Survey("images", images[0].suffix.lower().lstrip("."), info)
    for number, (image, second) in enumerate(zip(images, info.times.tolist(), strict=True)):
        on_share(number / len(images))
        try:
            looking.take(_narrow(read_image(image)))
        except VideoError as error:
            found.why = found.why or str(error)
            found.damage.append((second, second + 1 / info.fps))
            continue
        times.append(second)
    if found.damage:
        found.info, found.refused, found.damage = None, found.why, _merged(found.damage)
    found.times = np.array(times)
    looking.tell(found)
    return found


def _narrow(picture: np.ndarray) -> np.ndarray:
    import PIL.Image

    height, width = picture.shape[:2]
    size = (WIDTH, max(2, round(WIDTH * height / width)))
    return np.asarray(PIL.Image.fromarray(picture).resize(size))
