"""Work in processes that are replaced when they crash, or say nothing for too long."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).parents[3]
_START = "import sys; from data.tools.checking.processes import serve; serve(int(sys.argv[1]))"
_LOOK = 0.2  # seconds between two looks at the clock
_BEAT = 0.2  # seconds between two signs of life

Beat = Callable[[float], None]  # called with the share of a job that is done


@dataclass(frozen=True)
class Job:
    """Something to do in another process.

    Attributes:
        function: ``module:function``, called with `argument` and a `Beat`.
        seconds: that it may take in all.
        silence: seconds that it may take without a `Beat`.
    """

    function: str
    argument: Any
    seconds: float
    silence: float


@dataclass(frozen=True)
class Failed:
    """A job that came to no end, and why."""

    reason: str


def usable_cpus() -> int:
    """How many CPUs this process may use."""
    with suppress(AttributeError):  # of Linux alone
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def run(
    jobs: Sequence[Job], processes: int, on_beat: Callable[[int, float], None]
) -> Iterator[tuple[int, Any]]:
    """Do jobs, several at a time; yields the number of each, and its result or `Failed`.

    Args:
        on_beat: called with the number of a job, and the share of it that is done.
    """
    waiting = list(enumerate(jobs))[::-1]
    workers = [_Worker() for _ in range(max(1, min(processes, len(jobs))))]
    try:
        while waiting or any(worker.number is not None for worker in workers):
            for worker in workers:
                if worker.number is None and waiting:
                    worker.begin(*waiting.pop())
            busy = {worker.link: worker for worker in workers if worker.number is not None}
            for link in wait(list(busy), _LOOK):
                worker = busy[link]  # type: ignore[index]
                number = worker.number
                assert number is not None
                kind, value = worker.receive()
                if kind == "beat":
                    on_beat(number, value)
                else:
                    yield number, value
            for worker in busy.values():
                if (reason := worker.late()) is not None:
                    number = worker.number
                    assert number is not None
                    worker.replace()
                    yield number, Failed(reason)
    finally:
        for worker in workers:
            worker.end()


class _Worker:
    """One process, and what it is at."""

    def __init__(self) -> None:
        self.number: int | None = None
        self._start()

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        path = os.pathsep.join([str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        # Decoders write to the terminal; -P, so that files of the working folder hide no package.
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", _START, str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": path},
        )
        theirs.close()
        self.link = Connection(ours.detach())

    def begin(self, number: int, job: Job) -> None:
        self.number, self._job = number, job
        self._began = self._heard = time.monotonic()
        with suppress(OSError):  # it has died since; that is told when it is listened to
            self.link.send((job.function, job.argument))

    def receive(self) -> tuple[str, Any]:
        """What it says: ``beat`` and a share, or ``done`` and a result."""
        try:
            kind, value = self.link.recv()
        except Exception:  # it has ended, in the middle of a message perhaps
            code = self.replace()
            name = f"signal {-code}"
            with suppress(ValueError):
                name = signal.Signals(-code).name
            ended = f"the decoder ended its process ({name if code < 0 else f'status {code}'})"
            return "done", Failed(ended)
        self._heard = time.monotonic()
        if kind == "done":
            self.number = None
        return kind, value

    def late(self) -> str | None:
        """What is to be said of a job that takes too long."""
        if self.number is None:
            return None
        now = time.monotonic()
        if now - self._heard > self._job.silence:
            return f"the decoder hangs: no frame came for {self._job.silence:.0f} seconds"
        if now - self._began > self._job.seconds:
            return f"it took longer than {self._job.seconds:.0f} seconds, and was given up"
        return None

    def replace(self) -> int:
        """End the process, and start another; returns the exit status."""
        code = self.end()
        self._start()
        self.number = None
        return code

    def end(self) -> int:
        with suppress(OSError):
            self.link.close()
        # One that has ended by itself gets the moment to say how.
        with suppress(subprocess.TimeoutExpired):
            return self._process.wait(0.5 if self.number is not None else 0)
        self._process.kill()
        return self._process.wait()


def serve(descriptor: int) -> None:
    """What the other process does: job after job, until nobody gives it one."""
    link = Connection(descriptor)
    last = 0.0

    def beat(share: float) -> None:
        nonlocal last
        if time.monotonic() - last >= _BEAT:
            last = time.monotonic()
            link.send(("beat", share))

    with suppress(EOFError, OSError, KeyboardInterrupt):
        while True:
            function, argument = link.recv()
            module, _, name = function.partition(":")
            try:
                result = getattr(import_module(module), name)(argument, beat)
            except MemoryError:
                result = Failed("there is not enough memory for it")
            except Exception as error:  # a file must not end the others
                result = Failed(f"{type(error).__name__}: {error}"[:300])
            link.send(("done", result))
