"""Features of all videos, computed ahead of the trials that will ask for them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import models
from data import FeatureStore
from data.console import Output
from data.stores.features import ensure, together
from data.videos.video import Video
from models import ModelConfig
from tuner.config.sections import DataConfig
from tuner.training.clips.augment import Augmentation
from tuner.training.clips.stored import open_stores
from tuner.training.device import best_device, return_freed_memory, videos_at_once


@dataclass(frozen=True)
class Views:
    """Augmented views that frozen models train on.

    Attributes:
        augmented: how they are drawn.
        count: of the views, the frames as they are among them.
    """

    augmented: Augmentation
    count: int


def features(
    config: DataConfig,
    searched: Iterable[ModelConfig],
    videos: Iterable[Video],
    output: Output,
    *,
    views: Views | None = None,
    learnt: Collection[str] = (),
) -> None:
    """Compute the features that frozen models will ask for, on this machine; a bar shows how far it is.

    Other processes that need the same features share the work with this one.

    Args:
        views: computed of the videos whose names are `learnt`.
    """
    searched, videos = list(searched), list(videos)
    jobs = [(group, videos) for group in together(feature_stores(searched, config))]
    of_views = [store for store, _ in stores_of_views(searched, config, views)]
    jobs += [(group, [v for v in videos if v.name in learnt]) for group in together(of_views)]
    wanted = [
        (group, [v for v in some if not all(store.has(v) for store in group)])
        for group, some in jobs
    ]
    at_once = videos_at_once(best_device())
    with output.bar("computing features", sum(len(missing) for _, missing in wanted)) as advance:
        for group, missing in wanted:
            ensure(group, missing, on_video=lambda _: advance(), at_once=at_once)
    return_freed_memory()


def feature_stores(searched: Iterable[ModelConfig], config: DataConfig) -> list[FeatureStore]:
    """One store for each backbone's output, frame size and kind of picture that models ask for."""
    return [store for store, _ in stores_of_models(searched, config)]


def stores_of_models(
    searched: Iterable[ModelConfig],
    config: DataConfig,
    *,
    augmented: Augmentation | None = None,
    view: int = 0,
) -> list[tuple[FeatureStore, ModelConfig]]:
    """`feature_stores`, each with a model that asks for it."""
    stores: dict[tuple, tuple[FeatureStore, ModelConfig]] = {}
    for model in searched:
        if models.uses_stored_features(model):
            for store in open_stores(model, config, augmented=augmented, view=view):
                stores.setdefault(store.kind, (store, model))
    return list(stores.values())


def stores_of_views(
    searched: Iterable[ModelConfig], config: DataConfig, views: Views | None
) -> list[tuple[FeatureStore, ModelConfig]]:
    """`stores_of_models` of each view but the first."""
    if views is None:
        return []
    searched = list(searched)
    return [
        found
        for view in range(1, views.count)
        for found in stores_of_models(searched, config, augmented=views.augmented, view=view)
    ]
