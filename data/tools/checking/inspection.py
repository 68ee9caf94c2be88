"""All that is in a video file: what its header declares, what decodes, and when each frame is shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from data.errors import VideoError
from data.files.image_folder import images_of
from data.videos.decoding.stream import opened, reason
from data.videos.images import probe_images, read_image
from data.videos.info import VideoInfo

WIDTH = 160  # pixels of the pictures that are looked at
CONCEALED = "errors in the picture"  # which the decoder has filled in
_MOST = 20_000_000  # frames of a file: more is a decoder that goes round in circles

OnFrame = Callable[[np.ndarray, float], None]


@dataclass
class Inspection:
    """What a file declares, and what came of decoding it.

    Attributes:
        rotation: degrees.
        declared: frames, as the header has it; None: it does not say.
        length: seconds, as the header has it.
        times: ``[N]`` seconds from the first frame, of each frame that decoded, as they came.
        damage: first and last second of what does not decode, and why.
        numbers, remarks: as of `VideoInfo`.
    """

    container: str
    codec: str
    width: int
    height: int
    rotation: int = 0
    declared: int | None = None
    length: float | None = None
    fps: float = 0.0
    times: np.ndarray = field(default_factory=lambda: np.zeros(0))
    damage: list[tuple[float, float, str]] = field(default_factory=list)
    numbers: np.ndarray | None = None
    remarks: tuple[str, ...] = ()

    @property
    def decoded(self) -> int:
        return len(self.times)

    @property
    def variable_rate(self) -> bool:
        """Whether times between frames differ by more than a tenth, but for jumps of the clock."""
        steps = np.diff(np.sort(self.times))
        steps = steps[steps <= max(1, 10 * np.median(steps))] if steps.size else steps
        if len(steps) < 3:
            return False
        low, usual, high = np.quantile(steps, [0.05, 0.5, 0.95])
        return bool(high - low > max(0.1 * usual, 0.002))


def inspect(
    path: Path, on_frame: OnFrame, beat: Callable[[float], None], fps: float | None = None
) -> Inspection:
    """Decode all of a file.

    Args:
        on_frame: called with each frame, upright, of `WIDTH` pixels, uint8 ``[h, w, 3]`` RGB, and its
            second.
        beat: called with the share of the file that is done.
        fps: of a folder of images that does not say its own.

    Raises:
        VideoError: it is no video, or nothing in it can be decoded.
    """
    if path.is_dir():
        return _inspect_images(probe_images(path, fps), on_frame, beat)
    if path.stat().st_size == 0:
        raise VideoError("the file is empty (0 bytes)")
    # The stream that is read elsewhere, too: a file may have several.
    with opened(path) as (container, stream):
        base = float(stream.time_base or 0)
        length = stream.duration * base if stream.duration and base else None
        if length is None and container.duration:
            length = container.duration / 1e6
        rate = stream.average_rate or stream.guessed_rate
        found = Inspection(
            container.format.name.split(",")[0],
            stream.codec_context.codec.canonical_name,
            stream.width,
            stream.height,
            declared=stream.frames or None,
            length=length,
            fps=float(rate or 25),
        )
        _Decoding(found, on_frame, beat, path.stat().st_size, base).run(container, stream)
    if not found.decoded:
        why = found.damage[0][2] if found.damage else "it has no frames"
        raise VideoError(f"none of its frames decodes ({why})")
    return found


class _Decoding:
    """The frames of one file, one after the other."""

    def __init__(
        self,
        found: Inspection,
        on_frame: OnFrame,
        beat: Callable[[float], None],
        size: int,
        base: float,
    ) -> None:
        self._found, self._on_frame, self._beat = found, on_frame, beat
        self._size, self._base = size, base
        self._times: list[float] = []
        self._first: float | None = None
        self._broken: str | None = None  # what was wrong since the last frame

    def run(self, container: Any, stream: Any) -> None:
        packets = container.demux(stream)
        while len(self._times) < _MOST:
            try:
                packet = next(packets, None)
            except (
                Exception
            ) as error:  # damage brings out errors of all kinds; what was read counts
                self._broken = reason(error)
                break
            if packet is None:
                break
            if packet.pos is not None and self._size:
                self._beat(min(1, packet.pos / self._size))
            try:
                frames = packet.decode()
            except Exception as error:  # as above
                self._broken = self._broken or reason(error)
                continue
            for frame in frames:
                self._take(frame)
        if self._broken is not None:
            last = self._times[-1] if self._times else 0.0
            self._found.damage.append((last, max(self._found.length or last, last), self._broken))
        self._found.times = np.array(self._times)

    def _take(self, frame: Any) -> None:
        second = frame.pts * self._base if frame.pts is not None and self._base else None
        if second is None:
            second = len(self._times) / self._found.fps + (self._first or 0)
        if self._first is None:
            self._first, self._found.rotation = second, round(frame.rotation) % 360
            if self._found.rotation % 180:
                self._found.width, self._found.height = self._found.height, self._found.width
        second -= self._first
        if self._broken is not None or frame.is_corrupt:
            start = self._times[-1] if self._times else 0.0
            why = self._broken or CONCEALED
            damage = self._found.damage
            if damage and damage[-1][1] >= start:  # one after the other: one range
                damage[-1] = (damage[-1][0], max(second, damage[-1][1]), damage[-1][2])
            else:  # some containers give frames in the order of decoding
                damage.append((min(start, second), max(start, second), why))
            self._broken = None
        self._times.append(second)
        height = max(2, round(WIDTH * frame.height / frame.width))
        small = frame.reformat(WIDTH, height, "rgb24").to_ndarray()
        self._on_frame(np.rot90(small, k=round(frame.rotation / 90)), second)


def _inspect_images(
    info: VideoInfo, on_frame: OnFrame, beat: Callable[[float], None]
) -> Inspection:
    import PIL.Image

    images = images_of(Path(str(info.path)))
    ending = images[0].suffix.lower().lstrip(".")
    found = Inspection("images", ending, info.width, info.height, 0, len(info), info.duration)
    found.fps, found.numbers, found.remarks = info.fps, info.numbers, info.remarks
    times = list[float]()
    for number, (image, second) in enumerate(zip(images, info.times.tolist(), strict=True)):
        beat(number / len(images))
        try:
            picture = PIL.Image.fromarray(read_image(image))
        except VideoError as error:
            found.damage.append((second, second + 1 / info.fps, str(error)))
            continue
        height = max(2, round(WIDTH * picture.height / picture.width))
        times.append(second)
        on_frame(np.asarray(picture.resize((WIDTH, height))), second)
    found.times = np.array(times)
    if info.numbers is not None and len(times) < len(info):
        found.numbers = info.numbers[np.isin(info.times, found.times)]
    return found
