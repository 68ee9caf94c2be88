"""What runs in the process that `apart` starts: it decodes for the one that started it."""

from __future__ import annotations

import mmap
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.reduction import recv_handle
from pathlib import Path
from typing import Any

import numpy as np

from data.errors import VideoError
from data.videos.decoding.measure import frames, look, measure
from data.videos.decoding.pictures import Pictures
from data.videos.decoding.planes import What, bytes_of, copy_planes, planes_of
from data.videos.decoding.stream import OnShare, reason
from data.videos.info import VideoInfo

_LOOKS = 2.0  # seconds between two looks at whether anybody is there
_SIGNS = 0.2  # seconds between two signs of life
_SHARE = 6  # one in so many of the frames on their way are handed over at a time
_LONGEST = 0.05  # seconds that a frame waits to be handed over


def _survey(*values: Any) -> Any:
    from data.videos.decoding.survey import survey  # takes a while to load, and few ask for it

    return survey(*values)


_ASKED: dict[str, Callable[..., Any]] = {"look": look, "measure": measure, "survey": _survey}


def serve() -> None:
    """Do what is asked, until nobody is left to ask."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        signal.signal(getattr(signal, name), signal.SIG_IGN)  # it ends with the one that asks
    threading.Thread(target=_end_with_parent, args=[os.getppid()], daemon=True).start()
    connection = Connection(int(sys.argv[1]))
    connection.send(("ready",))
    while True:
        try:
            what, *values = connection.recv()
            if what in _ASKED:
                _answer(connection, what, *values)
            elif what == "read":
                _read(connection, *values)
        except (EOFError, OSError):
            return


def _end_with_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOKS)
    os._exit(0)


def _signs(connection: Connection) -> OnShare:
    """Says now and then how far it is."""
    said = time.monotonic()

    def say(share: float) -> None:
        nonlocal said
        if time.monotonic() - said >= _SIGNS:
            said = time.monotonic()
            connection.send(("reached", share))

    return say


def _answer(connection: Connection, what: str, path: Path, *values: Any) -> None:
    try:
        found = _ASKED[what](path, *values, _signs(connection))
    except VideoError as error:
        connection.send(("failed", VideoError(str(error))))
    except Exception as error:  # whatever damage makes of Python's
        connection.send(("failed", VideoError(f"no decoder opens it ({reason(error)})")))
    else:
        connection.send(("done", found))


class _Stop(Exception):
    """Nobody wants the rest."""


def _read(
    connection: Connection,
    info: VideoInfo,
    path: Path,
    wanted: Sequence[int],
    start: int,
    slot_bytes: int,
    slots: int,
) -> None:
    file = recv_handle(connection)
    memory = mmap.mmap(file, slot_bytes * slots)
    os.close(file)
    ring = _Slots(connection, memory, slot_bytes, slots)
    needed = np.zeros(len(info), bool)
    needed[wanted] = True
    needed[:start] = False
    try:
        _send(ring, info, path, needed, _signs(connection))
    except _Stop:
        end: tuple[Any, ...] = ("done",)
    except OSError as error:
        if isinstance(error, ConnectionError):
            raise
        end = ("failed", VideoError(reason(error)))
    except VideoError as error:
        end = ("failed", VideoError(str(error)))
    except Exception as error:  # as above
        end = ("failed", VideoError(reason(error)))
    else:
        end = ("done",)
    ring.hand_over()
    connection.send(end)


def _send(ring: _Slots, info: VideoInfo, path: Path, needed: np.ndarray, sign: OnShare) -> None:
    picture = Pictures()
    for number, frame in enumerate(frames(info, path)):
        ring.listen()
        sign(number / len(info))
        if not needed[number]:
            continue
        if planes := planes_of(frame):  # RGB has twice the bytes: the other side makes it
            ring.put(number, planes, partial(copy_planes, frame))
        else:
            image = picture(frame)
            ring.put(number, image.shape, partial(_copy, image))


def _copy(image: np.ndarray, place: np.ndarray) -> None:
    np.copyto(place.reshape(image.shape), image)


class _Slots:
    """The memory that both sides see, on this side: which places of it are free.

    Frames are handed over several at a time, as waking the other side takes a while.
    """

    def __init__(self, connection: Connection, memory: mmap.mmap, size: int, slots: int) -> None:
        self._connection, self._memory, self._size = connection, memory, size
        self._free = list(range(slots))
        self._put: list[tuple[int, int, What]] = []
        self._since = 0.0
        self._at_once = max(slots // _SHARE, 1)

    def listen(self) -> None:
        """Hear what the other side has said, and hand over what has waited for long.

        Raises:
            _Stop: it wants no more.
        """
        if self._put and time.monotonic() - self._since > _LONGEST:
            self.hand_over()
        while self._connection.poll():
            self._hear()

    def put(self, number: int, what: What, write: Callable[[np.ndarray], None]) -> None:
        """Have a frame handed over.

        Args:
            what: is handed over.
            write: writes it to where it is told, uint8 and flat.

        Raises:
            _Stop: the other side wants no more.
        """
        count = bytes_of(what)
        if count > self._size:  # larger than the file has said
            place = np.empty(count, np.uint8)
            write(place)
            self.hand_over()
            self._connection.send(("large", number, what, place))
            return
        if not self._free:
            self.hand_over()
        while not self._free:
            self._hear()
        slot = self._free.pop()  # the one that was free last, which the processor's cache still has
        write(np.frombuffer(self._memory, np.uint8, count, slot * self._size))
        self._since = self._since if self._put else time.monotonic()
        self._put.append((number, slot, what))
        if len(self._put) == self._at_once:
            self.hand_over()

    def hand_over(self) -> None:
        if self._put:
            self._connection.send(("frames", self._put))
            self._put = []

    def _hear(self) -> None:
        what, *values = self._connection.recv()
        if what == "stop":
            raise _Stop
        self._free += values[0]
