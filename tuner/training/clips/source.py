"""Where a model's clips come from: which store, which windows, which views."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

import models
from data import Dataset, FeatureStore, Video
from data.clips.index import clip_indices
from data.labels.gaps import NEAR
from data.videos.times import spread
from models.config import ModelConfig
from tuner.config.parameters import TrainingConfig
from tuner.config.sections import DataConfig
from tuner.training.clips.augment import augmentation
from tuner.training.clips.batches import Clips, DirectClips, FeatureClips, FrameClips
from tuner.training.clips.stored import open_stores, pictures, stored_features
from tuner.training.task import task_of


def frame_clips(
    config: ModelConfig,
    data: DataConfig,
    videos: Sequence[Video],
    video: Tensor,
    index: Tensor,
    labels: Tensor,
) -> FrameClips | DirectClips:
    """Clips of frames, read as `data` says; `video`, `index` and `labels` as in `FrameClips`."""
    if data.frames == "direct":
        size = models.frame_size(config)
        return DirectClips(videos=videos, video=video, index=index, labels=labels, size=size)
    seen = [pictures(config, data, v) for v in videos]
    return FrameClips(videos=seen, video=video, index=index, labels=labels)


def frame_numbers(config: ModelConfig, count: int, frames: np.ndarray | None) -> np.ndarray:
    """Which frames of a video, or which of its stored features, make up the clips of a model.

    Args:
        count: frames of the video.
        frames: those that are classified, if these are not whole videos.

    Returns:
        int64 ``[M, L]``: the clip of each of `frames`, or one row for the whole video.
    """
    length, stride = models.clip_length(config), config.sequence_stride
    stored = models.uses_stored_features(config) and length > 1  # a feature is that of a clip
    if config.frames_per_video is None:
        assert frames is not None
        if stored:
            return clip_indices(frames, 1)
        after = models.steps_after(config)
        return clip_indices(frames, config.sequence_length, stride, after=after, count=count)
    if stored:
        return np.arange(config.frames_per_video)[None]
    return clip_indices(spread(count, config.frames_per_video), length, stride).reshape(1, -1)


# Numbers that are made exact at a time: all features of thousands of videos would take 10 GB.
_AT_ONCE = 2**23
_Numbers = tuple[list[str], Tensor, Tensor, Tensor]
_Features = tuple[Tensor, dict[str, int]]  # as of `stored_features`


class Held:
    """Features in memory, of the latest backbone only: so a worker's memory stays bounded."""

    def __init__(self) -> None:
        self._backbone: str | None = None
        self._features: dict[tuple[str, int, str], _Features] = {}

    def of(
        self, backbone: str, splits: str, views: int, changes: str, make: Callable[[], _Features]
    ) -> _Features:
        """The features of so many views, made if they are not held.

        Args:
            changes: how all views but the first are changed. The first is the same with any.
        """
        if backbone != self._backbone:
            self._features, self._backbone = {}, backbone
        for (held, count, changed), (features, begins) in self._features.items():
            if held == splits and (views == 1 or (count, changed) == (views, changes)):
                return features[: len(features) * views // count], begins
        self._features[splits, views, changes] = made = make()
        return made


class ClipSource:
    """Clips of a data set; features of the latest backbone are kept between a process's trials.

    Args:
        dataset: has the labelled frames.
        config: how frames are read, and how much disk the stores may take.
        held: features that several sources share, over the same train and valid videos with other
            splits; None: its own.

    Attributes:
        task: says what a label means; it has made the clips' labels.
    """

    def __init__(self, dataset: Dataset, config: DataConfig, held: Held | None = None) -> None:
        self.dataset, self.config = dataset, config
        self.task = task_of(dataset.task, dataset.classes)
        self._shared, self._held = held is not None, held or Held()
        self._numbered: dict[tuple[Any, ...], _Numbers] = {}

    def clips(
        self, config: ModelConfig, split: str, training: TrainingConfig | None = None
    ) -> Clips:
        """The clips of `split`, computing features or frames that no process has stored yet.

        Args:
            training: has the number of views to train on; None: only the first.
        """
        names, video, index, labels = self._windows(config, split)
        if models.uses_stored_features(config):
            return self._feature_clips(config, split, training, (names, video, index, labels))
        videos = [self.dataset.videos[name] for name in names]
        return frame_clips(config, self.config, videos, video, index, labels)

    def _windows(self, config: ModelConfig, split: str) -> _Numbers:
        """The split's videos; video ``[M]``, frame numbers ``[M, L]`` and label ``[M]`` of clips."""
        frozen = models.uses_stored_features(config)
        length = (models.clip_length(config), config.sequence_length, config.sequence_stride)
        key = (split, frozen, config.frames_per_video, *length, models.steps_after(config))
        if key not in self._numbered:
            self._numbered[key] = self._number(split, config)
        return self._numbered[key]

    def _number(self, split: str, config: ModelConfig) -> _Numbers:
        of_split = self.dataset.table[self.dataset.table["split"] == split]
        if split == "train" and NEAR in of_split:
            of_split = of_split[~of_split[NEAR]]
        names, video, index, labels = [], [], [], []
        for number, (name, rows) in enumerate(of_split.groupby("video", sort=False)):
            names.append(str(name))
            video.append(np.full(len(rows), number, np.int64))
            frames = None if self.dataset.unit == "video" else rows["frame"].to_numpy()
            index.append(frame_numbers(config, len(self.dataset.videos[str(name)]), frames))
            labels.append(self.task.encode(rows["label"]))
        parts = (torch.from_numpy(np.concatenate(part)) for part in (video, index))
        return names, *parts, torch.cat(labels)  # type: ignore[return-value]

    def _feature_clips(
        self,
        config: ModelConfig,
        split: str,
        training: TrainingConfig | None,
        windows: _Numbers,
    ) -> FeatureClips:
        names, video, index, labels = windows
        views = training.views if training else 1
        augmented = augmentation(training) if training and views > 1 else None
        # A video is in the train split of one fold and in the valid split of another.
        splits = ["train", "valid"] if self._shared and split != "test" else [split]

        def stores(view: int) -> list[FeatureStore]:
            shown = augmented if view else None
            return open_stores(config, self.config, augmented=shown, view=view)

        def make() -> _Features:
            table = self.dataset.table
            of_splits = table.loc[table["split"].isin(splits), "video"].unique()
            videos = [self.dataset.videos[name] for name in of_splits]
            return stored_features([stores(view) for view in range(views)], videos, config)

        family = _identity(stores(0), config)
        features, begins = self._held.of(family, f"{splits}", views, f"{augmented}", make)
        begin = torch.tensor([begins[name] for name in names])
        return FeatureClips(features, index + begin[video][:, None], labels, views)


def _identity(stores: Sequence[FeatureStore], config: ModelConfig) -> str:
    return repr(([store.kind for store in stores], config.relative))


def fit_normalisation(model: models.VideoClassifier, clips: Clips) -> None:
    """Set the model's feature normalisation to the mean and deviation of stored features.

    Nothing is done for a backbone that is fine-tuned. It scales its features itself, and normalisation
    would multiply what a step of its weights does to the logits.
    """
    if not isinstance(clips, FeatureClips):
        return
    used = torch.unique(clips.every_view().index)
    features, width = clips.features, clips.features.shape[1]
    parts = used.split(max(1, _AT_ONCE // width))
    total = torch.zeros(width, dtype=torch.float64, device=features.device)
    for part in parts:
        total += features[part].double().sum(dim=0)
    mean, squares = total / len(used), torch.zeros_like(total)
    for part in parts:
        squares += (features[part].double() - mean).square().sum(dim=0)
    model.norm.fit(mean.float(), (squares / len(used)).sqrt().float())
