"""Clips in batches, three ways: windows over stored features, stored frames, or the file itself."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol, Self

import numpy as np
import torch
from torch import Tensor

from data import Video
from data.clips.direct import read_clips, stacked
from data.files.array import StoredArray
from data.prefetch import prefetched
from data.stores.crops import Pictures
from models.layers.windows import Windows
from tuner.training.device import AtOnce

# From the frame numbers of clips [M, L] to those to train on: time jitter and the like.
Jitter = Callable[[Tensor], Tensor]
_CPU = torch.device("cpu")
_POOL = 8  # batches in the pool from which direct reading draws one


class Clips(Protocol):
    """The labelled clips of one split.

    Attributes:
        labels: of the clips, as the task encodes them: ``[M]``, or ``[M, C]``.
    """

    labels: Tensor

    def __len__(self) -> int: ...

    def to(self, device: torch.device) -> Self: ...

    def batches(
        self, order: Tensor, size: int, *, windows: Jitter | None = None
    ) -> Iterator[tuple[Tensor | Windows, Tensor]]:
        """Clips and their labels, `size` at a time.

        Args:
            order: which clips. If it increases, they come in this order. Else each comes as often as
                it is in `order`, in another random order.
        """


@dataclass
class FeatureClips:
    """Windows over the features of a split's frames; each frame is held once.

    Attributes:
        features: float16 ``[V * N, F]``, every frame of the split's videos, once a view.
        index: int64 ``[M, L]``, the frames of each clip in the first view.
        views: V; each clip of a batch is taken from one of them.
    """

    features: Tensor
    index: Tensor
    labels: Tensor
    views: int = 1

    def __len__(self) -> int:
        return len(self.labels)

    def to(self, device: torch.device) -> FeatureClips:
        return replace(
            self,
            features=self.features.to(device),
            index=self.index.to(device),
            labels=self.labels.to(device),
        )

    def every_view(self, most: int | None = None) -> FeatureClips:
        """The same with each clip once a view, all of the first view first.

        Args:
            most: clips; later views than the first are left out where there would be more.
        """
        frames, views = len(self.features) // self.views, self.views
        if most is not None:
            views = min(views, max(1, most // len(self)))
        index = torch.cat([self.index + view * frames for view in range(views)])
        return replace(self, index=index, labels=torch.cat([self.labels] * views), views=1)

    def batches(
        self, order: Tensor, size: int, *, windows: Jitter | None = None
    ) -> Iterator[tuple[Tensor | Windows, Tensor]]:
        for which in order.to(self.labels.device).split(size):
            yield self.batch(which, windows=windows)

    def batch(
        self, which: Tensor, *, windows: Jitter | None = None
    ) -> tuple[Tensor | Windows, Tensor]:
        """Clips and labels ``[B]``; a frame that several clips share is there once.

        On a GPU they are gathered, ``[B, L, F]``: to look for what they share would mean to wait for it.
        """
        index = self.index[which]
        if windows:
            index = windows(index)
        if self.views > 1:
            view = torch.randint(self.views, (len(which), 1)).to(index.device)
            index = index + view * (len(self.features) // self.views)
        if index.is_cuda:
            return self.features[index].float(), self.labels[which]
        frames, place = torch.unique(index, return_inverse=True)
        return Windows(self.features[frames].float(), place), self.labels[which]


@dataclass(kw_only=True)
class _Numbered:
    """Clips as frame numbers of a split's videos.

    Attributes:
        video: int64 ``[M]``, which video a clip is of.
        index: int64 ``[M, L]``, frame numbers within it.
        labels: of the clips, as the task encodes them: ``[M]``, or ``[M, C]``.
    """

    video: Tensor
    index: Tensor
    labels: Tensor
    device: torch.device = _CPU

    def __len__(self) -> int:
        return len(self.labels)

    def to(self, device: torch.device) -> Self:
        return replace(self, labels=self.labels.to(device), device=device)

    def drawn(self, order: Tensor, windows: Jitter | None) -> Tensor:
        """Frame numbers ``[len(order), L]``.

        They are drawn before another thread reads the frames: draws in that thread would disturb the
        sequence of random numbers.
        """
        return windows(self.index[order]) if windows else self.index[order]


@dataclass(kw_only=True)
class FrameClips(_Numbered):
    """Clips gathered from memory-mapped frames, during the training on the previous batch.

    Attributes:
        videos: what is seen of each: uint8 ``[N, H, W, 3]`` for each of S streams.
    """

    videos: Sequence[Sequence[Pictures]]

    def batches(
        self, order: Tensor, size: int, *, windows: Jitter | None = None
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Clips are uint8 ``[B, S * L, 3, H, W]``, one stream after the other."""
        order = order.cpu()
        index = self.drawn(order, windows)
        places = torch.arange(len(order)).split(size)
        return prefetched(
            (self._gather(self.video[order[p]], index[p]), self.labels[order[p].to(self.device)])
            for p in places
        )

    def _gather(self, video: Tensor, index: Tensor) -> Tensor:
        count, length = index.shape
        streams, shape = len(self.videos[0]), self.videos[0][0].shape[1:]
        clips = np.empty((count, streams, length, *shape), np.uint8)
        for clip, number, frames in zip(clips, video.tolist(), index.numpy(), strict=True):
            for part, pictures in zip(clip, self.videos[number], strict=True):
                if isinstance(pictures, StoredArray):
                    pictures.take(frames, part)
                else:
                    part[:] = pictures[frames]
        clips = clips.reshape(count, streams * length, *shape)
        return _to_device(torch.from_numpy(clips), self.device)


@dataclass(kw_only=True)
class DirectClips(_Numbered):
    """Clips decoded from the files each time, each video read forward from its beginning.

    A batch is drawn from a pool of several that are read ahead, so that it is not one stretch of time.
    One pass over the clips decodes each video once.

    Attributes:
        videos: the split's; clips are sorted by video and frame.
        size: height and width.
    """

    videos: Sequence[Video]
    size: tuple[int, int]

    def batches(
        self, order: Tensor, size: int, *, windows: Jitter | None = None
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Clips are uint8 ``[B, L, 3, H, W]``."""
        order = order.cpu()
        index = self.drawn(order, windows)
        in_order = bool((order.diff() > 0).all())
        seed = 0 if in_order else int(torch.randint(2**31, ()))
        return prefetched(self._read(order, index, size, None if in_order else seed))

    def _read(
        self, order: Tensor, index: Tensor, size: int, seed: int | None
    ) -> Iterator[tuple[Tensor, Tensor]]:
        draw = random.Random(seed)
        pool: list[tuple[int, list[np.ndarray]]] = []
        for number in dict.fromkeys(self.video[order].tolist()):
            rows = (self.video[order] == number).nonzero().flatten()
            for row, clip in read_clips(self.videos[number], index[rows].numpy(), size=self.size):
                pool.append((int(order[rows[row]]), clip))
                if seed is None and len(pool) == size:
                    yield self._batch(pool)
                    pool = []
                elif len(pool) == size * _POOL:
                    draw.shuffle(pool)
                    yield self._batch(pool[:size])
                    del pool[:size]
        if seed is not None:
            draw.shuffle(pool)
        for start in range(0, len(pool), size):
            yield self._batch(pool[start : start + size])

    def _batch(self, clips: list[tuple[int, list[np.ndarray]]]) -> tuple[Tensor, Tensor]:
        which = torch.tensor([number for number, _ in clips], device=self.device)
        frames = torch.from_numpy(stacked([clip for _, clip in clips]))
        return _to_device(frames, self.device), self.labels[which]


def all_logits(
    model: Callable[..., Tensor],
    clips: Clips,
    size: int,
    *,
    on_batch: Callable[[Tensor], None] = lambda logits: None,
) -> Tensor:
    """float32 ``[M, C]`` of all clips in their order, `size` at a time, without gradients.

    Args:
        on_batch: called with the logits of each batch.

    Raises:
        OutOfMemory: one clip alone does not fit; as long as it does, batches are taken in parts.
    """
    at_once = AtOnce(size)
    # One array: small pieces that stay between the large arrays of batches fragment the heap, by
    # 5 GB over the clips of an hour of video.
    logits, done = None, 0
    with torch.inference_mode():
        for batch, _ in clips.batches(torch.arange(len(clips)), size):
            part = at_once(partial(_logits, model, batch), len(batch))
            if logits is None:
                logits = part.new_empty(len(clips), part.shape[1], dtype=torch.float32)
            logits[done : done + len(part)] = part
            done += len(part)
            on_batch(part)
    assert logits is not None  # every split has clips
    return logits


def _logits(model: Callable[..., Tensor], batch: Tensor | Windows, size: int) -> Tensor:
    return torch.cat([model(part) for part in batch.split(size)])


def _to_device(clips: Tensor, device: torch.device) -> Tensor:
    """uint8 ``[B, L, H, W, 3]`` as ``[B, L, 3, H, W]`` on the device, where it is channels last."""
    if device.type == "cuda":
        clips = clips.pin_memory().to(device, non_blocking=True)
    return clips.permute(0, 1, 4, 2, 3)
