"""Video files: opened, and all of their frames read."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from data.errors import VideoError
from tests.fuzz.judge import Reader, Wrong

_SAMPLES = Path(__file__).resolve().parents[3] / ".." / "shared" / "data"
_LARGEST = 400_000  # bytes of a sample
_MOST = 2_000  # frames that are read of one
_WORDS = (
    *(
        b"moov",
        b"mdat",
        b"trak",
        b"stsz",
        b"stts",
        b"ctts",
        b"edts",
        b"free",
        b"avcC",
        b"ftyp",
        b"mvhd",
    ),
    *(
        b"RIFF",
        b"LIST",
        b"idx1",
        b"movi",
        b"strh",
        b"strf",
        b"00dc",
        b"\x1aE\xdf\xa3",
        b"\x1fC\xb6u",
    ),
    *(
        b"\x00\x00\x01",
        b"\x00\x00\x01\xba",
        b"\x00\x00\x01\xb3",
        b"G",
        b"\xff\xff\xff\xff",
        b"\x7f\xff\xff\xff",
    ),
    *(b"\x00\x00\x00\x00", b"\x80\x00\x00\x00", b"FLV\x01", b"\x30\x26\xb2\x75\x8e\x66\xcf\x11"),
)


@cache
def _seeds() -> list[bytes]:
    """Drawn videos of the common containers, and the smaller real samples where they are there."""
    from tests.conftest import encode

    contents = []
    with tempfile.TemporaryDirectory() as folder:
        for name in (
            "a.mp4",
            "a.avi",
            "a.mkv",
            "a.webm",
            "a.mpg",
            "a.wmv",
            "a.ts",
            "a.mov",
            "a.flv",
        ):
            contents.append(encode(Path(folder) / name, 6, 25, (32, 64)).read_bytes())
    for kind in ("videos", "hard_videos"):
        for path in sorted((_SAMPLES / kind).glob("*")):
            if path.suffix != ".csv" and 0 < path.stat().st_size <= _LARGEST:
                contents.append(path.read_bytes())
    return contents


def _make(folder: Path) -> Callable[[bytes], Any]:
    import av

    from data.videos.decode import read_frames
    from data.videos.video import open_video

    av.logging.set_level(None)
    path = folder / "a.mp4"

    def read(content: bytes) -> None:
        path.write_bytes(content)
        video = open_video("a", path, None)
        times = video.times
        if not (np.isfinite(times).all() and (np.diff(times) > 0).all() and times[0] == 0):
            raise Wrong("times do not increase from 0")
        frames = read_frames(video.info)
        try:
            for number, frame in enumerate(frames):
                if number == _MOST:
                    break
                if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3:
                    raise Wrong(f"a frame is {frame.dtype} {frame.shape}")
        finally:
            frames.close()

    return read


READER = Reader(_make, _seeds, (VideoError,), share=1, words=_WORDS, seconds=20, most=400_000)
