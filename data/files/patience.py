"""Waiting for a service that is away: a restart, a failover, a network that is down."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar

PATIENCE = 15 * 60.0  # seconds
_PAUSE = 1.0

T = TypeVar("T")
Say = Callable[[str], object]

_say: Say = partial(print, flush=True)


def tell(say: Say) -> Say:
    """Have `say` get the lines of this process that tell of waiting; returns who got them until now."""
    global _say
    before, _say = _say, say
    return before


def patiently(
    action: Callable[[bool], T],
    away: Callable[[Exception], str | None],
    what: str,
) -> T:
    """What `action` returns, when the service does what it is asked.

    A line is said when it is away, and when it is back.

    Args:
        action: given whether it was tried before, and may then have been done after all.
        away: why the service is away, in a line, if that is what an exception means; None if waiting
            would not help, and the exception is raised.
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
