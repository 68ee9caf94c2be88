"""Where a model's clips come from: which store, which windows, which views."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

import models
from data import Dataset, FeatureStore, FrameStore, Video
from data.clips import clip_indices
from data.frames import sampled_frames
from data.motion import MotionFrames, Reference, open_motion
from data.prefetch import prefetched
from models.config import ModelConfig
from models.specs import BackboneSpec, known_specs, remember_specs, spec
from tuner.config import DataConfig
from tuner.parameters import TrainingConfig
from tuner.training.augment import Augmentation
from tuner.training.clips import Clips, DirectClips, FeatureClips, FrameClips
from tuner.training.device import backbone_precision, best_device

_weights_keys: dict[tuple[str, bool, str | None], str] = {}
Known = tuple[dict[str, BackboneSpec], dict[tuple[str, bool, str | None], str]]


def known() -> Known:
    """What this process has found out of backbones and their weights, for `remember` in another one."""
    return known_specs(), dict(_weights_keys)


def remember(found: Known) -> None:
    """Take over what another process found out, so that timm need not be imported: it takes seconds."""
    remember_specs(found[0])
    _weights_keys.update(found[1])


def _weights_key(config: ModelConfig) -> str:
    assert config.pretrained_model_name is not None  # says ModelConfig, for those with a backbone
    key = (config.pretrained_model_name, config.pretrained, config.model_weights_path)
    if key not in _weights_keys:
        from models.backbones import weights_key

        _weights_keys[key] = weights_key(*key)
    return _weights_keys[key]


def augmentation(config: TrainingConfig) -> Augmentation:
    """The augmentation among the parameters of a training."""
    return Augmentation(**{f.name: getattr(config, f.name) for f in fields(Augmentation)})


def feature_store(
    config: ModelConfig,
    data: DataConfig,
    *,
    augmented: Augmentation | None = None,
    view: int = 0,
    motion: bool = False,
    precision: str | None = None,
) -> FeatureStore:
    """The stored features that a frozen model needs; its backbone is built only if some are missing.

    Args:
        view: 0 are the frames as they are; any other is one draw of `augmented`, the same for all
            frames, so that a clip's frames match.
        motion: the features of the frames' motion images instead.
        precision: that of the backbone; None is what is fastest here.
    """
    device = best_device()
    precision = precision or backbone_precision(device)
    name = config.pretrained_model_name
    assert name is not None  # says ModelConfig, for architectures with a backbone
    backbone = spec(name)
    weights = _weights_key(config)
    if augmented:
        augmented = replace(augmented, time_jitter=0, frame_drop=0)  # not a matter of one frame
    transform = augmented.transform(view) if view and augmented else None

    def build() -> Callable[[np.ndarray], np.ndarray]:
        from models.backbones import load_backbone

        network = load_backbone(
            name,
            pooling=config.pooling,
            pretrained=config.pretrained,
            weights_path=config.model_weights_path,
        )
        return backbone_callable(network, device, transform, precision=precision)

    key = f"{backbone.timm_name}:{weights}:{config.pooling}"
    if precision != "fp32":
        key += f":{precision}"
    return FeatureStore(
        FrameStore(limit_bytes=data.limit_bytes),
        size=models.frame_size(config),
        backbone_key=f"{key}:view {view} of {augmented}" if transform else key,
        num_features=backbone.num_features,
        backbone=build,
        window=(config.sequence_length, config.sequence_stride) if backbone.video else None,
        motion=_reference(config) if motion else None,
        direct=data.frames == "direct",
        limit_bytes=data.limit_bytes,
        shared=Path(data.shared_cache).expanduser() if data.shared_cache else None,
    )


def stored_features(
    config: ModelConfig,
    data: DataConfig,
    videos: Sequence[Video],
    *,
    augmented: Augmentation | None = None,
    view: int = 0,
    precision: str | None = None,
) -> tuple[Tensor, dict[str, int]]:
    """Features of `videos` in one float16 tensor ``[N, F]``, and where each video begins in it.

    With motion, F is twice the backbone's: the frames' own features, then their motion images'.
    """
    parts = []
    for motion in (False, True)[: 1 if config.motion == "none" else 2]:
        store = feature_store(
            config, data, augmented=augmented, view=view, motion=motion, precision=precision
        )
        features, offsets = load_features(store, videos)
        parts.append(features)
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1), offsets


def own_features(
    model: models.VideoClassifier, data: DataConfig, video: Video, *, at_once: int = 32
) -> Tensor:
    """Features of every frame of `video` from the model's own backbone over images, float32 ``[N, F]``.

    A frame goes through it once, however many clips it is part of.
    """
    assert model.backbone is not None
    device, size = best_device(), models.frame_size(model.config)
    run = backbone_callable(model.backbone, device)
    if data.frames == "direct":
        chunks = (chunk for (chunk,) in sampled_frames(video, [size], at_once=at_once))
        return torch.from_numpy(np.concatenate([run(chunk) for chunk in prefetched(chunks)]))
    store = FrameStore(limit_bytes=data.limit_bytes)
    streams: list[np.ndarray | MotionFrames] = [store.open(video, size)]
    if reference := _reference(model.config):
        streams.append(open_motion(store, video, size, reference))
    parts = [
        np.concatenate(
            [run(np.asarray(frames[i : i + at_once])) for i in range(0, len(frames), at_once)]
        )
        for frames in streams
    ]
    return torch.from_numpy(np.concatenate(parts, axis=1))


def frame_clips(
    config: ModelConfig,
    data: DataConfig,
    videos: Sequence[Video],
    video: Tensor,
    index: Tensor,
    labels: Tensor,
) -> FrameClips | DirectClips:
    """Clips of frames, read as `data` says; `video`, `index` and `labels` as in `FrameClips`."""
    size = models.frame_size(config)
    if data.frames == "direct":
        return DirectClips(videos=videos, video=video, index=index, labels=labels, size=size)
    store = FrameStore(limit_bytes=data.limit_bytes)
    frames = [store.open(v, size) for v in videos]
    reference = _reference(config)
    motion = [open_motion(store, v, size, reference) for v in videos] if reference else []
    return FrameClips(videos=frames, motion=motion, video=video, index=index, labels=labels)


def _reference(config: ModelConfig) -> Reference | None:
    return None if config.motion == "none" else config.motion


def backbone_callable(
    network: torch.nn.Module,
    device: torch.device,
    transform: Callable[[Tensor], Tensor] | None = None,
    *,
    precision: str = "fp32",
) -> Callable[[np.ndarray], np.ndarray]:
    """`network` over uint8 frames ``[n, (L,) H, W, 3]``, giving float32 ``[n, F]``."""
    network = network.eval().to(device)

    def run(frames: np.ndarray) -> np.ndarray:
        # The transposed view of [n, H, W, 3] is channels_last as it stands: nothing is copied.
        images = torch.from_numpy(frames.copy()).movedim(-1, -3).to(device)
        autocast = torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")
        with torch.inference_mode():
            if transform:
                shape = images.shape
                images = transform(images.reshape(-1, *shape[-3:])).view(shape)
            with autocast:
                return network(images).float().cpu().numpy()

    return run


_Numbers = tuple[list[str], Tensor, Tensor, Tensor]


class ClipSource:
    """Clips of a data set; features of the latest backbone are kept between a process's trials.

    Args:
        dataset: whose labelled frames are wanted.
        config: how frames are read, and how much disk the stores may take.
    """

    def __init__(self, dataset: Dataset, config: DataConfig) -> None:
        self.dataset, self.config = dataset, config
        self._key: str | None = None
        self._features: dict[str, tuple[Tensor, dict[str, int]]] = {}
        self._numbered: dict[tuple[str, int, int], _Numbers] = {}

    def clips(
        self, config: ModelConfig, split: str, training: TrainingConfig | None = None
    ) -> Clips:
        """The clips of `split`, computing features or frames that no process has stored yet.

        Args:
            training: with the views to train on; without it there is only the first.
        """
        names, video, index, labels = self._windows(config, split)
        if models.uses_stored_features(config):
            return self._feature_clips(config, split, training, (names, video, index, labels))
        videos = [self.dataset.videos[name] for name in names]
        return frame_clips(config, self.config, videos, video, index, labels)

    def _windows(self, config: ModelConfig, split: str) -> _Numbers:
        """The split's videos; video ``[M]``, frame numbers ``[M, L]`` and label ``[M]`` of clips."""
        length, stride = models.feature_length(config), config.sequence_stride
        key = (split, length, stride)
        if key not in self._numbered:
            self._numbered[key] = self._number(split, length, stride)
        return self._numbered[key]

    def _number(self, split: str, length: int, stride: int) -> _Numbers:
        own = self.dataset.table[self.dataset.table["split"] == split]
        code = {name: number for number, name in enumerate(self.dataset.classes)}
        names, video, index, labels = [], [], [], []
        for number, (name, rows) in enumerate(own.groupby("video", sort=False)):
            names.append(str(name))
            video.append(np.full(len(rows), number, np.int64))
            index.append(clip_indices(rows["frame"].to_numpy(), length, stride))
            labels.append(rows["label"].map(code).to_numpy(np.int64))
        parts = (torch.from_numpy(np.concatenate(part)) for part in (video, index, labels))
        return names, *parts  # type: ignore[return-value]

    def _feature_clips(
        self,
        config: ModelConfig,
        split: str,
        training: TrainingConfig | None,
        windows: _Numbers,
    ) -> FeatureClips:
        names, video, index, labels = windows
        views = training.views if training else 1
        parts = []
        for view in range(views):
            features, offsets = self._split(config, split, training, view)
            parts.append(features)
        begin = torch.tensor([offsets[name] for name in names])
        features = parts[0] if views == 1 else torch.cat(parts)
        return FeatureClips(features, index + begin[video][:, None], labels, views)

    def _split(
        self, config: ModelConfig, split: str, training: TrainingConfig | None, view: int
    ) -> tuple[Tensor, dict[str, int]]:
        family = _identity(feature_store(config, self.config), config)
        if family != self._key:  # one backbone at a time: a worker's memory stays bounded
            self._features, self._key = {}, family
        augmented = augmentation(training) if training and view else None
        key = f"{split}:{view}:{augmented}"
        if key not in self._features:
            names = self.dataset.table.loc[self.dataset.table["split"] == split, "video"].unique()
            videos = [self.dataset.videos[name] for name in names]
            self._features[key] = stored_features(
                config, self.config, videos, augmented=augmented, view=view
            )
        return self._features[key]


def _identity(store: FeatureStore, config: ModelConfig) -> str:
    return f"{store.backbone_key}:{store.size}:{store.window}:{config.motion}"


def load_features(store: FeatureStore, videos: Sequence[Video]) -> tuple[Tensor, dict[str, int]]:
    """Features of `videos` in one float16 tensor ``[N, F]``, and where each video begins in it."""
    store.ensure(videos)
    arrays = [store.open(video) for video in videos]
    ends = np.cumsum([len(array) for array in arrays])
    features = np.empty((int(ends[-1]), store.num_features), np.float16)
    offsets = {}
    for video, array, end in zip(videos, arrays, ends, strict=True):
        offsets[video.name] = int(end) - len(array)
        features[offsets[video.name] : end] = array
    return torch.from_numpy(features), offsets


def fit_normalisation(model: models.VideoClassifier, clips: Clips) -> None:
    """Set the model's feature normalisation to the mean and deviation of stored features.

    A backbone that is fine-tuned scales its features itself; normalised ones would multiply what a
    step of its weights does to the logits.
    """
    if not isinstance(clips, FeatureClips):
        return
    index = clips.index
    if clips.views > 1:
        frames = len(clips.features) // clips.views
        index = index + frames * torch.arange(clips.views, device=index.device).view(-1, 1, 1)
    features = clips.features[torch.unique(index)]
    deviation, mean = torch.std_mean(features.double(), dim=0, correction=0)
    model.norm.fit(mean.float(), deviation.float())
