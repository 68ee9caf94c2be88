"""Features of a model's backbone: stored once for all trials, or computed frame by frame."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

import models
from data import FeatureStore, FrameStore, Video
from data.files.shared import shared
from data.stores.crops import CroppedStore, Pictures, open_pictures
from data.stores.features import ensure
from data.stores.motion import Reference
from models.backbones.image import Backbone, Output, outputs
from models.backbones.specs import BackboneSpec, known_specs, remember_specs, spec
from models.config import ModelConfig
from models.seen import Stream
from tuner.config.sections import DataConfig
from tuner.training.clips.augment import Augmentation
from tuner.training.clips.backbone import Advance, MakeBackbone, input_shape
from tuner.training.device import backbone_precision, best_device, frames_at_once

_weights_keys: dict[tuple[str, bool, str | None], str] = {}
Known = tuple[dict[str, BackboneSpec], dict[tuple[str, bool, str | None], str]]


def known() -> Known:
    """What this process knows of backbones and their weights, for `remember` in another one."""
    return known_specs(), dict(_weights_keys)


def remember(facts: Known) -> None:
    """Take over what another process knows, so that timm, which takes seconds, need not be imported."""
    remember_specs(facts[0])
    _weights_keys.update(facts[1])


def _weights_key(config: ModelConfig) -> str:
    assert config.pretrained_model_name is not None  # as ModelConfig has checked
    key = (config.pretrained_model_name, config.pretrained, config.model_weights_path)
    if key not in _weights_keys:
        from models.backbones.load import weights_key

        _weights_keys[key] = weights_key(*key)
    return _weights_keys[key]


def open_stores(
    config: ModelConfig,
    data: DataConfig,
    *,
    augmented: Augmentation | None = None,
    view: int = 0,
    precision: str | None = None,
    backbone: Backbone | None = None,
    on_frames: Advance | None = None,
) -> list[FeatureStore]:
    """The stored features that a frozen model needs: for each of `models.streams` one store, or two
    with both poolings.

    The backbone is built only if some features are missing.

    Args:
        view: 0 are the frames as they are; any other is one draw of `augmented`, the same for all
            frames, so that a clip's frames match.
        precision: of the backbone; None: the fastest on this hardware.
        backbone: that of a model's file; None is loaded by its name.
        on_frames: told the number of frames that have gone through the backbone.
    """
    precision = precision or backbone_precision(best_device())
    name = config.pretrained_model_name
    assert name is not None  # as ModelConfig has checked
    known_as = spec(name)
    if augmented:
        augmented = replace(
            augmented, time_jitter=0, frame_drop=0
        )  # these change clips, not frames
    shown = augmented if view else None
    weights = _weights_key(config) if backbone is None else _digest(backbone)
    make = MakeBackbone(
        name=name,
        pretrained=config.pretrained,
        weights_path=config.model_weights_path,
        shape=input_shape(config),
        precision=precision,
        augmented=shown,
        view=view if shown else 0,
        network=backbone,
        weights=weights,
        on_frames=on_frames,
    )
    ending = "folded" if precision == "fp32" else f"folded:{precision}"
    if shown:
        ending += f":view {view} of {shown}"
        ending += ", mirrored in turn" if shown.unlike_before(view) else ""
    stage = config.backbone_stage
    known_by = f"{known_as.timm_name}:{weights}" + (f":{stage}" if stage != "last" else "")
    given = outputs(stage, config.pooling, config.relative)[: 1 if known_as.video else None]
    return [
        FeatureStore(
            frame_store(config, data, stream),
            size=models.frame_size(config),
            backbone_key=f"{known_by}:{_name(output)}:{ending}",
            num_features=known_as.width(stage),
            backbone=make,
            output=output,
            batch_size=frames_at_once(best_device(), models.frame_size(config)),
            window=_window(config) if known_as.video else None,
            places=config.frames_per_video if known_as.video else None,
            motion=_motion(stream),
            direct=data.frames == "direct",
            limit_bytes=data.limit_bytes,
            shared=shared(data.shared_cache, "features"),
        )
        for stream in models.streams(config)
        for output in given
    ]


def _name(output: Output) -> str:
    return f"{output.pooling} of places" if output.relative else output.pooling


def _window(config: ModelConfig) -> tuple[int, ...]:
    after = models.steps_after(config)
    return config.sequence_length, config.sequence_stride, *([after] if after else [])


def _digest(network: torch.nn.Module) -> str:
    """A digest that is equal for equal weights."""
    digest = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def stored_features(
    views: Sequence[Sequence[FeatureStore]], videos: Sequence[Video], config: ModelConfig
) -> tuple[Tensor, dict[str, int]]:
    """A model's features of `videos` in one float16 tensor ``[V * N, F]``, and where each video begins.

    Each file is read to its place and closed: of thousands of videos there is no room for a second
    copy, and a process may not have so many files open.

    Args:
        views: the stores of each view, as of `open_stores`, all of the first view first; F is the sum
            of their widths.
        config: says whether they are relative to their video's median.
    """
    ensure(views[0], videos)
    ends = np.cumsum([len(views[0][0].open(video)) for video in videos])
    begins = [0, *ends[:-1].tolist()]
    width = sum(store.num_features for store in views[0])
    features = torch.empty((len(views) * int(ends[-1]), width), dtype=torch.float16)
    for stores, rows in zip(views, features.split(int(ends[-1])), strict=True):
        ensure(stores, videos)
        columns = rows.split([store.num_features for store in stores], dim=1)
        for store, part in zip(stores, columns, strict=True):
            for video, begin, end in zip(videos, begins, ends, strict=True):
                part.numpy()[begin:end] = store.read(video)
        if config.relative in ("video", "place"):
            _subtract_medians(rows, begins)
    return features, {video.name: begin for video, begin in zip(videos, begins, strict=True)}


def _subtract_medians(features: Tensor, begins: Sequence[int]) -> None:
    """Take from each feature its median over the video, in place.

    A place where a camera stands adds much the same to the features of all its frames: without it, a
    head can't learn the place by heart.

    Args:
        features: float16 ``[N, F]``; differences are made in float32.
        begins: where each video begins, increasing.
    """
    for video in np.split(features.numpy(), begins[1:]):
        exact = video.astype(np.float32)
        video[:] = exact - np.median(exact, axis=0)


@dataclass(frozen=True)
class Reader:
    """Reads stored features of videos for a frozen model, as `stored_features` does: ``reader(videos)``.

    Attributes:
        kind: equal for models that are given equal features.
    """

    stores: Sequence[FeatureStore]
    config: ModelConfig

    @property
    def kind(self) -> Hashable:
        return tuple(store.kind for store in self.stores), self.config.relative

    def __call__(self, videos: Sequence[Video]) -> tuple[Tensor, dict[str, int]]:
        return stored_features([self.stores], videos, self.config)


def reader(
    model: models.VideoClassifier, data: DataConfig, on_frames: Advance | None = None
) -> Reader | None:
    """What reads a model's stored features; None if its backbone is trained.

    If the model has its backbone in its file, features that are not stored need neither a download nor
    a file of weights.
    """
    if not models.uses_stored_features(model.config):
        return None
    precision = model.extra.get("feature_precision")  # that of what it was trained on
    stores = open_stores(
        model.config, data, precision=precision, backbone=model.backbone, on_frames=on_frames
    )
    return Reader(stores, model.config)


def pictures(config: ModelConfig, data: DataConfig, video: Video) -> list[Pictures]:
    """What a model sees of a video: uint8 ``[N, H, W, 3]`` for each of `models.streams`."""
    size = models.frame_size(config)
    return [
        open_pictures(frame_store(config, data, stream), video, size, _motion(stream))
        for stream in models.streams(config)
    ]


def frame_store(config: ModelConfig, data: DataConfig, stream: Stream) -> FrameStore:
    """Where the pictures of one of a model's streams come from."""
    cropped = config.crop == "all" or (stream == "frames" and config.crop == "motion")
    return (CroppedStore if cropped else FrameStore)(limit_bytes=data.limit_bytes)


def _motion(stream: Stream) -> Reference | None:
    return None if stream == "frames" else stream
