"""Video files: opened, and all of their frames read."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np

from data.errors import VideoError
from data.videos.decode import read_frames, survey
from data.videos.info import VideoInfo
from data.videos.rejects import Reject
from data.videos.video import Video, open_video
from tests.fuzz.judge import Reader, Wrong

_SAMPLES = Path(__file__).resolve().parents[3] / ".." / "shared" / "data"
_LARGEST = 400_000  # bytes of a sample
_MOST = 2_000  # frames that are read of one
_AGAIN = 2  # times that a file is read once more where frames differ
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


_DRAWN = {  # codecs and containers of cameras, old and new
    "h264.mp4": ("libx264", {"bf": "2", "g": "8"}),
    "h264.mkv": ("libx264", {"bf": "2", "g": "8"}),
    "h264.avi": ("libx264", {"bf": "0", "g": "8"}),
    "h264.flv": ("libx264", {"g": "8"}),
    "h264.ts": ("libx264", {"bf": "2", "g": "8"}),
    "h264.h264": ("libx264", {"g": "8"}),
    "hevc.mp4": ("libx265", {"g": "8", "x265-params": "log-level=none"}),
    "mpeg4.avi": ("mpeg4", {"g": "8"}),
    "mpeg4.mov": ("mpeg4", {"g": "8", "bf": "2"}),
    "mjpeg.avi": ("mjpeg", {"strict": "unofficial"}),
    "mpeg1.mpg": ("mpeg1video", {"g": "8", "bf": "2"}),
    "mpeg2.vob": ("mpeg2video", {"g": "8", "bf": "2"}),
    "mpeg2.ts": ("mpeg2video", {"g": "8"}),
    "vp8.webm": ("libvpx", {"g": "8", "deadline": "realtime"}),
    "vp9.webm": ("libvpx-vp9", {"g": "8", "deadline": "realtime"}),
    "wmv2.wmv": ("wmv2", {"g": "8"}),
    "msmpeg4.avi": ("msmpeg4", {"g": "8"}),
    "flv1.flv": ("flv", {"g": "8"}),
    "ffv1.mkv": ("ffv1", None),
}


@cache
def _seeds() -> list[bytes]:
    """Drawn videos of the common codecs and containers, and the smaller real samples that are there."""
    from tests.conftest import encode

    contents = []
    with tempfile.TemporaryDirectory() as folder:
        for name, (codec, options) in _DRAWN.items():
            path = Path(folder) / name
            contents.append(
                encode(path, 24, 25, (48, 96), codec=codec, options=options).read_bytes()
            )
    for kind in ("videos", "hard_videos"):
        for path in sorted((_SAMPLES / kind).glob("*")):
            if path.suffix != ".csv" and 0 < path.stat().st_size <= _LARGEST:
                contents.append(path.read_bytes())
    return contents


def _make(folder: Path) -> Callable[[bytes], Any]:
    path = folder / "a.mp4"

    def read(content: bytes) -> None:
        path.write_bytes(content)
        try:
            video = open_video("a", path, None)
        except VideoError:
            if plain := _plain(path)[0]:
                raise Wrong(f"refused, though {len(plain)} frames decode") from None
            _survey(path, None)
            raise
        error: VideoError | None = None
        for _ in range(2):
            seen, error = _ours(video)
            _compare(seen, video, path, whole=error is None)
            if error is None:
                return _survey(path, video.info)
            found = video.after(error)
            if isinstance(found, Reject):
                raise Wrong(f"refused when read: {found.reason}")
            video = replace(video, info=found)
        raise Wrong(f"what was measured does not decode: {error}")

    return read


def _survey(path: Path, read: VideoInfo | None) -> None:
    """What a survey says is read, with what was read; None: nothing."""
    found = None
    with contextlib.suppress(VideoError):
        found = survey(path).info
    facts = [
        info and (info.declared, len(info), info.duration, info.ends, info.damage, info.decoder)
        for info in (read, found)
    ]
    if facts[0] != facts[1]:
        raise Wrong(f"{facts[0]} is read, and the survey says {facts[1]}")


def _ours(video: Video) -> tuple[list[int], VideoError | None]:
    """What is in each frame that is read, and why it ends before its end."""
    times = video.times
    if not (np.isfinite(times).all() and (np.diff(times) > 0).all() and times[0] == 0):
        raise Wrong("times do not increase from 0")
    seen = []
    frames = read_frames(video.info)
    try:
        for frame in frames:
            if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3:
                raise Wrong(f"a frame is {frame.dtype} {frame.shape}")
            seen.append(crc32(np.ascontiguousarray(frame)))
            if len(seen) == _MOST:
                break
    except VideoError as error:
        return seen, error
    finally:
        frames.close()
    return seen, None


def _plain(path: Path) -> tuple[list[int], np.ndarray | None]:
    """By a plain loop: what is in each frame, and its seconds from the first if these increase."""
    import av

    from data.videos.decoding.pictures import Pictures

    seen: list[int] = []
    shown: list[Any] = []
    picture = Pictures()
    with contextlib.suppress(Exception), av.open(str(path), metadata_errors="ignore") as container:
        stream: Any = container.streams.best("video")
        stream.codec_context.thread_count = 1
        for frame in container.decode(stream):
            seen.append(crc32(np.ascontiguousarray(picture(frame))))
            shown.append(frame.time)
            if len(seen) == _MOST:
                break
    if None in shown or not np.all(np.diff(shown) > 0):
        return seen, None
    return seen, np.array(shown) - (shown[0] if shown else 0)


def _compare(seen: list[int], video: Video, path: Path, *, whole: bool) -> None:
    """Frames and times with those of the plain loop."""
    plain, times = _plain(path)
    if seen != plain[: len(seen)]:
        # FFmpeg itself leaves what memory held in damaged pictures, which is other from time to time:
        # here or there. A mistake of ours is there each time.
        plains = [plain, *(_plain(path)[0] for _ in range(_AGAIN))]
        ours = [seen, *(_ours(video)[0] for _ in range(_AGAIN))]
        for there, here in zip(zip(*plains, strict=True), zip(*ours, strict=True), strict=False):
            if len({*there}) == 1 and there[0] not in here:
                raise Wrong("a frame is another one")
    if whole and len(seen) != len(plain):
        raise Wrong(f"{len(seen)} of {len(plain)} frames")
    odd = times is None or times[-1] > 100 * len(times) / video.info.fps + 60
    if not whole or odd or len(seen) == _MOST:
        return
    assert times is not None
    wrong = np.abs(video.times - times).max()
    if wrong > 2e-3 + 0.06 / video.info.fps:
        raise Wrong(f"a time is {wrong:.3f} seconds off")


READER = Reader(_make, _seeds, (VideoError,), share=1, words=_WORDS, seconds=60, most=400_000)
