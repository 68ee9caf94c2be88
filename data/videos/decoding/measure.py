"""What is in a video file, found in the process that calls: by its packets, or by decoding all of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from data.errors import VideoError
from data.videos.decoding.pictures import upright_size
from data.videos.decoding.stream import Packets, opened, read_packets, reason
from data.videos.info import VideoInfo
from data.videos.times import clean_times

_ENOUGH = 0.95  # of what a file promises: headers round, and count what is not shown
_APART = 0.4  # of the time between two frames: farther off, it is another frame


class Damaged(VideoError):
    """Decoding can't go on; the frames before were right."""


def look(path: Path) -> VideoInfo:
    """A video by its packets if these can be relied on, else by decoding it.

    Raises:
        VideoError: no decoder opens it; the message says why.
    """
    if path.stat().st_size == 0:
        raise VideoError("the file is empty (0 bytes)")
    packets = read_packets(path)
    if packets.shown is None:
        return measure(path, packets)
    if packets.first is None or packets.first.pts != packets.shown[0]:
        return measure(path, packets)
    height, width = upright_size(packets.first)
    starts = packets.shown * packets.time_base
    fps = _rate(starts, packets.rate)
    times = clean_times(starts, fps)
    info = VideoInfo(path, times, fps, width, height, "pyav", start=float(starts[0]))
    return _with_damage(info, packets, "")


def measure(path: Path, packets: Packets | None = None) -> VideoInfo:
    """A video by decoding all of it; what comes after damage is not counted.

    Raises:
        VideoError: none of its frames decodes.
    """
    packets = packets or read_packets(path)
    shown: list[int | None] = []
    decoded: list[int | None] = []
    height = width = 0
    stopped = ""
    with opened(path) as (container, stream):
        try:
            for frame in _decoded(container, stream):
                if not shown:
                    height, width = upright_size(frame)
                shown.append(frame.pts)
                decoded.append(frame.dts)
        except Damaged as error:
            stopped = str(error)
    if not shown:
        raise VideoError(f"none of its frames decodes{f' ({stopped})' if stopped else ''}")
    starts = _starts(shown, decoded, packets)
    fps = _rate(starts, packets.rate)
    start = float(starts[0]) if np.isfinite(starts[0]) else packets.begins
    times = clean_times(starts, fps)
    info = VideoInfo(path, times, fps, width, height, "measured", start=start)
    cut = "" if packets.whole else "its data can't be read further"
    return _with_damage(info, packets, stopped or cut)


def frames(info: VideoInfo, path: Path) -> Iterator[Any]:
    """The frames that `info` says, in order, as PyAV's.

    Raises:
        Damaged: the stream does not decode as far; or it gives another frame than its packets say.
    """
    count = 0
    with opened(path) as (container, stream):
        base = stream.time_base
        for frame in _decoded(container, stream, "it does not decode to its end: "):
            if count == len(info):
                raise Damaged(f"it has more than the {count} frames that its packets promise")
            if not info.measured and not _expected(info, count, frame, base):
                raise Damaged(
                    f"it does not decode to its end: after frame {count} some are missing"
                )
            count += 1
            yield frame
            if count == len(info) and info.measured:  # beyond may be the damage
                return
    if count < len(info):
        raise Damaged(f"only {count} of its {len(info)} frames decode")


def _decoded(container: Any, stream: Any, what: str = "") -> Iterator[Any]:
    source = container.decode(stream)
    while True:
        try:
            frame = next(source, None)
        except Exception as error:  # damage brings out errors of all kinds
            raise Damaged(f"{what}{reason(error)}") from error
        if frame is None:
            return
        yield frame


def _expected(info: VideoInfo, number: int, frame: Any, base: Any) -> bool:
    """Whether a frame is shown when that of this number should be."""
    if frame.pts is None or base is None:
        return False
    times = info.times
    around = times[max(number - 1, 0) : number + 2]
    gap = float(np.diff(around).min()) if len(around) > 1 else 1 / info.fps
    return abs(frame.pts * float(base) - info.start - times[number]) < _APART * gap


def _starts(shown: list[int | None], decoded: list[int | None], packets: Packets) -> np.ndarray:
    """Seconds at which decoded frames are shown; NaN where that is not known.

    AVI has no times of showing: where those in the file go back and forth, the order of decoding tells,
    as in FFmpeg's own guess.
    """
    times = [
        np.array([np.nan if time is None else time for time in some], np.float64)
        for some in (shown, decoded)
    ]
    # A decoder's last frames come without times of decoding.
    usable = [some for some in times if np.all(np.diff(some[np.isfinite(some)]) > 0)]
    return max(usable or times[:1], key=lambda some: np.isfinite(some).sum()) * packets.time_base


def _rate(starts: np.ndarray, declared: float) -> float:
    """Frames a second, on average: the declared rate, unless the times are others."""
    known = starts[np.isfinite(starts)]
    if len(known) < 2 or not np.all(np.diff(known) > 0):
        return declared
    own = (len(known) - 1) / (known[-1] - known[0])
    return declared if 0.9 < own / declared < 1.1 else float(own)


def _with_damage(info: VideoInfo, packets: Packets, stopped: str) -> VideoInfo:
    """`info` with what is known to be wrong with it."""
    ends = max(packets.ends - max(info.start - packets.begins, 0), 0)
    # A header's rate may be that of a clock, and its length that of a picture that stays.
    fewer = len(info) < _ENOUGH * packets.declared or packets.declared == len(info)
    damage = ""
    if stopped:
        damage = f"damaged at {info.duration:.2f} seconds ({stopped})"
    elif fewer and info.times[-1] + 2 / info.fps < _ENOUGH * ends:
        damage = "cut off"
    return replace(info, declared=packets.declared, ends=ends, damage=damage)
