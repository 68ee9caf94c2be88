"""The private parts of Ray that we use, and what we change in Ray where it has no option.

`tuner.cluster` has the rest: node providers, which Ray has no public base for.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any

from models.patches import Private
from tuner.runtime.signals import release

_VERSION = "2.60"
_CONTROLLER = "ray.tune.execution.tune_controller:TuneController"
_NODE = "ray._private.node:Node"
_KEYS = "ray.experimental.internal_kv:_internal_kv_"
_STATE = "ray._private.state:GlobalState"
_NAMESPACE = "tuner"  # of our keys in the store of Ray's head

_REUSE = Private(
    "ray",
    _VERSION,
    "trials that are shorter than the start of a worker may all run on one worker",
    {f"{_CONTROLLER}._maybe_reuse_cached_actor": "self trial"},
)
_REUSE_ATTRIBUTES = {
    "_resetting_trials",
    "_resources_to_pending_trials",
    "_staged_trials",
    "_actor_cache",
    "_trial_to_actor",
    "_actor_manager",
}
_ENVIRONMENT = Private(
    "ray",
    _VERSION,
    "a search starts its workers anew, which takes about four seconds of CPU each",
    {
        "ray.tune.execution.class_cache:DEFAULT_ENV_VARS": dict,
        "ray.tune.execution.class_cache:ENV_VARS_TO_PROPAGATE": set,
    },
)
_PROCESSES = Private(
    "ray",
    _VERSION,
    "Ray takes two more seconds of CPU to start, one more to end, and 150 MB more",
    {
        f"{_NODE}.start_api_server": "self include_dashboard raise_on_failure",
        f"{_NODE}.start_log_monitor": "self",
        f"{_NODE}.start_monitor": "self",
    },
)
_APART = Private(
    "ray",
    _VERSION,
    "a signal to a search's process group, as `timeout` sends it, ends Ray before trials are saved",
    {"ray._private.services:ConsolePopen": type},
)
_LOOPBACK = Private(
    "ray",
    _VERSION,
    "other machines can reach the ports of a search on this one, where they need its token",
    {"ray._private.ray_constants:ENABLE_RAY_CLUSTER": bool},
)
_ENDED = Private(
    "ray",
    _VERSION,
    "a search whose Ray was killed ends after two minutes, and not at once",
    {f"{_NODE}.dead_processes": "self", "ray._private.worker:_global_node": object},
)
_GROWTH = Private(
    "ray",
    _VERSION,
    "a search counts only the machines that run now, and not those that the cluster can start",
    {f"{_STATE}.get_cluster_config": "self"},
)
_NOTICES = Private(
    "ray",
    _VERSION,
    "what workers say (such as that they wait for S3) is only in Ray's logs",
    {
        f"{_KEYS}put": "key value overwrite namespace",
        f"{_KEYS}get": "key namespace",
        f"{_KEYS}list": "prefix namespace",
        f"{_KEYS}del": "key del_by_prefix namespace",
    },
)


def adapt(*, started_ray: bool) -> None:
    """Change what Tune does in all searches of this process.

    Args:
        started_ray: whether this process has started Ray.
    """
    _let_workers_start()
    if started_ray:
        _share_environment()


def _let_workers_start() -> None:
    """Have Tune give a free worker to a trial for which no other worker is starting.

    Tune gives it to the first trial. If a worker is starting for that trial, Tune ends this worker. If
    trials are shorter than a worker's start, only one worker ever comes up. That takes up to half of
    the time of a search on two CPUs (32 trials: 88 s on one worker, 40 s on both).
    """
    from ray.tune.execution.tune_controller import TuneController

    plain = TuneController.__dict__.get("_maybe_reuse_cached_actor")
    if getattr(plain, "plain", None) is not None or not _REUSE.usable():
        return
    # The attributes that a method sets are among the names of its code.
    absent = _REUSE_ATTRIBUTES - set(TuneController.__init__.__code__.co_names)
    if absent:
        _REUSE.missing(f"{_CONTROLLER}.{min(absent)}")
        return
    TuneController._maybe_reuse_cached_actor = _gentle(plain)  # type: ignore[method-assign]


def _gentle(plain: Any) -> Any:
    """Tune's `_maybe_reuse_cached_actor`, changed so that it ends no worker that is starting."""

    def reuse(self: Any, trial: Any) -> bool:
        if not _has_worker(self, trial) or trial in self._resetting_trials:
            return plain(self, trial)
        waiting = self._resources_to_pending_trials[trial.placement_group_factory]
        others = [t for t in waiting if t is not trial and t not in self._resetting_trials]
        others = [other for other in others if not _has_worker(self, other)]
        if others:
            other = min(others, key=lambda t: t.config["model_id"])
            other.init_local_path()  # as Tune does for those that it schedules itself
            if plain(self, other) and other not in self._staged_trials:
                self._staged_trials.add(other)
                self._actor_cache.increase_max(other.placement_group_factory)
        return False

    reuse.plain = plain  # type: ignore[attr-defined]
    return reuse


def _has_worker(controller: Any, trial: Any) -> bool:
    """Whether this trial has a worker that has started, or has what it needs to start."""
    actor = controller._trial_to_actor.get(trial)
    return actor is not None and controller._actor_manager.is_actor_started(actor)


def _share_environment() -> None:
    """Have trials run on the workers that Ray has started ahead.

    These have the environment of this process already. Tune would set some of it again, and for any
    environment that is given, Ray starts another worker. Each takes 3 to 5 s of CPU, with what trials
    import, before the first trials run (measured twice each way).
    """
    if _ENVIRONMENT.usable():
        from ray.tune.execution import class_cache

        class_cache.DEFAULT_ENV_VARS.clear()
        class_cache.ENV_VARS_TO_PROPAGATE.clear()


@contextlib.contextmanager
def nothing_else() -> Iterator[None]:
    """Ray starts here without dashboard, log monitor and autoscaler, which a search does not need.

    They take 0.85, 0.6 and 0.6 s of CPU at the start and 50 MB each; all of Ray takes 4.8 s and 370 MB.
    When Ray ends, they take 0.9 s (measured three times each way).
    """

    def no_address(node: Any, **_: Any) -> None:
        node._webui_url = ""  # Ray reads it right afterwards

    if not _PROCESSES.usable():
        yield
        return
    from ray._private.node import Node

    absent = {
        "start_api_server": no_address,
        "start_log_monitor": lambda node: None,
        "start_monitor": lambda node: None,
    }
    plain = {name: getattr(Node, name) for name in absent}
    try:
        for name, method in absent.items():
            setattr(Node, name, method)
        yield
    finally:
        for name, method in plain.items():
            setattr(Node, name, method)


@contextlib.contextmanager
def apart() -> Iterator[None]:
    """Ray starts in process groups of its own: a signal to the search's group is for the search alone.

    `timeout`, a terminal that is closed and some batch systems signal the whole group. On Linux alone,
    which ends Ray's processes with this one: elsewhere Ray does so by their group. Ray's processes take
    the signals that this thread holds back.
    """
    if os.name != "posix" or not _APART.usable():
        release()  # or Ray's processes would not take them either, of which one ends them
        yield
        return
    from ray._private import services

    plain = services.ConsolePopen

    class Apart(plain):  # type: ignore[misc, valid-type]
        def __init__(self, *args: Any, preexec_fn: Any = None, **options: Any) -> None:
            def begin() -> None:
                release()
                if preexec_fn is not None:
                    preexec_fn()

            group = {"process_group": 0} if sys.platform.startswith("linux") else {}
            super().__init__(*args, preexec_fn=begin, **group, **options)

    services.ConsolePopen = Apart  # type: ignore[misc]
    try:
        yield
    finally:
        services.ConsolePopen = plain  # type: ignore[misc]


@contextlib.contextmanager
def loopback() -> Iterator[None]:
    """Ray starts here with all its ports on the loopback interface, as it does on macOS and Windows."""
    if not _LOOPBACK.usable():
        yield
        return
    from ray._private import ray_constants

    before, ray_constants.ENABLE_RAY_CLUSTER = ray_constants.ENABLE_RAY_CLUSTER, False
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = before


def parts_of_ray() -> Any:
    """The parts of the Ray that this process has started, for `ended`; None if it can't be told."""
    if not _ENDED.usable():
        return None
    from ray._private.worker import _global_node

    return _global_node


def ended(parts: Any) -> list[str]:
    """The processes among `parts_of_ray` that have ended, such as ``raylet``."""
    return [name for name, _ in parts.dead_processes()]


def growth() -> list[tuple[int, dict[str, float]]]:
    """The kinds of machines that the cluster can start: how many, -1 for any number, and what one has.

    Ray Data reads them in the same way; there is no public function for it.
    """
    if not _GROWTH.usable():
        return []
    from ray._private.state import state

    config = state.get_cluster_config()
    try:
        kinds = config.node_group_configs if config else ()
        return [(kind.max_count, dict(kind.resources)) for kind in kinds]
    except AttributeError as error:
        _GROWTH.missing(f"{_STATE}.get_cluster_config().{error.name}")
        return []


def post(key: str, line: str) -> None:
    """Put a line where all processes of a cluster can read it: the key-value store of Ray's head.

    An actor would be one more process: 0.5 s of CPU and 45 MB, for lines that hardly ever come.
    """
    if _NOTICES.usable():
        from ray.experimental import internal_kv

        internal_kv._internal_kv_put(key, line, namespace=_NAMESPACE)


def collect(prefix: str) -> list[str]:
    """Take the lines of all keys that begin with `prefix`, in the order of the keys."""
    if not _NOTICES.usable():
        return []
    from ray.experimental import internal_kv

    lines = []
    for key in sorted(internal_kv._internal_kv_list(prefix, namespace=_NAMESPACE)):
        lines.append(internal_kv._internal_kv_get(key, namespace=_NAMESPACE).decode())
        internal_kv._internal_kv_del(key, namespace=_NAMESPACE)
    return lines
