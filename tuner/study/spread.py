"""Frames and features made ahead of the trials: by this machine, or by all of a cluster."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from data import Dataset
from data.videos import Reject, Video
from models.config import ModelConfig
from tuner.config import Config
from tuner.messages import Output
from tuner.study.machines import check_machines, machines
from tuner.study.session import RaySession
from tuner.training.prepare import (
    decode,
    decode_one,
    feature_stores,
    features,
    frame_sizes,
    prepare,
)


def prepare_all(
    config: Config,
    searched: Sequence[ModelConfig],
    output: Output,
    session: RaySession,
    *,
    test: bool,
    strict: bool = False,
) -> Dataset:
    """`prepare`, and the features that the models `searched` will ask for.

    On a cluster all machines take part, a video at a time. Only what is stored in
    ``data.shared_cache`` then reaches other machines than the one that made it.

    Args:
        test: also the features of the test videos, which no search asks for.
    """
    spread = False

    def decode_all(dataset: Dataset) -> list[Reject]:
        nonlocal spread
        if session.joins:
            session.wait()
            spread = len(machines()) > 1 or config.resources.trials_at_once is not None
        if spread:
            check_machines(config, dataset)
            return _on_all(config, searched, dataset, _wanted(dataset, test), output)
        return decode(dataset.videos.values(), frame_sizes(searched), config.data, output)

    dataset = prepare(
        config.data,
        searched,
        config.folder,
        output,
        strict=strict,
        decode_all=decode_all,
    )
    if not spread:
        features(config.data, searched, _wanted(dataset, test), output)
    return dataset


def _wanted(dataset: Dataset, test: bool) -> list[Video]:
    """The videos whose features are."""
    table = dataset.table
    names = table.loc[(table["split"] != "test") | test, "video"].unique()
    return [dataset.videos[name] for name in names]


class Preparer:
    """Brings one video after another into the stores of its machine; a Ray actor."""

    def __init__(self, config: Config, searched: Sequence[ModelConfig]) -> None:
        import torch

        torch.set_num_threads(max(1, int(config.resources.cpus)))
        self.config, self.sizes = config.data, frame_sizes(searched)
        self.stores = feature_stores(searched, config.data)

    def prepare(self, video: Video, wanted: bool) -> Reject | None:
        """Decode a video, and compute its features if they are wanted; why it does not decode."""
        missing = [store for store in self.stores if wanted and not store.has(video)]
        if wanted and self.stores and not missing:
            return None  # it has been decoded, by this machine or another
        reject = decode_one(video, self.sizes, self.config)
        if reject is None:
            for store in missing:
                store.ensure([video])
        return reject


def _on_all(
    config: Config,
    searched: Sequence[ModelConfig],
    dataset: Dataset,
    wanted: Sequence[Video],
    output: Output,
) -> list[Reject]:
    """Spread the videos over the cluster; a bar shows how many are done. Returns those left out."""
    import ray
    from ray.util import ActorPool

    resources = config.resources
    videos, names = list(dataset.videos.values()), {video.name for video in wanted}
    count = min(resources.workers(ray.cluster_resources()), len(videos))
    # A machine that goes away takes the video that it was at with it, to be prepared by another.
    kind: Any = ray.remote(
        num_cpus=resources.cpus,
        num_gpus=resources.gpus,
        max_restarts=-1,
        max_task_retries=-1,
    )(Preparer)
    actors = [kind.remote(config, list(searched)) for _ in range(count)]
    pool: Any = ActorPool(actors)
    rejects = []
    with output.bar("preparing videos", len(videos)) as advance:
        for reject in pool.map_unordered(
            lambda actor, video: actor.prepare.remote(video, video.name in names), videos
        ):
            rejects += [reject] if reject else []
            advance()
    for actor in actors:
        ray.kill(actor)
    return sorted(rejects, key=lambda reject: reject.video)
