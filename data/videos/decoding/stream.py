"""The video stream of a file, by its packets: what it promises, without decoding more than a frame."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from data.errors import VideoError

OnShare = Callable[[float], None]  # called with the share of a file that is done

_LEAST = 8  # bytes that a frame takes in a file
_MOST_PIXELS = 2**27  # of a picture: a header that promises more is damaged, or made to harm
# Packets of these are not the pictures that are shown: some are hidden, or are halves of one.
_HIDDEN = frozenset(["vp8", "vp9", "vp6", "vp6f", "vp6a"])
# Of these, FFmpeg finds where packets begin and when they are shown only as it reads on.
_UNSURE = frozenset(
    ["mpegts", "mpeg", "h264", "hevc", "mpegvideo", "mjpeg", "m4v", "dv", "rawvideo"]
)


@dataclass(frozen=True)
class Packets:
    """What the packets of a video stream say.

    Attributes:
        shown: ``[N]`` when each is shown, in units of the time base, increasing; None if the packets
            don't tell, and only decoding does.
        promised: the number of frames in the file's header; 0: it does not say.
        declared: the number of frames that the file promises, by its header or its packets.
        begins: seconds at which the stream begins, in the file's time.
        ends: seconds from there at which it promises to end; 0 if it does not say.
        whole: False if packets can't be read to the end.
        first: the first frame that decodes, of PyAV; None if the first packets don't.
    """

    shown: np.ndarray | None
    time_base: float
    rate: float
    promised: int
    declared: int
    begins: float
    ends: float
    whole: bool
    first: Any


@contextlib.contextmanager
def of_decoders(what: str) -> Iterator[None]:
    """Whatever a decoder raises becomes a `VideoError`: damaged files bring out errors of all kinds.

    Args:
        what: could not be done, with ``{}`` for the error's reason.
    """
    try:
        yield
    except VideoError:
        raise
    except Exception as error:  # decoders raise their own, and what damage makes of Python's
        raise VideoError(what.format(reason(error))) from error


def reason(error: Exception) -> str:
    """What an error says, in a line."""
    said = getattr(error, "strerror", None) or str(error).strip() or type(error).__name__
    return said.splitlines()[0][:200]


@contextlib.contextmanager
def opened(path: Path, *, for_packets: bool = False) -> Iterator[tuple[Any, Any]]:
    """An open container and its video stream.

    Args:
        for_packets: little of it is decoded; so it opens faster where its packets tell all themselves.

    Raises:
        VideoError: it is not a video, or there is no decoder for it.
    """
    import av

    av.logging.set_level(None)
    with contextlib.ExitStack() as stack:
        with of_decoders("it can't be opened as a video ({})"):
            container = _undecoded(path) if for_packets else None
            container = stack.enter_context(container or _container(path))
            stream = container.streams.best("video")
        if stream is None:
            raise VideoError("it has no video stream")
        codec: Any = stream.codec_context
        if codec is None:
            raise VideoError("no decoder opens it (there is no decoder for its codec)")
        if codec.width * codec.height > _MOST_PIXELS:
            raise VideoError(f"its pictures are said to be {codec.width} x {codec.height}")
        # Videos are decoded side by side. With several threads, what is missing of a damaged picture
        # is whatever the memory held; with one thread it is painted over, the same way every time.
        codec.thread_count = 1
        yield container, stream


def _container(path: Path, **options: Any) -> Any:
    import av

    # Tags in another encoding than UTF-8 are nobody's concern here.
    return av.open(str(path), metadata_errors="ignore", **options)


def _undecoded(path: Path) -> Any:
    """A container that is open though FFmpeg has decoded nothing of it; None: it has to.

    To open H.264, it decodes seven frames, and so learns how many wait for others. Other containers'
    times depend on it. MP4 and MOV, which most cameras write, have the times of all packets.
    """
    with path.open("rb") as file:
        if file.read(8)[4:] != b"ftyp":
            return None
    try:
        container = _container(
            path, options={"analyzeduration": "1"}, stream_options=[{"skip_frame": "all"}]
        )
    except ValueError:  # it is something else after all
        return None
    if len(container.streams.video) == 1:
        return container
    container.close()  # which of several is the best one, decoding tells
    return None


def silent(share: float) -> None:
    """Tell nobody."""


def reached(container: Any, packet: Any) -> float:
    """The share of a file that lies before a packet; 0 if that is not known."""
    return min(1.0, (packet.pos or 0) / (container.size or 1))


def read_packets(path: Path, on_share: OnShare = silent) -> Packets:
    """Read the packets of a video's stream.

    Raises:
        VideoError: it can't be opened, or has no packets.
    """
    with opened(path, for_packets=True) as (container, stream):
        shown: list[int | None] = []
        decoded: list[int | None] = []
        first_is_key, corrupt, cut, whole = False, False, 0, True
        first, decoding = None, True
        packets = container.demux(stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                break
            except Exception:  # damage; what lies before it was read
                whole = False
                break
            on_share(reached(container, packet))
            if decoding:
                try:
                    first = next(iter(packet.decode()), None)
                    decoding = first is None
                except Exception:  # damage, which decoding all of it brings to light
                    decoding = False
            if not packet.size:
                continue
            first_is_key |= not shown and not cut and packet.is_keyframe
            corrupt |= packet.is_corrupt
            if packet.is_discard:  # an edit list cuts it
                cut += 1
            else:
                shown.append(packet.pts)
                decoded.append(packet.dts)
        if not shown:
            raise VideoError("no decoder opens it (it has no frames)")
        base, rate = stream.time_base, float(stream.average_rate or stream.guessed_rate or 25)
        time_base = 0.0 if base is None else float(base)
        promised = stream.frames - cut
        sensible = stream.frames * _LEAST <= path.stat().st_size
        unsure = bool(_UNSURE.intersection(container.format.name.split(",")))
        begins, ends = (stream.start_time or 0) * time_base, 0.0
        if sensible and promised > 0:
            ends = max((stream.duration or 0) * time_base, promised / rate)
        elif sensible and not unsure and container.duration and _alone(container):
            begins, ends = 0.0, container.duration / 1e6
        surely = whole and not corrupt and first_is_key and not unsure and _one_each(stream, first)
        return Packets(
            _in_order(shown, decoded) if surely and time_base else None,
            time_base,
            rate,
            max(promised, 0),
            max(promised if sensible else 0, len(shown)),
            begins,
            ends,
            whole,
            first,
        )


def _alone(container: Any) -> bool:
    """Whether the video is all that the container's length may be of."""
    return not any(stream.type == "audio" for stream in container.streams)


def _one_each(stream: Any, first: Any) -> bool:
    """Whether each packet of a stream is a picture that is shown, at its time.

    Args:
        first: the first frame that decodes, of PyAV; None if none did.
    """
    codec = stream.codec_context
    fields = getattr(codec, "field_order", 0)
    if codec.name in _HIDDEN or int(fields or 0) > 1:  # unknown, progressive
        return False
    # MP4 does not say that its pictures are fields; their packets look like those of frames.
    if codec.name == "h264" and first is not None and first.interlaced_frame:
        return False
    # AVI has no times of showing: with frames out of order, they are those of other frames.
    return not (stream.container.format.name == "avi" and codec.has_b_frames)


def _in_order(shown: list[int | None], decoded: list[int | None]) -> np.ndarray | None:
    """When frames are shown, increasing; None if the packets' times can't be relied on."""
    if None in shown or shown[0] != min(shown):  # type: ignore[type-var]
        return None  # what comes before the first key frame does not decode
    order = [time for time in decoded if time is not None]
    times = np.sort(np.array(shown, np.int64))
    reliable = bool(np.all(np.diff(order) >= 0) and np.all(np.diff(times) > 0))
    return times if reliable else None
