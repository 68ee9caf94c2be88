"""Crops: what moves, cut out of the frames at the file's own resolution.

A far animal is a few pixels of a frame that is made small for a backbone. What moves is found in the
small frames; then the video is decoded again, and the box around it is resized instead of the frame.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import repeat
from pathlib import Path

import numpy as np

from data.clips.transforms import resize
from data.files.array import Rows
from data.files.store import make_key
from data.stores.boxes import video_boxes
from data.stores.frames import FrameStore, whole_frames
from data.stores.motion import (
    MotionFrames,
    Reference,
    background,
    difference,
    open_motion,
    relit,
    video_background,
)
from data.videos.times import spread
from data.videos.video import Video

_FORMAT = "crop-1"  # change it when the crops of the same video would differ
_BACKGROUND_BYTES = 96e6  # of whole frames that are held for their median
_LEAST_SAMPLES, _MOST_SAMPLES = 8, 64


class CroppedStore(FrameStore):
    """The `video_boxes` of each video, as uint8 ``[N, H, W, 3]``; the whole frames are stored, too.

    Args:
        of: what is cut out: each frame, or what it is compared with: the background or the frame
            before, in the box of the frame itself.
        folder, limit_bytes: as in `FrameStore`.
    """

    kind = "crops"

    def __init__(
        self,
        of: Reference | None = None,
        *,
        folder: Path | None = None,
        limit_bytes: int | None = None,
    ) -> None:
        super().__init__(folder=folder, limit_bytes=limit_bytes)
        self.whole = FrameStore(folder=folder, limit_bytes=limit_bytes)
        self.of = of

    @property
    def what(self) -> str:
        return f"{self.kind} of the {self.of} frames" if self.of else self.kind

    def key(self, video: Video, size: tuple[int, int]) -> str:
        of = [self.of] if self.of else []
        return make_key(self.whole.key(video, size), _FORMAT, *of)

    def compared(self, mode: Reference) -> CroppedStore:
        """What these crops are compared with."""
        folder, of = self.store.folder.parent, "background" if mode == "relit" else mode
        return CroppedStore(of, folder=folder, limit_bytes=self.store.limit_bytes)

    def _images(self, video: Video, sizes: list[tuple[int, int]]) -> Iterator[list[np.ndarray]]:
        shape = (video.info.height, video.info.width)
        small = [self._small(video, size) for size in sizes]
        found = [video_boxes(self.whole, video, size) for size in sizes]
        for number, frame in enumerate(self._frames(video)):
            images = []
            for size, frames, of_size in zip(sizes, small, found, strict=True):
                box = of_size[number]
                whole = tuple(box) == (0, 0, *shape)
                images.append(frames(number)[None] if whole else _crop(frame, box, shape, size))
            yield images

    def _frames(self, video: Video) -> Iterator[np.ndarray]:
        """For each frame the picture that is cut, as large as in the file."""
        if self.of == "background":
            yield from repeat(_whole_background(video), len(video))
        elif self.of == "previous":
            before = None
            for frame in whole_frames(video):
                yield frame if before is None else before
                before = frame
        else:
            yield from whole_frames(video)

    def _small(self, video: Video, size: tuple[int, int]) -> Callable[[int], np.ndarray]:
        """The same pictures where they are not cut."""
        if self.of == "background":
            still = video_background(self.whole, video, size)
            return lambda number: still
        frames, back = self.whole.open(video, size), int(self.of == "previous")
        return lambda number: frames[max(number - back, 0)]


def _whole_background(video: Video) -> np.ndarray:
    """A video's `background` as large as in the file, of as many frames as can be held."""
    frame_bytes = video.info.height * video.info.width * 3
    samples = int(np.clip(_BACKGROUND_BYTES // frame_bytes, _LEAST_SAMPLES, _MOST_SAMPLES))
    picks = set(spread(len(video), min(samples, len(video))).tolist())
    kept = [frame for number, frame in enumerate(whole_frames(video)) if number in picks]
    # Some cameras change the size within a file.
    return background(np.stack([frame for frame in kept if frame.shape == kept[0].shape]))


class CroppedMotion:
    """The motion images of a video's crops, made when they are asked for: ``images[numbers]``.

    Args:
        crops, compared: uint8 ``[N, H, W, 3]``.
        light: bring the crops to the light of what they are compared with.
    """

    def __init__(self, crops: Rows, compared: Rows, *, light: bool) -> None:
        self.crops, self.compared, self.light = crops, compared, light
        self.shape = crops.shape

    def __len__(self) -> int:
        return len(self.crops)

    def __getitem__(self, index: np.ndarray | slice) -> np.ndarray:
        crops, compared = self.crops[index], self.compared[index]
        return difference(relit(crops, compared) if self.light else crops, compared)


Pictures = Rows | MotionFrames | CroppedMotion


def open_pictures(
    store: FrameStore, video: Video, size: tuple[int, int], motion: Reference | None = None
) -> Pictures:
    """A video's stored frames or crops, or their motion images.

    Raises:
        VideoError: the video does not decode to its end.
    """
    if motion is None:
        return store.open(video, size)
    if isinstance(store, CroppedStore):
        compared = store.compared(motion).open(video, size)
        return CroppedMotion(store.open(video, size), compared, light=motion == "relit")
    return open_motion(store, video, size, motion)


def _crop(
    frame: np.ndarray, box: np.ndarray, shape: tuple[int, int], size: tuple[int, int]
) -> np.ndarray:
    """uint8 ``[1, *size, 3]``, a box of a frame; some cameras change the size within a file."""
    scale = np.array([frame.shape[0] / shape[0], frame.shape[1] / shape[1]])
    top, left = np.floor(box[:2] * scale).astype(np.int64)
    bottom, right = np.ceil(box[2:] * scale).astype(np.int64)
    return resize(frame[None, top:bottom, left:right], size)
