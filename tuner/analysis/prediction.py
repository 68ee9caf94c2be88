"""A model's prediction for every frame of videos."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import torch

from data import Video
from data.clips import clip_indices
from models import VideoClassifier
from tuner.training.dataset import best_device, feature_store

_BATCH = 512


def predict(
    model: VideoClassifier,
    videos: Sequence[Video],
    *,
    limit_bytes: int | None,
    on_video: Callable[[], None] = lambda: None,
) -> pd.DataFrame:
    """Class probabilities of every sampled frame, also of the first ones of a video.

    Args:
        model: over stored features, without its backbone.

    Returns:
        a column a class with its probability, ``prediction`` (the most probable class), ``video``,
        ``frame`` (from 0) and ``time`` (seconds).
    """
    store = feature_store(model.config, limit_bytes=limit_bytes)
    store.ensure(videos, lambda _: on_video())
    model = model.eval().to(best_device())
    parts = [pd.DataFrame(columns=[*model.classes, "prediction", "video", "frame", "time"])]
    for video in videos:
        probabilities = _probabilities(model, store.open(video))
        part = pd.DataFrame(probabilities, columns=model.classes)
        part["prediction"] = np.array(model.classes)[probabilities.argmax(axis=1)]
        parts.append(part.assign(video=video.name, frame=np.arange(len(part)), time=video.times))
    return pd.concat(parts[1:] or parts, ignore_index=True)


def _probabilities(model: VideoClassifier, features: np.ndarray) -> np.ndarray:
    """float64 ``[N, C]``, each row adding up to 1."""
    config, device = model.config, best_device()
    # Copied in one piece, 2 bytes a value: gathered by window, a batch at a time.
    resident = torch.from_numpy(np.array(features)).to(device)
    frames = np.arange(len(features))
    index = torch.from_numpy(clip_indices(frames, config.sequence_length, config.sequence_stride))
    logits = []
    with torch.inference_mode():
        for which in index.to(device).split(_BATCH):
            logits.append(model(resident[which].float()).double().cpu())
    return torch.cat(logits).softmax(dim=1).numpy()


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
    return merged.drop(columns="time")
