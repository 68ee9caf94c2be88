"""Making the next items while the current one is used."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from typing import TypeVar

T = TypeVar("T")


def prefetched(items: Iterator[T], depth: int = 2, at_once: int = 1) -> Iterator[T]:
    """`items`, made by a thread that is up to `depth` times `at_once` items ahead of the reader.

    Args:
        at_once: how many are handed over at a time; waking a thread takes longer than small items.
    """
    ready: queue.Queue[tuple[list[T], bool, BaseException | None]] = queue.Queue(depth)
    stopped = threading.Event()

    def put(some: list[T], ended: bool = False, error: BaseException | None = None) -> bool:
        while not stopped.is_set():
            try:
                ready.put((some, ended, error), timeout=0.1)
            except queue.Full:
                continue
            return True
        return False

    def work() -> None:
        some: list[T] = []
        try:
            for item in items:
                some.append(item)
                if len(some) == at_once:
                    if not put(some):
                        return
                    some = []
            put(some, ended=True)
        except BaseException as error:  # raised again where the next item is awaited
            put(some, ended=True, error=error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        ended = False
        while not ended:
            some, ended, error = ready.get()
            yield from some
            if error is not None:
                raise error
    finally:
        stopped.set()
        thread.join()
