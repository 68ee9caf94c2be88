"""Waiting for a service that is away: a restart, a failover, a network that is down."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TypeVar

from data.errors import printable

PATIENCE = 15 * 60.0  # seconds
_PAUSE = 1.0

T = TypeVar("T")
Say = Callable[[str], object]

_say: Say = partial(print, flush=True)


def tell(say: Say) -> Say:
    """Send this process's lines about waiting to `say`; returns the function that got them before."""
    global _say
    before, _say = _say, say
    return before


def say(line: str) -> None:
    """Say a line where this process's lines go."""
    _say(printable(line))


@contextmanager
def telling(say: Say) -> Iterator[None]:
    """As `tell`, as long as the context lasts."""
    before = tell(say)
    try:
        yield
    finally:
        tell(before)


def no_room(error: Exception) -> str | None:
    """For `patiently`: that a disk is full."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return os.strerror(error.errno)
    return None


def patiently(
    action: Callable[[bool], T],
    away: Callable[[Exception], str | None],
    what: str,
) -> T:
    """Call `action` until the service answers, and return what it returns.

    A line is said when it is away, and when it is back.

    Args:
        action: given whether it was tried before; it may have been done then, with the answer lost.
        away: given an exception, says in a line why the service is away; None if waiting would not
            help, and the exception is raised.
        what: the service's name.

    Raises:
        Exception: what `action` raises after `PATIENCE` seconds of waiting.
    """
    begin, again = time.monotonic(), False
    while True:
        try:
            result = action(again)
        except Exception as error:  # `away` knows those of the service; all others are raised again
            reason = away(error)
            if reason is None or time.monotonic() - begin > PATIENCE:
                raise
            if not again:
                _say(f"waiting for {what}: {reason}")
            again = True
            time.sleep(_PAUSE)
            continue
        if again:
            _say(f"{what} is back after {time.monotonic() - begin:.0f} s; nothing is lost")
        return result
