"""Why a trial failed, told from Ray's report of several pages."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from ray import cloudpickle
from ray.exceptions import ActorUnavailableError, RayActorError


def reason_of(trial: Any) -> str:
    """Why a trial failed, in one line."""
    error = _error_of(trial)
    if machine_lost(error):
        return "its machine was lost"
    if isinstance(error, RayActorError):
        return "its worker died: " + " ".join(str(error).split())[:300]
    cause = getattr(error, "cause", None) or error
    if cause is None:
        lines = Path(trial.error_file).read_text().splitlines() if trial.error_file else []
        return next((line for line in reversed(lines) if line.strip()), "unknown")
    text = str(cause).strip().splitlines()
    return f"{type(cause).__name__}: {text[0]}" if text else type(cause).__name__


def _error_of(trial: Any) -> Exception | None:
    if trial.pickled_error_file:
        # Some exceptions can't be unpickled; their text is in the other file.
        with contextlib.suppress(Exception):
            return cloudpickle.loads(Path(trial.pickled_error_file).read_bytes())
    return None


def machine_lost(error: Exception | None) -> bool:
    """Whether an error says that the worker's machine is lost or can't be reached.

    When a worker dies alone, its machine says so at once. When the machine is gone, Ray first knows only
    that there is no answer.
    """
    if isinstance(error, ActorUnavailableError):
        return True
    return isinstance(error, RayActorError) and "node has died" in str(error)


def forgive_lost_machine(trial: Any) -> bool:
    """Whether `trial`, which is about to be tried again, has lost its machine.

    Such a retry does not count for ``search.retries``: in weeks on spot machines there may be many.
    """
    if not machine_lost(_error_of(trial)):
        return False
    trial.run_metadata.num_failures -= 1
    return True
