"""Features of all videos, computed ahead of the trials that will ask for them."""

from __future__ import annotations

from collections.abc import Iterable

import models
from data import FeatureStore
from data.console import Output
from data.stores.features import ensure, together
from data.videos.video import Video
from models import ModelConfig
from tuner.config.sections import DataConfig
from tuner.training.clips.stored import open_stores


def features(
    config: DataConfig,
    searched: Iterable[ModelConfig],
    videos: Iterable[Video],
    output: Output,
) -> None:
    """Compute the features that frozen models will ask for, on this machine; a bar shows how far it is.

    Other processes that need the same features share the work with this one.
    """
    videos = list(videos)
    groups = together(feature_stores(searched, config))
    wanted = [
        (group, [v for v in videos if not all(store.has(v) for store in group)]) for group in groups
    ]
    with output.bar("computing features", sum(len(missing) for _, missing in wanted)) as advance:
        for group, missing in wanted:
            ensure(group, missing, on_video=lambda _: advance())


def feature_stores(searched: Iterable[ModelConfig], config: DataConfig) -> list[FeatureStore]:
    """One store for each backbone's output, frame size and kind of picture that models ask for."""
    return [store for store, _ in stores_of_models(searched, config)]


def stores_of_models(
    searched: Iterable[ModelConfig], config: DataConfig
) -> list[tuple[FeatureStore, ModelConfig]]:
    """`feature_stores`, each with a model that asks for it."""
    stores: dict[tuple, tuple[FeatureStore, ModelConfig]] = {}
    for model in searched:
        if models.uses_stored_features(model):
            for store in open_stores(model, config):
                stores.setdefault(store.kind, (store, model))
    return list(stores.values())
