"""The feature store: a frozen backbone's output for each frame, computed once for every trial.

An image backbone is given the frame, and a video backbone the clip that ends at it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import filelock
import numpy as np

from data.clips.direct import read_clips
from data.clips.index import clip_indices
from data.files.shared import Shared
from data.files.store import Store, make_key
from data.prefetch import prefetched
from data.stores.frames import FrameStore, sampled_frames
from data.stores.motion import MotionFrames, Reference, open_motion
from data.videos.times import spread
from data.videos.video import Video

# From uint8 frames [n, H, W, 3], or clips [n, L, H, W, 3] if the store has a window, to features [n, F].
Backbone = Callable[[np.ndarray], np.ndarray]


class FeatureStore:
    """float16 ``[N, F]`` of each video, by frame number.

    Args:
        frames: where frames come from.
        size: height and width of the frames that the backbone is given.
        backbone_key: all that determines the backbone's output (network, weights, pooling).
        backbone: makes the callable; called only if some feature is missing.
        batch_size: frames given to the backbone at a time; every frame of a clip counts.
        window: length and stride of the clip that the backbone is given for each frame, which ends
            at it as in `clip_indices`; None: the frame alone.
        places: with a window, give the backbone only so many clips, spread over the video; its features
            are then ``[places, F]``. None: one that ends at each frame.
        motion: give the backbone the motion images against this reference instead of the frames.
        direct: decode frames from the file, without keeping them in the frame store.
        folder, limit_bytes, shared: as in `Store`.
    """

    def __init__(
        self,
        frames: FrameStore,
        *,
        size: tuple[int, int],
        backbone_key: str,
        num_features: int,
        backbone: Callable[[], Backbone],
        batch_size: int = 32,
        window: tuple[int, int] | None = None,
        places: int | None = None,
        motion: Reference | None = None,
        direct: bool = False,
        folder: Path | None = None,
        limit_bytes: int | None = None,
        shared: Shared | None = None,
    ) -> None:
        self.frames, self.size, self.batch_size = frames, size, batch_size
        self.backbone_key, self.num_features = backbone_key, num_features
        self.window, self.places, self.motion, self.direct = window, places, motion, direct
        self.store = Store("features", folder=folder, limit_bytes=limit_bytes, shared=shared)
        self.make_backbone = backbone
        self._backbone: Backbone | None = None

    def key(self, video: Video) -> str:
        window = ("window", *self.window) if self.window else ()
        if self.places is not None:
            window = (*window, "places", self.places)
        motion = ("motion", self.motion) if self.motion else ()
        return make_key(self.frames.key(video, self.size), self.backbone_key, *window, *motion)

    @property
    def kind(self) -> tuple[Any, ...]:
        """Equal for stores that give equal features of every video."""
        of_backbone = (self.backbone_key, self.window, self.places)
        return *of_backbone, self.frames.kind, self.size, self.motion

    def has(self, video: Video) -> bool:
        """Whether nothing has to be computed for `video`."""
        return self.store.has(self.key(video))

    def share(self, video: Video) -> None:
        """Share the features of `video` with other machines, if this one has them."""
        self.store.share(self.key(video))

    def open(self, video: Video) -> np.memmap:
        """The stored features, computing them first if they aren't there."""
        while (features := self.store.get(self.key(video))) is None:
            self.ensure([video])
        return features

    def ensure(
        self, videos: Iterable[Video], on_video: Callable[[Video], None] | None = None
    ) -> None:
        """Compute what is missing. Processes that want the same videos divide the work.

        A video that another process is computing comes last, when it is usually done.
        """
        busy = []
        for video in videos:
            if not self._ensure_one(video, wait=False):
                busy.append(video)
            elif on_video:
                on_video(video)
        for video in busy:
            self._ensure_one(video, wait=True)
            if on_video:
                on_video(video)

    def _ensure_one(self, video: Video, *, wait: bool) -> bool:
        """Whether the features are stored now; False only without `wait`, if another computes them."""
        key = self.key(video)
        if self.store.has(key):
            return True
        lock = self.store.lock(key)
        try:
            lock.acquire(blocking=wait)
        except filelock.Timeout:
            return False
        try:
            if not self.store.has(key):
                self._compute(video, key)
        finally:
            lock.release()
        return True

    def _compute(self, video: Video, key: str) -> None:
        if self._backbone is None:
            self._backbone = self.make_backbone()
        shape = {key: (self.num_features,)}
        with self.store.writers(shape, np.dtype(np.float16)) as writers:
            for inputs in prefetched(self._direct(video)) if self.direct else self._stored(video):
                features = self._backbone(inputs)
                # float16 ends at 65504; a feature beyond it would be stored as infinity.
                limit = np.finfo(np.float16).max
                writers[key].append(np.clip(features, -limit, limit).astype(np.float16))

    def _stored(self, video: Video) -> Iterator[np.ndarray]:
        """The backbone's inputs for each frame of `video`, in batches."""
        step = self._step()
        frames: np.ndarray | MotionFrames = self.frames.open(video, self.size)
        if self.motion:
            frames = open_motion(self.frames, video, self.size, self.motion)
        if self.window is None:
            for start in range(0, len(frames), step):
                yield np.asarray(frames[start : start + step])
            return
        ends = self._ends(video)
        for start in range(0, len(ends), step):
            yield np.asarray(frames[clip_indices(ends[start : start + step], *self.window)])

    def _direct(self, video: Video) -> Iterator[np.ndarray]:
        """The same without the frame store."""
        if self.window is None:
            for (frames,) in sampled_frames(video, [self.size], at_once=self.batch_size):
                yield frames
            return
        windows = clip_indices(self._ends(video), *self.window)
        batch: list[np.ndarray] = []
        for _, clip in read_clips(video, windows, size=self.size):
            batch.append(clip)
            if len(batch) == self._step():
                yield np.stack(batch)
                batch = []
        if batch:
            yield np.stack(batch)

    def _ends(self, video: Video) -> np.ndarray:
        """The frames at which clips end."""
        return np.arange(len(video)) if self.places is None else spread(len(video), self.places)

    def _step(self) -> int:
        return max(1, self.batch_size // self.window[0]) if self.window else self.batch_size
