"""A process beside this one that decodes, and is replaced if a file makes it crash or hang.

What reads files of unknown origin may end the process that it runs in. So videos are decoded by small
processes, each for one reader at a time; frames come through memory that both sides see.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import Any

import numpy as np

from data.errors import VideoError
from data.files.image_folder import size_of
from data.videos.decoding.planes import Planes, Received, bytes_of
from data.videos.decoding.ring import Ring
from data.videos.decoding.stream import OnShare, silent
from data.videos.info import VideoInfo

_PATIENCE = 120.0  # seconds without a sign of life
_SLOWEST = 50_000  # bytes a second, at which files are decoded at least
_LOOK = 0.2  # seconds that it is waited for, before who waits may think of it again
_PAUSES = (0.0, 1.0, 4.0, 10.0)  # seconds, before it is tried again
_CRASHES = (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL)
_KEPT = min(max(os.cpu_count() or 1, 4), 16)  # processes that wait for work, at most
_ROOT = str(Path(__file__).parents[3])
_SERVE = "from data.videos.decoding.child import serve; serve()"
_PROGRAM = f"import sys; sys.path.insert(0, {_ROOT!r}); {_SERVE}"

OnWait = Callable[[], None]


def nothing() -> None:
    """Done while nothing comes."""


class Ended(Exception):
    """The process that decoded is no more.

    Attributes:
        by_file: whether the file made it crash or hang; else somebody killed it, or the system did.
    """

    def __init__(self, why: str, *, by_file: bool = False) -> None:
        super().__init__(why)
        self.by_file = by_file


class _Decoder:
    """One such process."""

    def __init__(self) -> None:
        self._ready = False
        here, there = Pipe()
        with there:
            os.set_inheritable(there.fileno(), True)
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", _PROGRAM, str(there.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[there.fileno()],
                start_new_session=True,  # Ctrl-C is for the command, which then ends this
            )
        self.connection: Connection = here

    def send(self, *message: Any) -> None:
        try:
            self.connection.send(message)
        except OSError as error:
            raise self._ended() from error

    def answer(self, patience: float, on_wait: OnWait = nothing) -> tuple[Any, ...]:
        """What it says next.

        Raises:
            Ended: it says nothing for `patience` seconds, or is gone.
        """
        heard = time.monotonic()
        try:
            while time.monotonic() - heard < patience:
                if not self.connection.poll(_LOOK):
                    on_wait()
                    continue
                said = self.connection.recv()
                if said[0] != "ready":
                    return said
                self._ready, heard = True, time.monotonic()
        except (EOFError, OSError) as error:
            raise self._ended() from error
        raise Ended(f"no answer in {patience:.0f} seconds", by_file=True)

    def end(self) -> None:
        self.connection.close()
        self._process.kill()
        self._process.wait()

    def _ended(self) -> Ended:
        status = None
        with contextlib.suppress(subprocess.TimeoutExpired):
            status = self._process.wait(5)
        if status is not None and -status in _CRASHES:
            return Ended(signal.Signals(-status).name, by_file=self._ready)
        return Ended("it was killed" if status == -signal.SIGKILL else f"exit status {status}")


class _Idle:
    """Decoders that wait for work; those of a process that has forked stay with it."""

    def __init__(self) -> None:
        self._decoders: list[_Decoder] = []
        self._lock, self._owner = threading.Lock(), os.getpid()

    def take(self) -> _Decoder:
        with self._lock:
            if self._owner != os.getpid():
                self._decoders, self._owner = [], os.getpid()
            if self._decoders:
                return self._decoders.pop()
        return _Decoder()

    def give(self, decoder: _Decoder) -> None:
        with self._lock:
            if self._owner == os.getpid() and len(self._decoders) < _KEPT:
                self._decoders.append(decoder)
                return
        decoder.end()


_idle = _Idle()


def call(
    what: str,
    path: Path,
    *values: Any,
    careful: Sequence[Any] | None = None,
    on_share: OnShare = silent,
) -> Any:
    """Have `look` or `measure` of `data.videos.decoding.measure` done, or `survey`.

    Args:
        values: what else these take.
        careful: taken in place of `values` after the file has made the process crash or hang.
        on_share: called with the share that is done, again and again; what it raises ends it.

    Raises:
        VideoError: as of these; or the file ended two processes, or takes too long.
    """
    attempts = _Attempts("no decoder opens it")
    while True:
        try:
            kind, value = _called(what, path, values, on_share)
        except Ended as ended:
            attempts.after(ended)
            values = tuple(careful) if careful and ended.by_file else values
            continue
        if kind == "failed":
            raise value
        return value


def _called(what: str, path: Path, values: Sequence[Any], on_share: OnShare) -> tuple[str, Any]:
    decoder = _idle.take()
    limit = _PATIENCE
    with contextlib.suppress(OSError):  # the decoder tells what is wrong with it
        limit += size_of(path) / _SLOWEST
    until, share = time.monotonic() + limit, 0.0

    def on_wait() -> None:
        on_share(share)

    try:
        decoder.send(what, path, *values)
        while True:
            kind, value = decoder.answer(_PATIENCE, on_wait)
            if kind != "reached":
                break
            share = max(share, value)
            on_share(share)
            if time.monotonic() > until:
                raise VideoError(f"it is given up after {limit:.0f} seconds, {share:.0%} decoded")
    except BaseException:  # Ctrl-C, too: its answer must not be taken for that of the next file
        decoder.end()
        raise
    _idle.give(decoder)
    return kind, value


class _Attempts:
    """To have something done, again if the process that decodes ends; `what` it is that fails then."""

    def __init__(self, what: str) -> None:
        self._what, self._crashes, self._pauses = what, 0, list(_PAUSES)

    def after(self, ended: Ended) -> None:
        """Wait until it may be tried again.

        Raises:
            VideoError: never again, since the file is to blame.
            MemoryError: it was tried often, and the file is not to blame.
        """
        self._crashes += ended.by_file
        if self._crashes > 1:
            raise VideoError(f"{self._what}: it makes the decoder fail ({ended})") from ended
        if not self._pauses:
            raise MemoryError(
                f"processes that decode videos are ended ({ended}): is memory short?"
            ) from ended
        time.sleep(self._pauses.pop(0))


def read(
    info: VideoInfo, path: Path, wanted: np.ndarray, on_wait: OnWait = nothing
) -> Iterator[np.ndarray]:
    """Decode a video, and yield the frames that are wanted, uint8 ``[H, W, 3]``.

    A frame is good for as long as anybody holds it.

    Args:
        wanted: ``[N]``, for each frame.
        on_wait: called again and again while no frame comes; what it raises ends it.

    Raises:
        VideoError: it does not decode as far; the frames before were yielded.
    """
    start, attempts = 0, _Attempts("it does not decode")
    while True:
        try:
            for number, frame in _read(info, path, wanted, start, on_wait):
                start = number + 1
                yield frame
            return
        except Ended as ended:
            attempts.after(ended)


def _read(
    info: VideoInfo, path: Path, wanted: np.ndarray, start: int, on_wait: OnWait
) -> Iterator[tuple[int, np.ndarray]]:
    ring = Ring(info.height * info.width * 3)
    picture = Received()
    decoder = _idle.take()
    whole = False
    try:
        decoder.send("read", info, path, np.flatnonzero(wanted), start, ring.slot_bytes, ring.slots)
        ring.share(decoder.connection)
        while True:
            kind, *values = decoder.answer(_PATIENCE, on_wait)
            if kind == "frames":
                for number, slot, what in values[0]:
                    if isinstance(what, Planes):
                        image = picture(what, ring.flat(slot, bytes_of(what)))
                        ring.give_back(slot)
                    else:
                        image = ring.frame(slot, what)
                    yield number, image
                if free := ring.take_free():
                    decoder.send("free", free)
            elif kind == "large":  # than the others: it came whole
                number, what, place = values
                yield number, picture(what, place)
            elif kind != "reached":
                whole = True
                if kind == "failed":
                    raise values[0]
                return
    finally:
        if not whole and _stopped(decoder):
            whole = True
        if whole:
            _idle.give(decoder)
        else:
            decoder.end()


def _stopped(decoder: _Decoder) -> bool:
    """Whether a decoder that still reads has been stopped."""
    try:
        decoder.send("stop")
        while decoder.answer(5)[0] not in ("done", "failed"):
            pass
    except Ended:
        return False
    return True
