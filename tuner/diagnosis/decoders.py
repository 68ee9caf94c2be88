"""Decoders: tiny videos of the usual kinds are made and read again by the product's own reader."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from data.errors import VideoError
from tuner.diagnosis.finding import Asked, Finding, ok, warning, wrong

# What cameras write: the name that users know, the ending, and the encoder.
KINDS = (
    ("mp4 (H.264)", ".mp4", "libx264"),
    ("avi (Motion JPEG)", ".avi", "mjpeg"),
    ("avi (MPEG-4)", ".avi", "mpeg4"),
    ("asf (WMV2)", ".asf", "wmv2"),
    ("mov (HEVC)", ".mov", "libx265"),
)
FRAMES = 24
_SIZE = 64  # pixels
_CLOSE = 8.0  # levels of grey between what was drawn and what is read


def decoders(asked: Asked) -> Iterator[Finding]:
    """Each kind of video, made and read."""
    read: list[str] = []
    problems: list[tuple[str, str]] = []
    absent: list[str] = []
    with tempfile.TemporaryDirectory(prefix="tuner-") as folder:
        for number, (kind, ending, encoder) in enumerate(KINDS):
            path = Path(folder) / f"{number}{ending}"
            try:
                encode(path, encoder)
            except Exception:  # there is no such encoder here, which only this check needs
                absent.append(kind)
                continue
            if reason := unlike(path):
                problems.append((kind, reason))
            else:
                read.append(kind)
    not_tried = f"; not tried, as nothing here can make them: {', '.join(absent)}" if absent else ""
    advice = (
        "install the decoders again: pip install --force-reinstall --no-deps av; or convert "
        "such videos: ffmpeg -i VIDEO -c:v libx264 VIDEO.mp4"
    )
    for kind, reason in problems:
        yield (warning if read else wrong)(f"{kind} is not read right: {reason}", advice)
    if read:
        yield ok(f"{', '.join(read)}: all {FRAMES} frames of each{not_tried}")
    elif not problems:
        install = "pip install --force-reinstall --no-deps av"
        yield warning("no video could be made here, so no decoder was tried", install)


def encode(path: Path, encoder: str) -> None:
    """Write `FRAMES` frames, each a little brighter than the one before.

    Raises:
        Exception: PyAV's own, as where there is no such encoder.
    """
    import av

    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(encoder, rate=10)
        stream.width = stream.height = _SIZE
        stream.pix_fmt = "yuvj420p" if encoder == "mjpeg" else "yuv420p"
        if encoder == "libx265":
            stream.options = {"x265-params": "log-level=none"}
        for grey in _greys():
            image = np.full((_SIZE, _SIZE, 3), grey, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())


def _greys() -> np.ndarray:
    return np.linspace(20, 235, FRAMES).round()


def unlike(path: Path) -> str | None:
    """How the frames that are read differ from those that `encode` has written; None if they don't."""
    from data.videos.decode import probe, read_frames

    try:
        levels = np.array([frame.mean() for frame in read_frames(probe(path))])
    except VideoError as error:
        return str(error)
    except Exception as error:  # a decoder that is broken raises errors of any kind
        return f"{type(error).__name__}: {error}"
    if len(levels) != FRAMES:
        return f"{len(levels)} of {FRAMES} frames"
    if (np.abs(levels - _greys()) > _CLOSE).any():
        return "the frames are not those that were written"
    return None
