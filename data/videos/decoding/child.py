"""What runs in the process that `apart` starts: it decodes for the one that started it."""

from __future__ import annotations

import mmap
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from multiprocessing.reduction import recv_handle
from pathlib import Path
from typing import Any

import numpy as np

from data.errors import VideoError
from data.videos.decoding.measure import frames, look, measure
from data.videos.decoding.pictures import Pictures
from data.videos.decoding.stream import OnShare, reason
from data.videos.info import VideoInfo

_LOOKS = 2.0  # seconds between two looks at whether anybody is there
_SIGNS = 0.2  # seconds between two signs of life


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
    connection.send(end)


def _send(ring: _Slots, info: VideoInfo, path: Path, needed: np.ndarray, sign: OnShare) -> None:
    picture = Pictures()
    for number, frame in enumerate(frames(info, path)):
        ring.listen()
        sign(number / len(info))
        if needed[number]:
            ring.put(number, picture(frame))


class _Slots:
    """The memory that both sides see, on this side: which places of it are free."""

    def __init__(self, connection: Connection, memory: mmap.mmap, size: int, slots: int) -> None:
        self._connection, self._memory, self._size = connection, memory, size
        self._free = deque(range(slots))

    def listen(self) -> None:
        """Hear what the other side has said.

        Raises:
            _Stop: it wants no more.
        """
        while self._connection.poll():
            self._hear()

    def put(self, number: int, image: np.ndarray) -> None:
        """Hand a frame over.

        Raises:
            _Stop: the other side wants no more.
        """
        while not self._free:
            self._hear()
        if image.nbytes > self._size:
            self._connection.send(("large", number, np.ascontiguousarray(image)))
            return
        slot = self._free.popleft()
        place = np.frombuffer(self._memory, np.uint8, image.size, slot * self._size)
        np.copyto(place.reshape(image.shape), image)
        self._connection.send(("frame", number, slot, image.shape))

    def _hear(self) -> None:
        what, *values = self._connection.recv()
        if what == "stop":
            raise _Stop
        self._free.append(values[0])
