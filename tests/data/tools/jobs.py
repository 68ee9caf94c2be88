"""What other processes are asked to do in tests of them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

Beat = Callable[[float], None]


def square(number: int, beat: Beat) -> int:
    beat(0.5)
    return number**2


def crash(number: int, beat: Beat) -> None:
    os.abort()


def leave(number: int, beat: Beat) -> None:
    os._exit(3)


def hang(number: int, beat: Beat) -> None:
    time.sleep(600)


def go_round(number: int, beat: Beat) -> None:
    while True:
        beat(0.1)
        time.sleep(0.05)


def fail(number: int, beat: Beat) -> None:
    print("noise that must not be shown")
    raise ValueError("no such thing")
