"""The pictures and clips of one video that a page shows, made beside those of others."""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from data.errors import VideoError
from data.tools.checking.measure import jpeg
from data.tools.side_by_side import Alive
from data.videos.decode import read_frames
from data.videos.info import VideoInfo
from data.videos.times import nearest_frames, spread

_CODECS = (
    ("libx264", "mp4", {"crf": "30", "preset": "slow"}),
    ("libvpx-vp9", "webm", {"crf": "40"}),
)


@dataclass(frozen=True)
class Wanted:
    """What is wanted of a video.

    Attributes:
        pictures: how many, spread over it.
        clips: first and last second of what each is taken from.
        width, clip_width: at most.
        seconds, fps: of a clip, at most.
    """

    info: VideoInfo
    pictures: int
    clips: Sequence[tuple[float, float]] = ()
    width: int = 160
    clip_width: int = 256
    seconds: float = 2.5
    fps: float = 10.0


@dataclass
class Shown:
    """What was made of a video.

    Attributes:
        pictures: second and JPEG of each.
        clips: first second and content of each, in the order in which they are wanted; without content
            where none could be made.
        kind: of the clips, such as ``video/mp4``.
        error: why it does not decode to where it was wanted; empty if it does.
    """

    pictures: list[tuple[float, bytes]] = field(default_factory=list)
    clips: list[tuple[float, bytes]] = field(default_factory=list)
    kind: str = "video/mp4"
    error: str = ""


def make(wanted: Wanted, alive: Alive) -> Shown:
    """Decode a video once, up to the last frame that is wanted."""
    info, shown = wanted.info, Shown()
    at = spread(len(info), min(wanted.pictures, len(info)))
    parts = [_frames_of(info, clip, wanted.fps) for clip in wanted.clips]
    needed = set(at.tolist()).union(*(part.tolist() for part in parts))
    kept: dict[int, np.ndarray] = {}
    last = max(needed, default=-1)
    try:
        with closing(read_frames(info, on_wait=alive)) as frames:
            for number, frame in enumerate(frames):
                alive()
                if number in needed:
                    kept[number] = _narrow(frame, wanted.clip_width)
                if number >= last:
                    break
    except (VideoError, OSError, MemoryError) as error:
        shown.error = str(error) or "there is not enough memory for it"
    shown.pictures = [
        (float(info.times[number]), jpeg(_narrow(kept[number], wanted.width), 68))
        for number in at.tolist()
        if number in kept
    ]
    for part in parts:
        there = [number for number in part.tolist() if number in kept]
        pictures, rate = [kept[number] for number in there], min(wanted.fps, info.fps)
        first, count = moving(pictures, max(1, round(wanted.seconds * rate)))
        content, shown.kind = encoded(pictures[first : first + count], rate)
        shown.clips.append((float(info.times[there[first]]) if there else 0.0, content))
    return shown


def _frames_of(info: VideoInfo, clip: tuple[float, float], fps: float) -> np.ndarray:
    """The frames of a clip, at a rate of `fps` at most."""
    start, end = clip
    rate = min(fps, info.fps)
    return nearest_frames(info.times, start + np.arange(max(1, round((end - start) * rate))) / rate)


def moving(pictures: Sequence[np.ndarray], most: int) -> tuple[int, int]:
    """The consecutive pictures, `most` at most, that differ most from the still scene.

    Returns:
        the first one's place, and how many there are.
    """
    count = min(most, len(pictures))
    if len(pictures) <= most or any(one.shape != pictures[0].shape for one in pictures):
        return 0, count
    small = np.stack([one[::8, ::8].mean(axis=2) for one in pictures])
    differs = np.abs(small - np.median(small, axis=0)).mean(axis=(1, 2))
    return int(np.argmax(np.convolve(differs, np.ones(count), "valid"))), count


def _narrow(picture: np.ndarray, width: int) -> np.ndarray:
    """A picture at most so wide; both sides even, as codecs want them."""
    import PIL.Image

    height, own = picture.shape[:2]
    scale = min(1.0, width / own)
    size = (max(2, round(own * scale / 2) * 2), max(2, round(height * scale / 2) * 2))
    if size == (own, height):
        return np.ascontiguousarray(picture)
    image = PIL.Image.fromarray(np.ascontiguousarray(picture))
    return np.asarray(image.resize(size, PIL.Image.Resampling.BILINEAR, reducing_gap=2.0))


def encoded(pictures: Sequence[np.ndarray], fps: float) -> tuple[bytes, str]:
    """A small video of uint8 ``[h, w, 3]`` RGB, and its kind, as browsers and phones play it.

    Returns:
        nothing where this machine has no codec for it.
    """
    import av

    for codec, container, options in _CODECS if pictures else ():
        content = io.BytesIO()
        with suppress(av.FFmpegError, ValueError):  # a build of FFmpeg without this codec
            with av.open(content, "w", format=container) as output:
                rate = Fraction(fps).limit_denominator(1001)
                stream = output.add_stream(codec, rate, options)
                assert isinstance(stream, av.VideoStream)
                stream.height, stream.width = pictures[0].shape[:2]
                stream.pix_fmt = "yuv420p"
                for picture in pictures:
                    if picture.shape == pictures[0].shape:
                        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                        output.mux(stream.encode(frame))
                output.mux(stream.encode())
            return content.getvalue(), f"video/{container}"
    return b"", "video/mp4"
