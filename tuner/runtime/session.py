"""Ray, from the first moment of a command to its last."""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import os
import re
import secrets
import socket
import stat
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tuner.config.load import Config
from tuner.config.messages import UserError
from tuner.config.sections import MOST_ON_A_GPU
from tuner.runtime.signals import hold, release, sigterm_kept

# Without Tune's own snapshots, loggers and metric checks: the results store does their work.
_ENVIRONMENT = {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "1000000000",
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
}
# Ray starts a worker for each CPU in advance. While the videos are prepared, the worker imports what
# trials need, and then waits for a trial. It does not import our own modules so early: Ray has not yet
# told it where they are, and Python may find another copy.
_AHEAD = {
    "RAY_preload_python_modules": "torch,torch.utils.tensorboard,ray.tune,pandas,matplotlib.figure",
    "RAY_idle_worker_killing_time_threshold_ms": str(24 * 3600 * 1000),
}


def environment() -> None:
    """Set what Ray and its workers read when they start."""
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)


# A Unix socket's path has at most so many bytes, and Ray's in its folder about so many.
_LONGEST, _SOCKET = (
    107,
    len("/tuner-1000000/ray/session_2026-01-01_00-00-00_000000_1000000/sockets/plasma_store"),
)
_LOOK = 0.1  # seconds between two looks at Ray's processes
_PATIENCE = 15.0  # seconds, for a cluster that is just being started


class RaySession:
    """Ray, which starts in a thread, because it takes seconds, and ends with the context.

    A cluster that runs already is joined and left running: the one of this process, that of
    ``RAY_ADDRESS``, or the one that this machine is part of. It gets a copy of the code that runs here.

    Args:
        ahead: whether workers import what trials need while they wait, which takes 0.3 GB a CPU.
        lost: called from a thread with the name of a process of Ray's that has ended too early, if this
            process has started Ray. Ray would wait for a minute or two, and then end this process.

    Attributes:
        joins: whether it joins a cluster that runs already.
        started_ray: whether this process has started Ray.
    """

    def __init__(self, *, ahead: bool = False, lost: Callable[[str], object] | None = None) -> None:
        self._ahead, self._lost = ahead, lost
        _check_folder(Path.cwd())
        ray = sys.modules.get("ray")
        self._address = None if ray and ray.is_initialized() else running_cluster()
        self.joins = bool(self._address) or bool(ray and ray.is_initialized())
        self._thread: threading.Thread | None = None
        self._ready, self._leaving, self._end = (threading.Event() for _ in range(3))
        self._error: BaseException | None = None
        self.started_ray = False

    def start(self) -> None:
        """Begin to start Ray, and return at once."""
        if self._thread is None:
            environment()
            import ray  # noqa: F401  here: two threads that import at once can see half of a module

            hold()  # till Ray has started, in its thread and those that come from here
            self._thread = threading.Thread(target=self._start, daemon=True)
            self._thread.start()

    def wait(self) -> None:
        """Return when Ray runs.

        Raises:
            Exception: the error that kept Ray from starting.
        """
        self.start()
        self._ready.wait()
        release()
        if self._error is not None:
            raise self._error

    def _start(self) -> None:
        try:
            import ray

            if not ray.is_initialized():
                from tuner.runtime.patches import apart, loopback, nothing_else

                quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
                if self._address:
                    with sigterm_kept():
                        ray.init(self._address, runtime_env={"py_modules": _packages()}, **quiet)
                else:
                    if self._ahead:
                        os.environ.update(_AHEAD)
                    # Without "local", Ray may try to join what a killed Ray left, and wait for ever.
                    _closed()
                    with nothing_else(), apart(), loopback(), sigterm_kept():
                        folder = str(private_folder())
                        ray.init("local", include_dashboard=False, _temp_dir=folder, **quiet)
                    self.started_ray = True
        except BaseException as error:  # `wait` raises it
            self._error = error
        release()
        self._ready.set()
        if self.started_ray and self._lost:
            self._watch(self._lost)
        # Ray asks Linux to end its processes with the thread that started them.
        self._end.wait()

    def _watch(self, lost: Callable[[str], object]) -> None:
        from tuner.runtime.patches import ended, parts_of_ray

        parts = parts_of_ray()
        while parts is not None and not self._leaving.wait(_LOOK):
            if names := ended(parts):
                lost(names[0])
                return

    def __enter__(self) -> RaySession:
        return self

    def __exit__(self, *error: object) -> None:
        if self._thread is not None:
            self._ready.wait()
            release()
            self._leaving.set()
            if self.started_ray:
                import ray

                ray.shutdown()
            self._end.set()
            self._thread.join()


def _check_folder(folder: Path) -> None:
    """Ray sends the path of the working folder to its workers as text.

    Raises:
        UserError: it is none.
    """
    try:
        str(folder).encode()
    except UnicodeEncodeError as error:
        raise UserError(
            f"the name of the working folder is not UTF-8 ({folder}), which Ray can't work in: give it "
            "another name"
        ) from error


def _closed() -> None:
    """Nobody else gets into the Ray that is about to start on this machine, nor reads its figures.

    Its token is in this process and those that it starts alone. Ray's own would be in a file, which it
    writes so that every user of the machine can read it.
    """
    if "RAY_AUTH_TOKEN" not in os.environ and "RAY_AUTH_TOKEN_PATH" not in os.environ:
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
    os.environ.setdefault("RAY_enable_metrics_collection", "0")


def ray_folder() -> Path:
    """Where a Ray that a search starts has its sockets, logs and what does not fit into memory."""
    base = _temporary()
    if len(os.fsencode(base)) + _SOCKET > _LONGEST:
        base = "/tmp"
    return Path(base) / (f"tuner-{os.getuid()}" if os.name == "posix" else "tuner") / "ray"


def private_folder() -> Path:
    """`ray_folder`, in a folder of this user's that nobody else gets into.

    Ray lets every user write to its own folders, so that another could put sockets of theirs there.
    """
    folder = ray_folder().parent
    if os.name != "posix":
        return folder / "ray"
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700, parents=True)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():  # another user was first
        folder = Path(tempfile.mkdtemp(prefix="tuner-", dir=folder.parent))
    folder.chmod(0o700)
    return folder / "ray"


def every_cpu_trains(config: Config) -> bool:
    """Whether a search on this machine alone will have a worker on each CPU.

    It is a guess: only PyTorch could say what GPUs there are, and it takes long to import.
    """
    cpus = os.cpu_count() or 1
    wanted = min(config.resources.trials_at_once or cpus, config.search.trials or cpus)
    gpus = len(list(Path("/dev").glob("nvidia[0-9]*")))  # with few of them most CPUs have no trial
    limited = bool(gpus) and cpus > gpus * MOST_ON_A_GPU
    return config.resources.cpus <= 1 and wanted >= cpus and not limited


def running_cluster(*, patience: float | None = None) -> str | None:
    """Address of the cluster that a command should join; None if there is none that answers.

    Args:
        patience: seconds to wait for that of ``RAY_ADDRESS``; None: as long as one takes to start.

    Raises:
        UserError: ``RAY_ADDRESS`` names one that does not answer, or something else.
    """
    if address := os.environ.get("RAY_ADDRESS"):
        return _answering(address, _PATIENCE if patience is None else patience)
    try:
        file = _current_cluster()
        status = file.stat()
        # Another user's cluster is not ours, and whoever may write this file could name any.
        if os.name == "posix" and (status.st_uid != os.getuid() or status.st_mode & 0o022):
            return None
        address = file.read_text().strip()
        _connect(address, 2)
    except (OSError, ValueError):  # none, or one that was killed
        return None
    return address


def _answering(address: str, patience: float) -> str | None:
    if address == "local":
        return None
    if address == "auto" or address.startswith("ray://"):
        return address
    told = f"RAY_ADDRESS (or --address) is {address}"
    if not re.fullmatch(r"[^:/]+:\d{1,5}|\[[^\]/]+\]:\d{1,5}", address):
        raise UserError(
            f"{told}: give HOST:PORT of a Ray cluster's head, such as 10.0.0.7:6379 (its jobs API, "
            "http://...:8265, takes `ray job submit`); without it a search runs on this machine alone"
        )
    end = time.monotonic() + patience
    while True:
        try:
            _connect(address, patience)
            return address
        except OSError as error:
            if time.monotonic() > end:
                raise UserError(
                    f"{told}, where no Ray cluster answers ({error.strerror or error}): start it, or "
                    "leave that out, and the search runs on this machine alone"
                ) from error
        time.sleep(0.5)


def _connect(address: str, seconds: float) -> None:
    host, _, port = address.rpartition(":")
    with socket.create_connection((host.strip("[]"), int(port)), timeout=seconds):
        pass


def _current_cluster() -> Path:
    """The file in which `ray start` notes the cluster that it has started or joined."""
    return Path(_temporary()) / "ray" / "ray_current_cluster"


def _temporary() -> str:
    return os.environ.get("RAY_TMPDIR") or os.environ.get("TMPDIR") or "/tmp"


def _packages() -> list[str]:
    """Folders of the packages that all machines of a cluster need in the same version."""
    specs = [importlib.util.find_spec(name) for name in ("tuner", "models", "data")]
    return [str(Path(spec.origin).parent) for spec in specs if spec and spec.origin]
