"""Failures by kind: a trial's own count and are final, those of the world are not."""

from __future__ import annotations

import errno
from pathlib import Path
from types import SimpleNamespace

import pytest
from ray import cloudpickle
from ray.exceptions import RayActorError, RayTaskError

from data.errors import VideoError
from data.files.whole import DamagedFile
from models.tensors import DamagedTensors
from tuner.runtime.failures import Forgiven, of_the_world, reason_of


@pytest.fixture
def failed(tmp_path: Path):
    """``failed(error)``: a trial of Tune's that failed so."""

    def make(error: Exception) -> SimpleNamespace:
        (tmp_path / "error.pkl").write_bytes(cloudpickle.dumps(error))
        return SimpleNamespace(
            config={"model_id": 3},
            pickled_error_file=str(tmp_path / "error.pkl"),
            run_metadata=SimpleNamespace(num_failures=1),
        )

    return make


def raised(cause: Exception) -> Exception:
    """As an exception of a worker reaches the search."""
    return RayTaskError("step", "Traceback...", cause)


OF_THE_WORLD = [
    RayActorError(error_msg="It fell."),
    RayActorError(error_msg="The actor's node has died."),
    raised(OSError(errno.ENOSPC, "No space left on device")),
    raised(PermissionError(errno.EACCES, "Permission denied")),
    raised(FileNotFoundError(errno.ENOENT, "No such file")),
    raised(DamagedFile(Path("/cache/a.npy"), "its checksum differs")),
    raised(DamagedTensors("/runs/last.pt is damaged")),
    raised(ImportError("a.so: failed to map segment from shared object")),  # memory was short
]
ITS_OWN = [raised(RuntimeError("it diverged")), raised(VideoError("damaged")), raised(ValueError())]


@pytest.mark.parametrize("error", OF_THE_WORLD, ids=str)
def test_faults_of_the_world_are_not_counted(failed, error):
    trial = failed(error)
    assert of_the_world(trial)
    assert Forgiven().forgive(trial)
    assert trial.run_metadata.num_failures == 0


@pytest.mark.parametrize("error", ITS_OWN, ids=str)
def test_its_own_failures_are_counted(failed, error):
    trial = failed(error)
    assert not of_the_world(trial)
    assert not Forgiven().forgive(trial)
    assert trial.run_metadata.num_failures == 1


def test_what_comes_again_and_again_is_counted_but_for_lost_machines(failed):
    forgiven = Forgiven()
    full = failed(raised(OSError(errno.ENOSPC, "No space left on device")))
    assert [forgiven.forgive(full) for _ in range(12)] == [True] * 10 + [False] * 2
    lost = failed(RayActorError(error_msg="The actor's node has died."))
    assert all(forgiven.forgive(lost) for _ in range(50))


def test_the_reason_is_a_line(failed):
    assert reason_of(failed(OF_THE_WORLD[2])) == "OSError: [Errno 28] No space left on device"
    assert "a.npy is damaged" in reason_of(failed(OF_THE_WORLD[5]))
