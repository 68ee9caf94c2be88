"""Which process runs a search, and whether it still does: one at a time, wherever its models are."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from data.files.patience import say
from tuner.config.messages import StoreError

PROCESS = "process"  # a note: which runs the trials, as host:pid; None: no process does
ALIVE = "alive"  # a note: when that process last said that it runs, by its own clock
BEAT = 20.0  # seconds between two such notes
_BEATS = 3  # that are missed by a process that was lost


def this_process() -> str:
    """This process as ``host:pid``."""
    return f"{socket.gethostname()}:{os.getpid()}"


def has_ended(process: str) -> bool:
    """Whether a process has ended, as far as can be told from this machine."""
    host, _, pid = process.rpartition(":")
    if host != socket.gethostname():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:  # it is another user's
        return False
    return False


@contextlib.contextmanager
def beating(note: Callable[[str, Any], None]) -> Iterator[None]:
    """Note that this process runs the search, again and again as long as the context lasts.

    Args:
        note: keeps a value under a name, as `ResultsStore.set_note` does.
    """
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(BEAT):
            with contextlib.suppress(Exception):  # the search itself notices what is wrong
                note(ALIVE, time.time())

    note(ALIVE, time.time())
    note(PROCESS, this_process())
    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        with contextlib.suppress(KeyError):  # the search was deleted
            note(PROCESS, None)


def await_end(name: str, notes: Callable[[], dict[str, Any]]) -> None:
    """Return once no other process runs a search.

    One that has died on another machine can't be told from one that runs, but for its silence.

    Args:
        notes: reads those of the search.

    Raises:
        StoreError: another process runs it.
    """
    first = notes()
    process = first.get(PROCESS)
    if not process or process == this_process() or has_ended(process):
        return
    if ALIVE not in first:  # an earlier version runs it, or did
        return
    say(f"search '{name}' was running in process {process}; looking whether it still is")
    end = time.monotonic() + _BEATS * BEAT
    while time.monotonic() < end:
        time.sleep(min(1.0, BEAT))
        now = notes()
        if now.get(PROCESS) != process:
            await_end(name, notes)
            return
        if now.get(ALIVE) != first[ALIVE]:
            raise StoreError(
                f"search '{name}' is running in another process ({process}): wait for it, or "
                "--set name=ANOTHER"
            )
