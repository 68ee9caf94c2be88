"""The feature store: a frozen backbone's output for each frame, computed once for every trial.

An image backbone is given the frame, and a video backbone the clip that ends at it.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import filelock
import numpy as np

from data.clips.direct import read_clips, stacked
from data.clips.index import clip_indices
from data.files.array import StoredArray
from data.files.shared import Shared
from data.files.store import Store, make_key
from data.files.whole import again
from data.prefetch import prefetched
from data.stores.crops import open_pictures
from data.stores.frames import FrameStore, sampled_frames
from data.stores.motion import Reference
from data.videos.times import spread
from data.videos.video import Video


class OfVideo(ABC):
    """A backbone whose features of a frame depend on the video's other frames."""

    @abstractmethod
    def features(
        self, inputs: Callable[[], Iterator[np.ndarray]], count: int
    ) -> Iterator[np.ndarray]:
        """Yield the features ``[n, F]`` of a video in order.

        Args:
            inputs: gives what a `Backbone` is given, from the beginning, each time it is called.
            count: of the video's frames.
        """

    def alone(self, inputs: np.ndarray) -> np.ndarray:
        """Features ``[n, F]`` of frames as if they were a video."""
        return np.concatenate(list(self.features(lambda: iter([inputs]), len(inputs))))


# From uint8 frames [n, H, W, 3], or clips [n, L, H, W, 3] if the store has a window, to features [n, F].
Backbone = Callable[[np.ndarray], np.ndarray]
# From some of a backbone's outputs to what gives them, one after the other: F sums their widths
MakeBackbone = Callable[[Sequence[Any]], Backbone | OfVideo]


class FeatureStore:
    """float16 ``[N, F]`` of each video, by frame number.

    Args:
        frames: where frames come from.
        size: height and width of the frames that the backbone is given.
        backbone_key: all that determines the features of a frame (network, weights, output).
        backbone: makes the callable; called only if some feature is missing.
        output: which of the backbone's outputs is stored.
        batch_size: frames given to the backbone at a time; every frame of a clip counts.
        window: of the clip that the backbone is given for each frame, as in `clip_indices`: length,
            stride, and the frames after its own if there are any; None: the frame alone.
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
        backbone: MakeBackbone,
        output: Hashable = None,
        batch_size: int = 32,
        window: tuple[int, ...] | None = None,
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
        self.make_backbone, self.output = backbone, output

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

    @property
    def source(self) -> tuple[Any, ...]:
        """Equal for stores whose features are outputs of one backbone for the same pictures."""
        pictures = self.frames.kind, self.size, self.motion, self.direct
        return *pictures, self.window, self.places, self.make_backbone

    def has(self, video: Video) -> bool:
        """Whether nothing has to be computed for `video`."""
        return self.store.has(self.key(video))

    def share(self, video: Video) -> None:
        """Share the features of `video` with other machines, if this one has them."""
        self.store.share(self.key(video))

    def open(self, video: Video) -> StoredArray:
        """The stored features, computing them first if they aren't there."""

        def stored() -> StoredArray:
            while (features := self.store.get(self.key(video))) is None:
                self.ensure([video])
            return features

        return again(stored)

    def read(self, video: Video) -> np.ndarray:
        """The stored features, all of them checked; computed first if they aren't there."""
        return again(lambda: np.asarray(self.open(video)))

    def ensure(
        self, videos: Iterable[Video], on_video: Callable[[Video], None] | None = None
    ) -> None:
        """`ensure` of this store alone."""
        ensure([self], videos, on_video)

    def inputs(self, video: Video) -> Iterator[np.ndarray]:
        """What the backbone is given for the features of `video`, in batches."""
        return prefetched(self._direct(video)) if self.direct else self._stored(video)

    def _stored(self, video: Video) -> Iterator[np.ndarray]:
        """The backbone's inputs for each frame of `video`, in batches."""
        step = self._step()
        frames = open_pictures(self.frames, video, self.size, self.motion)
        if self.window is None:
            for start in range(0, len(frames), step):
                yield np.asarray(frames[start : start + step])
            return
        ends = self._ends(video)
        for start in range(0, len(ends), step):
            yield np.asarray(frames[self._clips(ends[start : start + step], len(video))])

    def _direct(self, video: Video) -> Iterator[np.ndarray]:
        """The same without the frame store."""
        if self.window is None:
            for (frames,) in sampled_frames(video, [self.size], at_once=self.batch_size):
                yield frames
            return
        windows = self._clips(self._ends(video), len(video))
        batch: list[list[np.ndarray]] = []
        for _, clip in read_clips(video, windows, size=self.size):
            batch.append(clip)
            if len(batch) == self._step():
                yield stacked(batch)
                batch = []
        if batch:
            yield stacked(batch)

    def _clips(self, frames: np.ndarray, count: int) -> np.ndarray:
        assert self.window is not None
        length, stride, *after = self.window
        return clip_indices(frames, length, stride, after=sum(after), count=count)

    def _ends(self, video: Video) -> np.ndarray:
        """The frames that the clips are of."""
        return np.arange(len(video)) if self.places is None else spread(len(video), self.places)

    def _step(self) -> int:
        return max(1, self.batch_size // self.window[0]) if self.window else self.batch_size


def ensure(
    stores: Iterable[FeatureStore],
    videos: Iterable[Video],
    on_video: Callable[[Video], None] | None = None,
    *,
    at_once: int = 1,
) -> None:
    """Compute what is missing in `stores`; those of the same source in one pass of its backbone.

    Processes that want the same videos divide the work: a video that another one is computing comes
    last, when it is usually done.

    Args:
        on_video: told each video for each source, once its features are stored.
        at_once: videos that are read side by side, so that a backbone on a GPU need not wait for frames.
    """
    videos, backbones = list(videos), _Backbones()
    for group in together(stores):
        left = videos
        for wait in (False, True):
            one = partial(_ensure_one, group, backbones=backbones, wait=wait)
            busy = []
            for video, done in zip(left, _each(one, left, at_once), strict=True):
                if not done:
                    busy.append(video)
                elif on_video:
                    on_video(video)
            left = busy


def _each(action: Callable[[Video], bool], videos: Sequence[Video], at_once: int) -> Iterator[bool]:
    """What `action` returns of each; after an exception no further one is begun."""
    if at_once == 1:
        yield from map(action, videos)
        return
    pool = ThreadPoolExecutor(at_once)
    try:
        yield from pool.map(action, videos)
    finally:
        pool.shutdown(cancel_futures=True)


class _Backbones:
    """Backbones that are each made once, whichever thread asks first."""

    def __init__(self) -> None:
        self._made: dict[tuple[Any, ...], Backbone | OfVideo] = {}
        self._lock = threading.Lock()

    def of(self, stores: Sequence[FeatureStore]) -> Backbone | OfVideo:
        make, wanted = stores[0].make_backbone, [store.output for store in stores]
        with self._lock:
            if (key := (make, *wanted)) not in self._made:
                self._made[key] = make(wanted)
            return self._made[key]


def together(stores: Iterable[FeatureStore]) -> list[list[FeatureStore]]:
    """`stores` in groups of the same source."""
    groups: dict[tuple[Any, ...], list[FeatureStore]] = {}
    for store in stores:
        groups.setdefault(store.source, []).append(store)
    return list(groups.values())


def _ensure_one(
    group: Sequence[FeatureStore], video: Video, *, backbones: _Backbones, wait: bool
) -> bool:
    """Whether the features are stored now; False only without `wait`, if another computes them."""
    if all(store.has(video) for store in group):
        return True
    with ExitStack() as locks:
        for key in sorted(store.key(video) for store in group):  # all processes in one order
            lock = group[0].store.lock(key)
            try:
                lock.acquire(blocking=wait)
            except filelock.Timeout:
                return False
            locks.callback(lock.release)
        if missing := [store for store in group if not store.has(video)]:
            backbone = backbones.of(missing)
            again(lambda: _compute(missing, video, backbone))
    return True


def _compute(stores: Sequence[FeatureStore], video: Video, backbone: Backbone | OfVideo) -> None:
    keys = [store.key(video) for store in stores]
    widths = [store.num_features for store in stores]
    shapes = {key: (width,) for key, width in zip(keys, widths, strict=True)}
    limit = np.finfo(np.float16).max
    with stores[0].store.writers(shapes, np.dtype(np.float16)) as writers:
        source = stores[0]
        if isinstance(backbone, OfVideo):
            parts_of_video = backbone.features(lambda: source.inputs(video), len(video))
        else:
            parts_of_video = map(backbone, source.inputs(video))
        for features in parts_of_video:
            # float16 ends at 65504; a feature beyond it would be stored as infinity.
            features = np.clip(features, -limit, limit).astype(np.float16)
            parts = np.split(features, np.cumsum(widths)[:-1], axis=1)
            for key, part in zip(keys, parts, strict=True):
                writers[key].append(part)
