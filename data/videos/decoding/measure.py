"""What is in a video file, found in the process that calls: by its packets, or by decoding all of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from data.errors import VideoError
from data.videos.decoding.pictures import upright_size
from data.videos.decoding.stream import (
    OnShare,
    Packets,
    opened,
    reached,
    read_packets,
    reason,
    silent,
)
from data.videos.info import VideoInfo
from data.videos.times import clean_times

_ENOUGH = 0.95  # of what a file promises: headers round, and count what is not shown
_APART = 0.4  # of the time between two frames: farther off, it is another frame


class Damaged(VideoError):
    """Decoding can't go on; the frames before were right."""


def look(path: Path, on_share: OnShare = silent) -> VideoInfo:
    """A video by its packets if these can be relied on, else by decoding it.

    Raises:
        VideoError: no decoder opens it; the message says why.
    """
    packets = packets_of(path, on_share)
    return by_packets(path, packets) or _measured(path, packets, on_share)


def measure(path: Path, on_share: OnShare = silent) -> VideoInfo:
    """A video by decoding all of it; what comes after damage is not counted.

    Raises:
        VideoError: none of its frames decodes.
    """
    return _measured(path, packets_of(path, on_share), on_share)


def packets_of(path: Path, on_share: OnShare) -> Packets:
    """As of `read_packets`; a share of nothing is told now and then.

    Raises:
        VideoError: it can't be opened, or has no packets.
    """
    if path.stat().st_size == 0:
        raise VideoError("the file is empty (0 bytes)")
    return read_packets(path, lambda share: on_share(0.0))


def by_packets(path: Path, packets: Packets) -> VideoInfo | None:
    """A video as its packets have it; None if these can't be relied on."""
    if packets.shown is None:
        return None
    if packets.first is None or packets.first.pts != packets.shown[0]:
        return None
    height, width = upright_size(packets.first)
    starts = packets.shown * packets.time_base
    fps = _rate(starts, packets.rate)
    times = clean_times(starts, fps)
    info = VideoInfo(path, times, fps, width, height, "pyav", start=float(starts[0]))
    return _with_damage(info, packets, "")


def _measured(path: Path, packets: Packets, on_share: OnShare) -> VideoInfo:
    decoded = Decoded()
    with opened(path) as (container, stream):
        for frame in all_frames(container, stream, on_share):
            if isinstance(frame, Damaged):
                decoded.stopped = str(frame)
                break
            decoded.take(frame)
    return decoded.info(path, packets)


class Decoded:
    """The frames of a video that decode before the first damage.

    Attributes:
        stopped: what is wrong then; empty if nothing is.
    """

    def __init__(self) -> None:
        self.stopped = ""
        self._shown: list[int | None] = []
        self._decoded: list[int | None] = []
        self._size = (0, 0)

    def take(self, frame: Any) -> None:
        if not self._shown:
            self._size = upright_size(frame)
        self._shown.append(frame.pts)
        self._decoded.append(frame.dts)

    def are(self, info: VideoInfo, base: Any) -> bool:
        """Whether they are those of `info`, and all of them, as `frames` compares them."""
        if self.stopped or len(self._shown) != len(info):
            return False
        expected = _Expected(info, base)
        return all(expected(number, pts) for number, pts in enumerate(self._shown))

    def info(self, path: Path, packets: Packets) -> VideoInfo:
        """The video that has these frames.

        Raises:
            VideoError: there are none.
        """
        if not self._shown:
            why = f" ({self.stopped})" if self.stopped else ""
            raise VideoError(f"none of its frames decodes{why}")
        starts = _starts(self._shown, self._decoded, packets)
        fps = _rate(starts, packets.rate)
        start = float(starts[0]) if np.isfinite(starts[0]) else packets.begins
        times = clean_times(starts, fps)
        height, width = self._size
        info = VideoInfo(path, times, fps, width, height, "measured", start=start)
        cut = "" if packets.whole else "its data can't be read further"
        return _with_damage(info, packets, self.stopped or cut)


def frames(info: VideoInfo, path: Path) -> Iterator[Any]:
    """The frames that `info` says, in order, as PyAV's.

    Raises:
        Damaged: the stream does not decode as far; or it gives another frame than its packets say.
    """
    count = 0
    with opened(path) as (container, stream):
        expected = _Expected(info, stream.time_base)
        for frame in all_frames(container, stream):
            if isinstance(frame, Damaged):
                raise Damaged(f"it does not decode to its end: {frame}")
            if count == len(info):
                raise Damaged(f"it has more than the {count} frames that its packets promise")
            if not info.measured and not expected(count, frame.pts):
                raise Damaged(
                    f"it does not decode to its end: after frame {count} some are missing"
                )
            count += 1
            yield frame
            if count == len(info) and info.measured:  # beyond may be the damage
                return
    if count < len(info):
        raise Damaged(f"only {count} of its {len(info)} frames decode")


def all_frames(container: Any, stream: Any, on_share: OnShare = silent) -> Iterator[Any]:
    """All frames of a stream, as PyAV's; and between them, where some don't decode, a `Damaged`."""
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except Exception as error:  # damage brings out errors of all kinds
            yield Damaged(reason(error))
            return
        if packet is None:
            return
        on_share(reached(container, packet))
        try:
            decoded = packet.decode()
        except Exception as error:  # as above
            yield Damaged(reason(error))
            continue
        yield from decoded


class _Expected:
    """Whether a frame is shown when that of its number should be."""

    def __init__(self, info: VideoInfo, base: Any) -> None:
        self._base = None if base is None else float(base)
        gaps = np.diff(info.times)
        # The first and the last have one neighbour.
        around = np.pad(gaps, 1, constant_values=np.inf)
        nearest = np.minimum(around[:-1], around[1:])
        if not len(gaps):
            nearest[:] = 1 / info.fps
        # As lists, since a single value of an array takes longer to read than to compare.
        self._from = (info.start + info.times - _APART * nearest).tolist()
        self._to = (info.start + info.times + _APART * nearest).tolist()

    def __call__(self, number: int, pts: int | None) -> bool:
        if pts is None or self._base is None:
            return False
        return self._from[number] < pts * self._base < self._to[number]


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
