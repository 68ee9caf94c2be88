"""The videos of a data set: found under a folder, named by stem, sampled at one rate."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from data.errors import VideoError, some
from data.files.path import File, OnChunk, S3Path
from data.files.store import identity, make_key
from data.files.video_cache import local, missing_chunks
from data.videos.decode import measure, probe
from data.videos.info import VideoInfo
from data.videos.opened import Opened, keep
from data.videos.rejects import Reject
from data.videos.times import sample_indices, spread


@dataclass(frozen=True)
class Video:
    """A video of the data set, as everything above the files sees it: numbered, sampled frames.

    Attributes:
        name: what the labels call it.
        fps: the sampling rate; None is the file's own.
        most: at most so many of these frames are taken, spread over the video; None takes all.
    """

    name: str
    info: VideoInfo
    fps: float | None
    identity: str
    most: int | None = None

    def __len__(self) -> int:
        return len(self.indices)

    @cached_property
    def indices(self) -> np.ndarray:
        """``[N]``: for each sampled frame, the file's frame (repeats where `fps` exceeds its own)."""
        return self._at_rate[self._taken]

    @cached_property
    def _at_rate(self) -> np.ndarray:
        return sample_indices(self.info.times, self.info.duration, self.fps)

    @cached_property
    def _taken(self) -> np.ndarray:
        """Numbers of the frames that are taken, among those at the sampling rate."""
        count = len(self._at_rate)
        return np.arange(count) if self.most is None else spread(count, min(count, self.most))

    @cached_property
    def times(self) -> np.ndarray:
        """``[N]`` seconds of each sampled frame."""
        return self.info.times[self._taken] if self.fps is None else self._taken / self.fps

    def check(self) -> None:
        """Whether the file is still the one that was opened.

        Raises:
            VideoError: it has changed.
        """
        try:
            now = identity(self.info.path)
        except FileNotFoundError:
            raise VideoError("it is no longer there") from None
        if now != self.identity:
            raise VideoError("it has changed since it was opened: start again")

    def after(self, error: VideoError) -> VideoInfo | Reject:
        """What is to be done when decoding it has failed.

        Its frames were perhaps not those that its packets promise: then what decoding all of it finds is
        kept for the next opening, and returned. Else it can't be used.
        """
        try:
            if self.info.decoder == "pyav":
                info = measure(self.info)
                self.check()
                keep(info, self.identity)
                return info
        except VideoError as worse:
            error = worse
        return Reject(self.name, self.info.path, str(error))

    @property
    def duration(self) -> float:
        return self.info.duration

    @property
    def key(self) -> str:
        """Identifies the file's content and which of its frames are sampled."""
        most = () if self.most is None else ("most", self.most)
        # What another version of the decoder finds may be other frames.
        found = ("measured", self.info.times.tobytes().hex()) if self.info.measured else ()
        return make_key(self.identity, self.fps, *most, *found)


def open_video(
    name: str,
    path: File,
    fps: float | None,
    on_chunk: OnChunk = lambda: None,
    *,
    most: int | None = None,
) -> Video:
    """Probe one file, or take what was found when it was last opened.

    Args:
        on_chunk: as in `local`.

    Raises:
        VideoError: it can't be opened.
    """
    with Opened() as opened:
        return _open(opened, name, path, fps, on_chunk, most)


def _open(
    opened: Opened, name: str, path: File, fps: float | None, on_chunk: OnChunk, most: int | None
) -> Video:
    before = identity(path)
    info = opened.known(path, before)
    if info is not None:
        return Video(name, info, fps, before, most)
    with local(path, on_chunk) as here:
        info = replace(probe(here, fps), path=path)
    video = Video(name, info, fps, before, most)
    video.check()
    if info.decoder != "images":  # of which all is known at once
        opened.keep(info, before)
    return video


def video_remarks(videos: Mapping[str, Video]) -> list[str]:
    """What is to be known of videos, a line for each thing that is the same of several."""
    of: dict[str, list[str]] = {}
    for name, video in videos.items():
        for remark in video.info.remarks:
            of.setdefault(remark, []).append(name)
    return [f"{some(names)}: {remark}" for remark, names in of.items()]


def open_videos(
    paths: Mapping[str, File],
    fps: float | None,
    *,
    most: int | None = None,
    threads: int | None = None,
    on_video: Callable[[], None] | None = None,
    on_bring: Callable[[int], OnChunk] | None = None,
) -> tuple[dict[str, Video], list[Reject]]:
    """Open every file; those that can't be are returned as rejects with the reason.

    Args:
        fps, most: as of `Video`.
        threads: how many are opened at once; None: as many as there are CPUs, 4 to 16.
        on_bring: called with the number of chunks to download from S3, if there are any; returns a
            function to call after each.
    """
    stopped = threading.Event()
    tell: OnChunk = lambda: None  # noqa: E731

    def on_chunk() -> None:
        if stopped.is_set():  # nobody waits for it any more
            raise VideoError("stopped")
        tell()

    def attempt(name: str) -> Video | Reject:
        try:
            return _open(opened, name, paths[name], fps, on_chunk, most)
        except (VideoError, OSError) as error:
            return Reject(name, paths[name], str(error))
        finally:
            if on_video:
                on_video()

    if threads is None:  # each holds a picture or more; and disks are waited for
        threads = min(max(os.cpu_count() or 1, 4), 16)
    with Opened() as opened, ThreadPoolExecutor(threads) as pool:
        remote = [path for path in paths.values() if isinstance(path, S3Path)]
        unknown = [path for path in remote if opened.known(path, identity(path)) is None]
        chunks = sum(map(missing_chunks, unknown))
        if on_bring and chunks:
            tell = on_bring(chunks)
        try:
            results = list(pool.map(attempt, paths))
        finally:
            stopped.set()
    videos = {result.name: result for result in results if isinstance(result, Video)}
    return videos, [result for result in results if isinstance(result, Reject)]
