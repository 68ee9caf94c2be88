"""One video file: what it is, when its frames are shown, and its frames in order."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from data.errors import VideoError
from data.files.video_cache import local
from data.prefetch import prefetched
from data.videos.info import VideoInfo
from data.videos.times import clean_times

_DECORD_HOLDS = 256 * 2**20  # the most bytes of frames that decord may hold
_PYAV_AHEAD = 16  # frames
_LEAST = 8  # bytes that a frame takes in a file


def probe(path: Path) -> VideoInfo:
    """Open a video without decoding it.

    Raises:
        VideoError: no decoder opens it; the message says why.
    """
    if path.stat().st_size == 0:
        raise VideoError("the file is empty (0 bytes)")
    # PyAV first: given a file that is not a video, decord also prints to the terminal.
    if _decord_reads(path):
        with contextlib.suppress(VideoError):
            info = _probe_decord(path)
            # decord decodes ahead of a slow reader without a limit; PyAV gives equal frames.
            whole = len(info) * info.height * info.width * 3
            return info if whole <= _DECORD_HOLDS else replace(info, decoder="pyav")
    return _probe_pyav(path)


@contextlib.contextmanager
def _of_decoders(what: str) -> Iterator[None]:
    """Whatever a decoder raises becomes a `VideoError`: damaged files bring out errors of all kinds.

    Args:
        what: could not be done, with ``{}`` for the error's reason.
    """
    try:
        yield
    except VideoError:
        raise
    except Exception as error:  # decoders raise their own, and what damage makes of Python's
        raise VideoError(what.format(_reason(error))) from error


def _decord_reads(path: Path) -> bool:
    """Whether decord, if it opens the video, gives the frames that a player shows.

    It leaves out the first group of pictures of a transport stream, and counts the frames that an edit
    list cuts. In both cases it repeats the last frame until the number is reached.

    Raises:
        VideoError: it is not a video.
    """
    import av

    with _of_decoders("it can't be opened as a video ({})"), av.open(str(path)) as container:
        if not container.streams.video:
            raise VideoError("it has no video stream")
        stream = container.streams.video[0]
        # decord makes room for all frames that a header promises, and ends the process if there is none.
        if stream.frames * _LEAST > path.stat().st_size:
            return False
        cut = any(entry.is_discard for entry in stream.index_entries)
        return "mpegts" not in container.format.name.split(",") and not cut


def read_frames(info: VideoInfo) -> Generator[np.ndarray, None, None]:
    """Yield every frame in order as uint8 ``[H, W, 3]`` RGB, upright.

    Always in sequence: decord returns wrong frames at random positions of ASF and MPEG-1 files.

    Raises:
        VideoError: the stream is damaged; the frames before the damage were yielded.
    """
    count = 0
    with local(info.path) as path:
        if info.decoder == "decord":  # it decodes in its own thread
            frames = _read_decord(path, info)
        else:
            frames = prefetched(_read_pyav(path, info), depth=_PYAV_AHEAD)
        for frame in frames:
            count += 1
            yield frame
    if count < len(info):
        raise VideoError(f"only {count} of its {len(info)} frames decode")


def _open_decord(path: Path):
    import decord

    decord.logging.set_level(decord.logging.QUIET)
    return decord.VideoReader(str(path), num_threads=1)


def _probe_decord(path: Path) -> VideoInfo:
    with _of_decoders("decord can't open it ({})"):
        reader = _open_decord(path)
        count, fps = len(reader), float(reader.get_avg_fps())
        if count == 0 or not fps > 0:
            raise VideoError("decord finds no frames")
        starts = np.asarray(reader.get_frame_timestamp(range(count)))[:, 0]
        height, width, channels = reader.next().shape
        if channels != 3:
            raise VideoError(f"decord gives {channels} channels")
        return VideoInfo(path, clean_times(starts, fps), fps, width, height, "decord")


def _read_decord(path: Path, info: VideoInfo) -> Iterator[np.ndarray]:
    with _of_decoders(_damaged(info)):
        reader = _open_decord(path)
        for _ in range(len(info)):
            try:
                frame = reader.next().asnumpy()
            except StopIteration:
                return
            yield frame


def _damaged(info: VideoInfo) -> str:
    # The place is not known: decord decodes ahead, and reports damage before the frames that precede it.
    return f"damaged: it does not decode to its end ({len(info)} frames declared)"


def _probe_pyav(path: Path) -> VideoInfo:
    import av

    with _of_decoders("no decoder opens it ({})"):
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            if stream.codec_context is None:
                raise VideoError("there is no decoder for its codec")
            packets = [
                (packet.pts, packet.dts)
                for packet in container.demux(stream)
                if packet.pts is not None and not packet.is_discard
            ]
            base = stream.time_base
            if not packets or base is None:
                raise VideoError("it has no frames")
            rate = stream.average_rate or stream.guessed_rate or 25
            width, height = stream.width, stream.height
        with av.open(str(path)) as container:
            for frame in container.decode(video=0):
                if frame.rotation % 180:
                    width, height = height, width
                first = frame.pts
                break
            else:
                raise VideoError("none of its frames decodes")
        fps = float(rate)
        times = clean_times(_starts(_decodable(packets, first)) * float(base), fps)
        return VideoInfo(path, times, fps, width, height, "pyav")


def _decodable(
    packets: list[tuple[int, int | None]], first: int | None
) -> list[tuple[int, int | None]]:
    """Packets (pts, dts) without those before the `first` frame that decodes.

    A recording that begins between two key frames has such packets: those before its first key frame,
    and those right after it that are shown before it.
    """
    shown = [pts for pts, _ in packets]
    if first not in shown:
        return packets
    later = range(shown.index(first) + 1, len(shown))
    settled = next((index for index in later if shown[index] > first), len(shown))
    return [packet for packet in packets[:settled] if packet[0] >= first] + packets[settled:]


def _starts(packets: list[tuple[int, int | None]]) -> np.ndarray:
    """When packets (pts, dts) are shown, in order; all NaN if their clock restarts in between."""
    decoded = np.array([dts for _, dts in packets if dts is not None])
    shown = np.sort(np.array([pts for pts, _ in packets], np.float64))
    return np.full(len(shown), np.nan) if np.any(np.diff(decoded) < 0) else shown


def _read_pyav(path: Path, info: VideoInfo) -> Iterator[np.ndarray]:
    import av

    count = 0
    pixels = _Pixels()
    with _of_decoders(_damaged(info)), av.open(str(path)) as container:
        for frame in container.decode(video=0):
            if count == len(info):
                return
            count += 1
            # PyAV leaves the display rotation to the caller; decord applies it.
            yield np.rot90(pixels(frame), k=round(frame.rotation / 90))


class _Pixels:
    """From a frame of PyAV to ``[H, W, 3]`` RGB, by a filter graph that reuses memory of past frames.

    Fresh memory for each frame, as in its `reformat`, takes half of the time of reading a video.
    """

    def __init__(self) -> None:
        self._graph: Any = None
        self._format: tuple[Any, ...] = ()

    def __call__(self, frame: Any) -> np.ndarray:
        frame_format = (
            frame.width,
            frame.height,
            frame.format.name,
            frame.colorspace,
            frame.color_range,
        )
        if frame_format != self._format:  # some cameras change it within a file
            self._graph, self._format = _rgb_graph(*frame_format), frame_format
        self._graph.push(frame)
        plane = self._graph.pull().planes[0]
        rows = np.frombuffer(plane, np.uint8).reshape(frame.height, plane.line_size)
        return rows[:, : frame.width * 3].reshape(frame.height, frame.width, 3)


def _rgb_graph(width: int, height: int, pixels: str, colorspace: int, color_range: int) -> Any:
    from av.filter import Graph

    graph = Graph()
    graph.threads = 1  # one thread takes the least CPU time in all
    source = graph.add(
        "buffer",
        video_size=f"{width}x{height}",
        pix_fmt=pixels,
        time_base="1/1000",
        colorspace=str(int(colorspace)),
        range=str(int(color_range)),
    )
    graph.link_nodes(source, graph.add("format", "rgb24"), graph.add("buffersink")).configure()
    return graph


def _reason(error: Exception) -> str:
    said = getattr(error, "strerror", None) or str(error).strip() or type(error).__name__
    return said.splitlines()[0][:200]
