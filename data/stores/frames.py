"""The frame store: sampled, resized frames of a video, decoded once for every trial."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from data.clips.transforms import resize
from data.files.array import StoredArray
from data.files.store import Store, make_key
from data.files.whole import again
from data.videos.decode import read_frames
from data.videos.video import Video

_CHUNK = 64  # frames yielded at a time: enough to be fast
_AT_ONCE = 8 * 2**20  # bytes of whole frames that are held, and resized together
_BY_DECORD = 256 * 2**20  # bytes of a whole video, up to which earlier versions read it by decord
_FORMAT = "bilinear-1"  # change it when the stored frames of the same file would differ


class FrameStore:
    """uint8 ``[N, H, W, 3]`` RGB of each video, by frame number at the sampling rate."""

    kind = "frames"  # the folder of the cache

    def __init__(self, *, folder: Path | None = None, limit_bytes: int | None = None) -> None:
        self.store = Store(self.kind, folder=folder, limit_bytes=limit_bytes)

    @property
    def what(self) -> str:
        """What is stored, in words."""
        return self.kind

    def key(self, video: Video, size: tuple[int, int]) -> str:
        return make_key(video.key, _FORMAT, _decoder(video), *size)

    def has(self, video: Video, size: tuple[int, int]) -> bool:
        """Whether the frames are stored."""
        return self.store.has(self.key(video, size))

    def open(self, video: Video, size: tuple[int, int]) -> StoredArray:
        """The stored frames, decoding them first if they aren't there.

        Raises:
            VideoError: the video does not decode to its end.
        """

        def stored() -> StoredArray:
            while (frames := self.store.get(self.key(video, size))) is None:
                self.ensure(video, [size])
            return frames

        return again(stored)

    def ensure(self, video: Video, sizes: Iterable[tuple[int, int]]) -> None:
        """Decode `video` once, storing every size that is missing.

        Raises:
            VideoError: the video does not decode to its end; nothing of it is stored.
        """
        wanted = {self.key(video, size): size for size in sizes}
        if all(self.store.path(key).exists() for key in wanted):
            return
        with self.store.lock(video.key):
            missing = {k: size for k, size in wanted.items() if not self.store.path(k).exists()}
            if missing:
                again(lambda: self._decode(video, missing))

    def _decode(self, video: Video, missing: dict[str, tuple[int, int]]) -> None:
        shapes = {key: (*size, 3) for key, size in missing.items()}
        with self.store.writers(shapes, np.dtype(np.uint8)) as writers:
            for chunk in self._images(video, list(missing.values())):
                for key, frames in zip(missing, chunk, strict=True):
                    writers[key].append(frames)

    def _images(self, video: Video, sizes: list[tuple[int, int]]) -> Iterator[list[np.ndarray]]:
        """What is stored: consecutive frames ``[n, H, W, 3]`` of each size."""
        return sampled_frames(video, sizes)


def _decoder(video: Video) -> str:
    """What is in the key of a video's frames: those of earlier versions, which are equal, count."""
    if video.info.decoder != "pyav":
        return video.info.decoder
    whole = len(video.info) * video.info.height * video.info.width * 3
    return "decord" if whole <= _BY_DECORD else "pyav"


def whole_frames(video: Video) -> Iterator[np.ndarray]:
    """The sampled frames of a video in order, uint8 ``[H, W, 3]`` as they are in the file.

    Raises:
        VideoError: the video does not decode to its end.
    """
    repeats = np.bincount(video.indices, minlength=len(video.info))
    video.check()
    for index, frame in zip(
        np.flatnonzero(repeats), read_frames(video.info, repeats > 0), strict=True
    ):
        for _ in range(int(repeats[index])):
            yield frame
    video.check()


def sampled_frames(
    video: Video, sizes: Sequence[tuple[int, int]], *, at_once: int = _CHUNK
) -> Iterator[list[np.ndarray]]:
    """The sampled frames of a video in order, at every one of `sizes`, decoded once.

    Yields:
        some consecutive frames, usually `at_once`: uint8 ``[n, H, W, 3]`` for each size.

    Raises:
        VideoError: the video does not decode to its end.
    """
    chunk: list[np.ndarray] = []
    resized: list[list[np.ndarray]] = []
    for frame in whole_frames(video):
        # Some cameras change the size within a file.
        if chunk and (frame.shape != chunk[0].shape or len(chunk) * frame.nbytes >= _AT_ONCE):
            resized.append(_resized(chunk, sizes))
            chunk = []
        chunk.append(frame)
        if sum(len(first) for first, *_ in resized) + len(chunk) == at_once:
            yield _joined([*resized, _resized(chunk, sizes)])
            chunk, resized = [], []
    if chunk:
        resized.append(_resized(chunk, sizes))
    if resized:
        yield _joined(resized)


def _joined(parts: list[list[np.ndarray]]) -> list[np.ndarray]:
    """Consecutive frames ``[n, H, W, 3]`` of each size, joined from parts."""
    return (
        parts[0] if len(parts) == 1 else [np.concatenate(size) for size in zip(*parts, strict=True)]
    )


def _resized(frames: list[np.ndarray], sizes: Sequence[tuple[int, int]]) -> list[np.ndarray]:
    stacked = np.stack(frames)
    return [resize(stacked, size) for size in sizes]
