"""The prediction of a model, or of several together, for every frame of videos."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence, Sized

import numpy as np
import pandas as pd
import torch
from torch import Tensor

import models
from data import Video
from data.clips.index import clip_indices
from data.errors import VideoError
from data.videos.rejects import Reject
from models import VideoClassifier
from tuner.config.sections import DataConfig
from tuner.training.clips.batches import Clips, FeatureClips, all_logits
from tuner.training.clips.source import frame_clips
from tuner.training.clips.stored import extractor
from tuner.training.device import best_device
from tuner.training.task import Multiclass, Task

PREDICTIONS = "frame_predictions.csv"
_FEATURES_AT_ONCE, _FRAMES_AT_ONCE = 512, 32


def predict(
    members: Sequence[VideoClassifier],
    videos: Sequence[Video],
    config: DataConfig,
    *,
    on_frames: Callable[[int], None] = lambda count: None,
    rejects: list[Reject] | None = None,
) -> pd.DataFrame:
    """Class probabilities of every sampled frame, also of the first ones of a video.

    Args:
        members: models of the same classes, whose probabilities are averaged; with their backbones,
            unless those are frozen and their features are stored.
        config: how frames are read.
        on_frames: told how many more of `steps` are done.
        rejects: gets the videos that don't decode to their end; None: the first one raises.

    Returns:
        a column a class with its probability, ``prediction`` (what the task decides), ``video``,
        ``frame`` (from 0) and ``time`` (seconds).
    """
    task = Multiclass(members[0].classes)
    parts = [pd.DataFrame(columns=[*task.classes, "prediction", "video", "frame", "time"])]
    told = 0

    def tell(count: int) -> None:
        nonlocal told
        told += count
        on_frames(count)

    extractors = [extractor(model, config, tell) for model in members]
    members = [model.eval().to(best_device()) for model in members]
    for video in videos:
        told = 0
        try:
            each = [
                _probabilities(task, model, _every_clip(model, features, video, config), tell)
                for model, features in zip(members, extractors, strict=True)
            ]
        except VideoError as error:
            if rejects is None:
                raise
            rejects.append(Reject(video.name, video.info.path, str(error)))
            continue
        finally:
            # Features that were stored, and a video that broke off, have told of fewer.
            tell(steps(members, [video]) - told)
        probabilities = np.mean(each, axis=0)
        part = pd.DataFrame(probabilities, columns=task.classes)
        part["prediction"] = task.decode(task.decide(torch.from_numpy(probabilities)))
        parts.append(part.assign(video=video.name, frame=np.arange(len(part)), time=video.times))
    return pd.concat(parts[1:] or parts, ignore_index=True)


def steps(members: Iterable[VideoClassifier], videos: Iterable[Sized]) -> int:
    """How many pictures go through networks to predict `videos`: frames, and their motion images."""
    streams = sum(1 if model.config.motion == "none" else 2 for model in members)
    return sum(map(len, videos)) * streams


def _every_clip(
    model: VideoClassifier,
    features: Callable[[Video], Tensor] | None,
    video: Video,
    config: DataConfig,
) -> Clips:
    """The clip that ends at each frame of `video`; labels are all 0."""
    count = len(video)
    length, stride = models.feature_length(model.config), model.config.sequence_stride
    index = torch.from_numpy(clip_indices(np.arange(count), length, stride))
    none = torch.zeros(count, dtype=torch.int64)
    if features is not None:
        return FeatureClips(features(video), index, none)
    return frame_clips(model.config, config, [video], none, index, none)


def _probabilities(
    task: Task, model: VideoClassifier, clips: Clips, tell: Callable[[int], None]
) -> np.ndarray:
    """float64 ``[N, C]``."""
    quick = isinstance(clips, FeatureClips)  # the backbone has already counted these frames
    size = _FEATURES_AT_ONCE if quick else _FRAMES_AT_ONCE
    logits = all_logits(
        model,
        clips.to(best_device()),
        size,
        on_batch=lambda batch: None if quick else tell(steps([model], [batch])),
    )
    return task.probabilities(logits.double().cpu()).numpy()


def with_labels(predictions: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """`predictions` with ``label, split, error``; empty label and error where a frame has none."""
    merged = predictions.merge(
        table[["video", "frame", "label"]], on=["video", "frame"], how="left"
    )
    merged["split"] = merged["video"].map(
        table.drop_duplicates("video").set_index("video")["split"]
    )
    labelled = merged["label"].notna()
    merged["error"] = (merged["prediction"] != merged["label"]).where(labelled)
    if labelled.all():
        merged["error"] = merged["error"].astype(bool)
    return merged
