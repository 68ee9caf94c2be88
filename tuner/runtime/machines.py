"""The machines of a cluster, and a check before a search that all of them can take part."""

from __future__ import annotations

import socket
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from data import Dataset
from data.files.path import File, unreadable
from tuner.config.load import Config
from tuner.config.messages import ConfigError
from tuner.runtime.patches import growth

_LOOKED_AT = 20  # videos
_UNLIMITED = 1_000_000  # machines


def machines() -> list[dict[str, Any]]:
    """The cluster's living nodes, as Ray describes them."""
    import ray

    return [node for node in ray.nodes() if node["Alive"]]


def capacity() -> dict[str, float]:
    """CPUs and GPUs that the cluster has when it has grown to its limit.

    A cluster that grows by demand may have no machine for a trial yet. If it can start several kinds of
    machines, the one that gives most counts: they stand in for each other when one is not available.
    """
    import ray

    now = ray.cluster_resources()
    amounts = {name: now.get(name, 0.0) for name in ("CPU", "GPU")}
    for most, resources in growth():
        count = most if most >= 0 else _UNLIMITED
        for name, amount in amounts.items():
            amounts[name] = max(amount, count * resources.get(name, 0.0))
    return amounts


def may_grow() -> bool:
    """Whether the cluster has, or can start, more than one machine."""
    import ray

    now = ray.cluster_resources()
    return len(machines()) > 1 or any(n > now.get(name, 0) for name, n in capacity().items())


def check_machines(config: Config, dataset: Dataset) -> None:
    """Have every machine look at the storage and at some of the videos.

    Raises:
        ConfigError: all that some machine can't see.
    """
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    nodes = machines()
    if len(nodes) < 2:
        return
    marker = None
    if config.storage_folder.remote is None:
        config.folder.mkdir(parents=True, exist_ok=True)
        marker = config.folder / f".seen.{uuid.uuid4().hex}"
        marker.touch()
    videos = [video.info.path for video in dataset.videos.values()]
    videos = videos[:: max(1, len(videos) // _LOOKED_AT)]
    task: Any = ray.remote(num_cpus=0)(_missing)
    asked = []
    for node in nodes:
        place = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        asked.append(task.options(scheduling_strategy=place).remote(marker, videos))
    try:
        answers = ray.get(asked)
    finally:
        if marker:
            marker.unlink(missing_ok=True)
    problems = []
    for name, storage, unread in answers:
        if storage:
            problems.append(
                f"storage: machine {name} does not see {config.folder}, where trials go on from their "
                "checkpoints: give a folder that all machines share, or s3://BUCKET/PREFIX"
            )
        if unread:
            problems.append(
                f"data.videos: machine {name} can't read {unread[0]}"
                + (f", and {len(unread) - 1} others of {len(videos)}" if unread[1:] else "")
                + ": give a folder that all machines share, or s3://BUCKET/PREFIX"
            )
    if problems:
        raise ConfigError(f"search '{config.name}' on {len(nodes)} machines", problems)


def _missing(marker: Path | None, videos: Sequence[File]) -> tuple[str, bool, list[str]]:
    """This machine's name, whether the storage is missing here, and the videos that can't be read."""
    reasons = {path: unreadable(path) for path in videos}
    unread = [f"{path} ({reason})" for path, reason in reasons.items() if reason]
    return socket.gethostname(), marker is not None and not marker.exists(), unread
