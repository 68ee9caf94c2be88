"""Frames and features computed by all machines of a cluster, a video at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from data.frames import FrameStore
from data.video import VideoError
from data.videos import Video
from models.config import ModelConfig
from tuner.config import Config
from tuner.study.run import RaySession
from tuner.training.prepare import Output, feature_stores, features, frame_sizes


class Preparer:
    """Brings one video after another into the stores of its machine; a Ray actor."""

    def __init__(self, config: Config, searched: Sequence[ModelConfig]) -> None:
        import torch

        torch.set_num_threads(max(1, int(config.resources.cpus)))
        self.config = config.data
        self.sizes = frame_sizes(searched)
        self.stores = feature_stores(searched, config.data)
        self.frames = FrameStore(limit_bytes=config.data.limit_bytes)

    def prepare(self, video: Video) -> str | None:
        """Decode a video once for all frame sizes and compute its features; why that can't be done."""
        missing = [store for store in self.stores if not store.has(video)]
        try:
            if missing and self.config.frames == "stored":
                self.frames.ensure(video, self.sizes)
            for store in missing:
                store.ensure([video])
        except VideoError as error:
            return str(error)
        return None


def compute(
    config: Config,
    searched: Sequence[ModelConfig],
    videos: Sequence[Video],
    output: Output,
    session: RaySession,
) -> None:
    """Compute the features that `searched` will ask for, on all machines of the cluster if it is one."""
    if session.joins:
        session.wait()
        if _machines() > 1:
            _on_all(config, searched, videos, output)
            return
    features(config.data, searched, videos, output)


def _machines() -> int:
    import ray

    return sum(node["Alive"] for node in ray.nodes())


def _on_all(
    config: Config, searched: Sequence[ModelConfig], videos: Sequence[Video], output: Output
) -> None:
    """Spread `videos` over the cluster; a bar shows how many are done.

    Only what is stored in ``data.shared_cache`` reaches other machines than the one that made it.
    """
    import ray
    from ray.util import ActorPool

    resources, cluster = config.resources, ray.cluster_resources()
    count = int(cluster.get("CPU", 1) // resources.cpus)
    if resources.gpus:
        count = min(count, int(cluster.get("GPU", 0) / resources.gpus))
    kind: Any = ray.remote(num_cpus=resources.cpus, num_gpus=resources.gpus)(Preparer)
    shared = ray.put(config), ray.put(list(searched))
    actors = [kind.remote(*shared) for _ in range(max(1, min(count, len(videos))))]
    pool: Any = ActorPool(actors)
    with output.bar("preparing videos", len(videos)) as advance:
        for _ in pool.map_unordered(lambda actor, video: actor.prepare.remote(video), videos):
            advance()
    for actor in actors:
        ray.kill(actor)
