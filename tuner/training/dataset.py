"""Clips of stored features, gathered by index from one tensor a split."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

import models
from data import Dataset, FeatureStore, FrameStore, Video
from data.clips import clip_indices
from models.backbones import load_backbone, weights_key
from models.config import ModelConfig
from models.specs import spec


@dataclass
class Clips:
    """Clips of one split, as windows over its frames' features; nothing is held twice.

    Attributes:
        features: float16 ``[N, F]``, every frame of the split's videos.
        index: int64 ``[M, L]``, the frames of each clip.
        labels: int64 ``[M]``.
    """

    features: Tensor
    index: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def batch(self, which: Tensor) -> tuple[Tensor, Tensor]:
        """Clips ``[B, L, F]`` and labels ``[B]``."""
        index = self.index[which]
        gathered = self.features.index_select(0, index.flatten())
        return gathered.view(*index.shape, -1).float(), self.labels[which]

    def to(self, device: torch.device) -> Clips:
        return Clips(self.features.to(device), self.index.to(device), self.labels.to(device))


def feature_store(
    config: ModelConfig, *, limit_bytes: int | None, device: torch.device | None = None
) -> FeatureStore:
    """The stored features that a frozen model needs; its backbone is built only if some are missing."""
    name = config.pretrained_model_name
    assert name is not None  # says ModelConfig, for architectures with a backbone
    backbone = spec(name)
    weights = weights_key(name, config.pretrained, config.model_weights_path)

    def build() -> Callable[[np.ndarray], np.ndarray]:
        network = load_backbone(
            name,
            pooling=config.pooling,
            pretrained=config.pretrained,
            weights_path=config.model_weights_path,
        )
        return backbone_callable(network, device or best_device())

    return FeatureStore(
        FrameStore(limit_bytes=limit_bytes),
        size=models.frame_size(config),
        backbone_key=f"{backbone.timm_name}:{weights}:{config.pooling}",
        num_features=backbone.num_features,
        backbone=build,
        limit_bytes=limit_bytes,
    )


def best_device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def backbone_callable(
    network: torch.nn.Module, device: torch.device
) -> Callable[[np.ndarray], np.ndarray]:
    """`network` over uint8 frames ``[n, H, W, 3]``, giving float32 ``[n, F]``."""
    network = network.eval().to(device).to(memory_format=torch.channels_last)

    def run(frames: np.ndarray) -> np.ndarray:
        # The transposed view of [n, H, W, 3] is channels_last as it stands: nothing is copied.
        images = torch.from_numpy(frames.copy()).permute(0, 3, 1, 2).to(device)
        with torch.inference_mode():
            return network(images).float().cpu().numpy()

    return run


class FeatureClips:
    """Features of the latest backbone, kept between the trials of one process.

    Args:
        dataset: whose labelled frames are wanted.
        limit_bytes: of the stores.
    """

    def __init__(self, dataset: Dataset, *, limit_bytes: int | None) -> None:
        self.dataset, self.limit_bytes = dataset, limit_bytes
        self._key: str | None = None
        self._features: dict[str, tuple[Tensor, dict[str, int]]] = {}

    def clips(self, config: ModelConfig, split: str) -> Clips:
        """The clips of `split`, computing features that no process has computed yet."""
        features, offsets = self._split(config, split)
        own = self.dataset.table[self.dataset.table["split"] == split]
        index, labels = [], []
        code = {name: number for number, name in enumerate(self.dataset.classes)}
        for video, rows in own.groupby("video", sort=False):
            windows = clip_indices(
                rows["frame"].to_numpy(), config.sequence_length, config.sequence_stride
            )
            index.append(windows + offsets[str(video)])
            labels.append(rows["label"].map(code).to_numpy(np.int64))
        return Clips(
            features,
            torch.from_numpy(np.concatenate(index)),
            torch.from_numpy(np.concatenate(labels)),
        )

    def _split(self, config: ModelConfig, split: str) -> tuple[Tensor, dict[str, int]]:
        store = feature_store(config, limit_bytes=self.limit_bytes)
        key = f"{store.backbone_key}:{store.size}"
        if key != self._key:  # one backbone at a time: a worker's memory stays bounded
            self._features, self._key = {}, key
        if split not in self._features:
            names = self.dataset.table.loc[self.dataset.table["split"] == split, "video"].unique()
            self._features[split] = load_features(store, [self.dataset.videos[n] for n in names])
        return self._features[split]


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
    """Set the model's feature normalisation to the mean and deviation of the clips' frames."""
    frames = clips.features[torch.unique(clips.index)]
    deviation, mean = torch.std_mean(frames.double(), dim=0, correction=0)
    model.norm.fit(mean.float(), deviation.float())
