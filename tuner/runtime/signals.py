"""The signals that stop a command as Ctrl-C does."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import threading
from collections.abc import Iterator
from typing import Any

# `timeout`, batch systems and `kill`; a terminal that is closed; and what comes before a job's time is
# over: Slurm's ``--signal`` (mostly USR1), Grid Engine's USR1 and XCPU, LSF's USR2.
STOPPING = [
    name for name in ("SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGXCPU") if hasattr(signal, name)
]


def stop_as_by_hand() -> None:
    """Have the first of these signals do what Ctrl-C does, and the next ones nothing.

    One stop often comes as several: `timeout` signals its command and then the group that it is in. A
    second Ctrl-C ends a search at once, without what is left to save.
    """
    stopped = False

    def stop(number: int, frame: Any) -> None:
        nonlocal stopped
        if stopped:
            return
        stopped = True
        by_hand = signal.getsignal(signal.SIGINT)
        if not callable(by_hand):  # Ctrl-C is ignored, as in the background
            raise KeyboardInterrupt
        by_hand(number, frame)

    for name in STOPPING:
        number = signal.Signals[name]
        if signal.getsignal(number) != signal.SIG_IGN:  # as under nohup
            signal.signal(number, stop)


def hold() -> None:
    """Leave these signals to other threads, and those that this one starts likewise, till `release`.

    If no thread takes one, it waits.
    """
    if os.name == "posix":
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.Signals[name] for name in STOPPING})


def release() -> None:
    """Take these signals again in this thread, first of all those that have waited."""
    if os.name == "posix":
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.Signals[name] for name in STOPPING})


@contextlib.contextmanager
def handlers_kept() -> Iterator[None]:
    """Ctrl-C and USR1 do afterwards what they did before: Ray Tune leaves its own handlers behind."""
    if threading.current_thread() is not threading.main_thread():  # Tune sets none there
        yield
        return
    names = [name for name in ("SIGINT", "SIGUSR1") if hasattr(signal, name)]
    before = {signal.Signals[name]: signal.getsignal(signal.Signals[name]) for name in names}
    try:
        yield
    finally:
        for number, handler in before.items():
            if handler is not None:  # one that Python has not set can't be set again
                signal.signal(number, handler)


@contextlib.contextmanager
def sigterm_kept() -> Iterator[None]:
    """SIGTERM does what it did before Ray starts, which ends a process with a trace of its C++ code.

    Python sets signals in the main thread alone; Ray starts in another one. Some seconds pass from Ray's
    change to the end of its start: `hold` back signals for so long.
    """
    if os.name != "posix":
        yield
        return
    libc = ctypes.CDLL(None)
    before = ctypes.create_string_buffer(1024)  # more than any system's struct sigaction
    kept = libc.sigaction(signal.SIGTERM, None, before) == 0
    try:
        yield
    finally:
        if kept:
            libc.sigaction(signal.SIGTERM, before, None)
