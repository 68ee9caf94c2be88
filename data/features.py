"""The feature store: a frozen backbone's output for each frame, computed once for every trial."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import filelock
import numpy as np

from data.frames import FrameStore
from data.store import Store, make_key
from data.videos import Video

# uint8 frames [n, H, W, 3] to features [n, F]; what it is, the store does not need to know.
Backbone = Callable[[np.ndarray], np.ndarray]


class FeatureStore:
    """float16 ``[N, F]`` of each video, by frame number.

    Args:
        frames: where frames come from.
        size: height and width of the frames that the backbone is given.
        backbone_key: all that determines the backbone's output (network, weights, pooling).
        backbone: makes the callable; called only if some feature is missing.
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
        folder: Path | None = None,
        limit_bytes: int | None = None,
    ) -> None:
        self.frames, self.size, self.batch_size = frames, size, batch_size
        self.backbone_key, self.num_features = backbone_key, num_features
        self.store = Store("features", folder=folder, limit_bytes=limit_bytes)
        self._make_backbone = backbone
        self._backbone: Backbone | None = None

    def key(self, video: Video) -> str:
        return make_key(self.frames.key(video, self.size), self.backbone_key)

    def open(self, video: Video) -> np.memmap:
        """The stored features, computing them first if they aren't there."""
        while (features := self.store.get(self.key(video))) is None:
            self.ensure([video])
        return features

    def ensure(
        self, videos: Iterable[Video], on_video: Callable[[Video], None] | None = None
    ) -> None:
        """Compute what is missing. Processes that want the same videos share them out.

        A video that another process is at is put off to the end, when it is usually done.
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
        """Whether the features are there now; False only where `wait` is, and another is at them."""
        key = self.key(video)
        if self.store.path(key).exists():
            return True
        lock = self.store.lock(key)
        try:
            lock.acquire(blocking=wait)
        except filelock.Timeout:
            return False
        try:
            if not self.store.path(key).exists():
                self._compute(video, key)
        finally:
            lock.release()
        return True

    def _compute(self, video: Video, key: str) -> None:
        frames = self.frames.open(video, self.size)
        if self._backbone is None:
            self._backbone = self._make_backbone()
        shape = {key: (self.num_features,)}
        with self.store.writers(shape, np.dtype(np.float16)) as writers:
            for start in range(0, len(frames), self.batch_size):
                features = self._backbone(np.asarray(frames[start : start + self.batch_size]))
                # float16 ends at 65504; a feature beyond it would be stored as infinity.
                limit = np.finfo(np.float16).max
                writers[key].append(np.clip(features, -limit, limit).astype(np.float16))
