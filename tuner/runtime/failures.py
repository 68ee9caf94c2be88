"""Why a trial failed, told from Ray's report of several pages, and whether that is its own fault.

A trial that diverges or does not fit would fail again. A full disk, a damaged file, a worker or a
machine that is lost, and a package that can't be loaded (as where memory is short) are faults of the
world: the trial is tried again without a count, and if it still fails, it has not ended: a resumed
search goes on with it.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from pathlib import Path
from typing import Any

from ray import cloudpickle
from ray.exceptions import ActorUnavailableError, RayActorError

from data.files.s3 import S3Error
from data.files.whole import DamagedFile
from models.tensors import DamagedTensors

_OF_THE_WORLD = (OSError, ImportError, S3Error, DamagedFile, DamagedTensors)
_FORGIVEN = 10  # times a trial


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


def of_the_world(trial: Any) -> bool:
    """Whether a trial failed for what it can't help."""
    error = _error_of(trial)
    return isinstance(error, RayActorError) or isinstance(
        getattr(error, "cause", None) or error, _OF_THE_WORLD
    )


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


class Forgiven:
    """Which retries do not count for ``search.retries``: those after faults of the world.

    Of lost machines there may be any number: in weeks on spot machines there are many. Other faults of
    the world that come again and again, as a disk that stays full, stop the trial.
    """

    def __init__(self) -> None:
        self._times: Counter[int] = Counter()

    def forgive(self, trial: Any) -> bool:
        """Whether the retry that `trial` is about to get does not count."""
        if not of_the_world(trial):
            return False
        if not machine_lost(_error_of(trial)):
            number = trial.config["model_id"]
            self._times[number] += 1
            if self._times[number] > _FORGIVEN:
                return False
        trial.run_metadata.num_failures -= 1
        return True
