"""What `data` raises for a user's mistake: every problem of a file at once."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from itertools import chain

_LONGEST = 2_000  # characters of a problem
_MOST = 200  # problems that a person is told of at once


def told(problems: Iterable[str]) -> list[str]:
    """Problems as a person is told of them: none so long, and not so many, that the rest is not seen.

    What a file holds is quoted in them, and a cell may be a book. Beginning and end of each stay, since
    they say where it is, and what to do.
    """
    listed, half = list(problems), _LONGEST // 2
    short = [p if len(p) <= _LONGEST else f"{p[:half]} ... {p[-half:]}" for p in listed[:_MOST]]
    more = len(listed) - _MOST
    return short if more <= 0 else [*short, f"and {more:,} more problems"]


# Halves of characters, which no text can be written with. They stand for bytes of a file's name that are
# no UTF-8, or come out of JSON.
HALVES = {
    code: f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else f"\\u{code:04x}"
    for code in range(0xD800, 0xE000)
}


def printable(text: str) -> str:
    """`text` as it can be written anywhere: a byte that is no UTF-8 is shown as ``\\xff``."""
    return text.translate(HALVES)


class DataError(ValueError):
    """Problems in labels or videos, each a sentence that says what, where, and what to do."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = told(problems)
        super().__init__("\n".join(self.problems))

    def __reduce__(self) -> tuple[type[DataError], tuple[list[str]]]:
        return type(self), (self.problems,)  # pickled whole, as it may come from a worker process


class VideoError(Exception):
    """The file can't be read as a video; the message is the reason, without the path."""


def nearest(word: str, known: Iterable[str]) -> str:
    """``" (did you mean 'x'?)"`` for the known word closest to `word`, or an empty string."""
    by_lower = {str(name).lower(): str(name) for name in known}
    close = difflib.get_close_matches(str(word).lower(), by_lower, n=1, cutoff=0.6)
    return f" (did you mean '{by_lower[close[0]]}'?)" if close else ""


def some(items: Iterable[object], limit: int = 5) -> str:
    """The first few of `items`, comma-separated, and how many more there are."""
    listed = list(items)  # of millions, those that are not shown are no text
    more = f" and {len(listed) - limit} more" if len(listed) > limit else ""
    return ", ".join(map(str, listed[:limit])) + more


def numbered(rows: Iterable[object]) -> str:
    """``row 3`` or ``rows 3, 5``."""
    listed = list(rows)
    return f"row{'s' if len(listed) > 1 else ''} {some(listed)}"


# Rows of a file, and what is wrong with them.
Found = tuple[Iterable[object], str]


def alike(path: object, found: Sequence[Found]) -> list[str]:
    """A line for all problems of a kind: the first, and the number and first rows of the others."""
    if not found:
        return []
    (rows, problem), *others = found
    line = f"{path}, {numbered(rows)}: {problem}"
    if others:
        rest = numbered(chain.from_iterable(of_one for of_one, _ in others))
        line += f"; {len(others):,} more like this: {rest}"
    return [line]
