"""Features of every frame of videos, for models that predict: stored, or computed each time."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence, Sized
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

import models
from data import FeatureStore, Video
from data.prefetch import prefetched
from data.stores.features import ensure, together
from data.stores.frames import sampled_frames
from models.config import ModelConfig
from models.registry import REGISTRY
from tuner.config.sections import DataConfig
from tuner.training.clips.backbone import Advance, backbone_callable, input_shape
from tuner.training.clips.stored import pictures, reader
from tuner.training.device import best_device


@dataclass(frozen=True)
class Extractor:
    """Gives a model's features of every frame of a video, ``[N, F]``: ``extractor(video)``.

    Attributes:
        kind: equal for models that are given equal features.
        stores: that keep them; none, if they are computed each time.
    """

    kind: Hashable
    of: Callable[[Video], Tensor]
    stores: Sequence[FeatureStore] = ()

    def __call__(self, video: Video) -> Tensor:
        return self.of(video)


def extractor(
    model: models.VideoClassifier, data: DataConfig, on_frames: Advance | None = None
) -> Extractor | None:
    """What gives a model's features of every frame of a video.

    They are stored, or computed with the model's own backbone over images: a frame goes through it
    once, however many clips it is part of.

    Returns:
        None for a model that has no features of frames.
    """
    if read := reader(model, data, on_frames):
        return Extractor(read.kind, lambda video: read([video])[0], read.stores)
    if REGISTRY[model.config.architecture].backbone != "image":
        return None
    assert model.backbone is not None
    from models.backbones.folding import folded

    backbone = folded(model.backbone.cpu().eval(), input_shape(model.config))
    run = backbone_callable(backbone, best_device(), on_frames=on_frames)
    return Extractor(run, lambda video: _computed_features(run, model.config, data, video))


def _computed_features(
    run: Callable[[np.ndarray], Tensor],
    config: ModelConfig,
    data: DataConfig,
    video: Video,
    at_once: int = 32,
) -> Tensor:
    """Features of every frame of `video`, float32 ``[N, F]``, from the backbone `run`."""
    size = models.frame_size(config)
    if data.frames == "direct":
        chunks = (chunk for (chunk,) in sampled_frames(video, [size], at_once=at_once))
        return torch.cat([run(chunk).cpu() for chunk in prefetched(chunks)])
    parts = [
        torch.cat(
            [run(np.asarray(seen[i : i + at_once])).cpu() for i in range(0, len(seen), at_once)]
        )
        for seen in pictures(config, data, video)
    ]
    return torch.cat(parts, dim=1)


def store(extractors: Iterable[Extractor | None], video: Video) -> None:
    """Store what is missing of a video's features; a network gives all that is wanted of it at once."""
    wanted = {each.kind: each for one in extractors if one for each in one.stores}
    ensure(wanted.values(), [video])


def alike(kinds: Iterable[Hashable]) -> list[list[int]]:
    """The numbers of equal kinds together; None, of a model without features, is equal to no other."""
    of: dict[Hashable, list[int]] = {}
    for number, kind in enumerate(kinds):
        of.setdefault(number if kind is None else (kind,), []).append(number)
    return list(of.values())


def steps(members: Iterable[models.VideoClassifier], videos: Iterable[Sized]) -> int:
    """How many pictures go through networks if each model predicts `videos` by itself: frames, and their
    motion images.
    """
    pictures = sum(len(models.streams(model.config)) for model in members)
    return sum(map(len, videos)) * pictures


def shared_steps(
    members: Iterable[models.VideoClassifier], videos: Iterable[Sized], data: DataConfig
) -> int:
    """As `steps`, of models that predict together: a frozen network sees a picture once for all."""
    stores, pictures = dict[Hashable, FeatureStore](), 0
    for model in members:
        if read := reader(model, data):
            stores |= {each.kind: each for each in read.stores}
        else:
            pictures += len(models.streams(model.config))
    return sum(map(len, videos)) * (pictures + len(together(stores.values())))
