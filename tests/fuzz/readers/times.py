"""Times as labels have them."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

from data.cells.numbers import parse_time
from tests.fuzz.judge import Reader, Wrong

_SEEDS = [
    *(b"0", b"12", b"12.5", b"12,5", b".5", b"7.", b"00:01:05.2", b"1:02", b"123:59:59.999"),
    *(b"00:00:00", b"0:59.9995", b"3:7:1", b"10:00:00,040", b"  5 ", b"1e3", b"-1", b"nan", b"inf"),
]
_WORDS = (b":", b"::", b".", b",", b"-", b"+", b"59", b"60", b"00", b"e", b"999999999999")
_PLAIN = re.compile(r"(?:(?:(\d+):)?(\d{1,2}):)?(\d*)(?:[.,](\d*))?")


def _make(folder: Path) -> Callable[[bytes], Any]:
    def read(content: bytes) -> None:
        text = content.decode("utf-8", "replace")
        seconds = parse_time(text)
        if not 0 <= seconds < math.inf:
            raise Wrong(f"{text[:50]!r} is {seconds}")
        exact = _exact(text.strip())
        if abs(Fraction(seconds) - exact) > Fraction(1, 10**6):
            raise Wrong(f"{text[:50]!r} is {seconds}, not {float(exact)}")

    return read


def _exact(text: str) -> Fraction:
    """Seconds, in exact arithmetic."""
    if not (match := _PLAIN.fullmatch(text)):
        raise Wrong(f"{text[:50]!r} is no time, and is read as one")
    hours, minutes, seconds, rest = (part or "0" for part in match.groups())
    whole = int(hours) * 3600 + int(minutes) * 60 + int(seconds)
    return whole + Fraction(int(rest), 10 ** len(rest))


READER = Reader(_make, lambda: _SEEDS, (ValueError,), share=20, words=_WORDS, most=6_000)
