"""What Ray Tune's controller does otherwise in our searches; its options don't reach this far."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import Any

from ray.tune.execution import class_cache
from ray.tune.execution.tune_controller import TuneController
from ray.tune.trainable.metadata import _TrainingRunMetadata

_reuse = TuneController._maybe_reuse_cached_actor


def adapt(*, own: bool) -> None:
    """Change the controller of all searches of this process.

    Args:
        own: whether this process has started Ray.
    """
    TuneController._maybe_reuse_cached_actor = _let_workers_start  # type: ignore[method-assign]
    TuneController._get_trial_checkpoints = _no_trials  # type: ignore[method-assign]
    # Statistics of each number in a trial's results, 20 kB a trial, for reports that nobody asks for.
    _TrainingRunMetadata.update_metric = lambda *_, **__: None  # type: ignore[method-assign]
    if own:
        # Workers that Ray has started ahead have the environment of this process already. Tune would
        # set some of it again, and a worker with an environment of its own is started when asked for.
        class_cache.DEFAULT_ENV_VARS.clear()
        class_cache.ENV_VARS_TO_PROPAGATE.clear()


def _let_workers_start(self: Any, trial: Any) -> bool:
    """Give a worker that has become free to a trial for which none is starting.

    Tune gives it to the trial that it finds first, and if a worker is starting for that one, ends the
    worker: with trials shorter than a start, all but one never come up.
    """
    if not _has_worker(self, trial) or trial in self._resetting_trials:
        return _reuse(self, trial)
    waiting = self._resources_to_pending_trials[trial.placement_group_factory]
    others = [t for t in waiting if t is not trial and t not in self._resetting_trials]
    others = [other for other in others if not _has_worker(self, other)]
    if others:
        other = min(others, key=lambda t: t.config["model_id"])
        if _reuse(self, other) and other not in self._staged_trials:
            self._staged_trials.add(other)
            self._actor_cache.increase_max(other.placement_group_factory)
    return False


def _has_worker(controller: Any, trial: Any) -> bool:
    """Whether a worker has been given what it needs to start, for this trial."""
    actor = controller._trial_to_actor.get(trial)
    return actor is not None and controller._actor_manager.is_actor_started(actor)


def _no_trials(self: Any) -> dict[str, str]:
    """Tune's last snapshot is without the trials: they are in the store.

    It would write everything it knows of each as JSON, and nobody reads it.
    """
    return {}


_DASHBOARD = "ray.dashboard.optional_deps"


@contextlib.contextmanager
def nothing_else() -> Iterator[None]:
    """Ray starts here without what only others look at: dashboard, logs gathered, autoscaler.

    Each would be a process that takes a part of a second from a search of half a minute.
    """
    from ray._private.node import Node

    def no_address(node: Any, **_: Any) -> None:
        node._webui_url = ""

    absent = {
        "start_api_server": no_address,
        "start_log_monitor": lambda node: None,
        "start_monitor": lambda node: None,
    }
    methods = {name: getattr(Node, name) for name in absent}
    before = sys.modules.get(_DASHBOARD)
    for name, method in absent.items():
        setattr(Node, name, method)
    # By importlib's rules "there is none", of packages that Ray would import to see whether they are.
    sys.modules[_DASHBOARD] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        for name, method in methods.items():
            setattr(Node, name, method)
        del sys.modules[_DASHBOARD]
        if before is not None:
            sys.modules[_DASHBOARD] = before
