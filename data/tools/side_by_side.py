"""Work on several videos at a time, that ends at once when nobody waits for it any more.

It takes threads, as videos are decoded by processes of their own.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")
Alive = Callable[[], None]  # raises `Stopped` when nobody waits for the work


class Stopped(Exception):
    """Nobody waits for it any more."""


def usable_cpus() -> int:
    """How many CPUs this process may use."""
    with suppress(AttributeError):  # of Linux alone
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def side_by_side(
    work: Callable[[T, Alive], R], items: Sequence[T], at_once: int
) -> Iterator[tuple[int, R]]:
    """Yields the number of each item and what `work` makes of it, as they are done.

    Args:
        work: called with an item, and with what it is to call again and again.
    """
    stopped = threading.Event()

    def alive() -> None:
        if stopped.is_set():
            raise Stopped

    pool = ThreadPoolExecutor(max(1, at_once))
    try:
        numbers = {pool.submit(work, item, alive): number for number, item in enumerate(items)}
        for future in as_completed(numbers):
            yield numbers[future], future.result()
    finally:
        stopped.set()
        pool.shutdown(cancel_futures=True)
