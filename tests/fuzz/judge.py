"""A reader of files, and what is said of one input that it was given.

Right is a value that is what the input says, or an error of the product's own whose text can be shown.
All else is a finding: another exception, a value that is silently wrong, too much time or memory.
"""

from __future__ import annotations

import re
import signal
import traceback
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from data.console import clean

LONGEST = 4_000  # characters of one problem
LONGEST_OF_ALL = 150_000  # of all problems of a file
ROOT = Path(__file__).parents[2]


class Wrong(Exception):
    """A reader has given a value that its input does not mean."""


class Refused(Exception):
    """A reader has refused an input in another way than by an exception."""


class Hang(BaseException):
    """A reader takes too long; no exception of the readers' own kind, which they might catch."""


@dataclass(frozen=True)
class Reader:
    """What reads one kind of file.

    Attributes:
        make: from an empty folder, a function that reads one content, and raises `Wrong` if the value is
            not what it should be.
        seeds: contents that are right.
        refuses: the errors with which it may refuse an input.
        share: of all inputs, as a weight: fast readers get more.
        words: that it may stumble over.
        seconds: of processor time, after which it hangs.
        most: bytes of an input.
    """

    make: Callable[[Path], Callable[[bytes], Any]]
    seeds: Callable[[], list[bytes]]
    refuses: tuple[type[Exception], ...]
    share: int
    words: tuple[bytes, ...] = ()
    seconds: float = 5
    most: int = 20_000


@dataclass(frozen=True)
class Verdict:
    """What has become of one input.

    Attributes:
        what: of a finding, its kind: the same for all inputs that fail in the same way.
        details: of a finding.
    """

    kind: Literal["right", "refused", "finding"]
    what: str = ""
    details: str = ""


RIGHT, REFUSED = Verdict("right"), Verdict("refused")


def judge(reader: Reader, read: Callable[[bytes], Any], content: bytes) -> Verdict:
    """Read one content, and say what has become of it."""
    try:
        with _limited(reader.seconds):
            read(content)
    except (*reader.refuses, Refused) as error:
        said = unshowable(error)
        return REFUSED if said is None else Verdict("finding", said, str(error)[:LONGEST])
    except KeyboardInterrupt:
        raise
    except Wrong as error:
        return Verdict("finding", f"wrong: {str(error)[:60]}", str(error)[:LONGEST])
    except BaseException as error:
        details = "".join(traceback.format_exception(error, limit=-30))
        return Verdict("finding", f"{type(error).__name__} {_place(error)}", details[-LONGEST:])
    return RIGHT


@contextmanager
def _limited(seconds: float) -> Iterator[None]:
    def over(number: int, frame: Any) -> None:
        raise Hang(f"it takes more than {seconds} s")

    signal.signal(signal.SIGPROF, over)
    signal.setitimer(signal.ITIMER_PROF, seconds, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _place(error: BaseException) -> str:
    """The last place in the product that the error came through."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if f.filename.startswith(str(ROOT)) and "/tests/" not in f.filename]
    last = (own or [f for f in frames if f.filename != __file__] or frames)[-1]
    return f"{Path(last.filename).name}:{last.name}"


# Characters that can do something to a terminal, or can't be written to it.
_SIGNS = re.compile("[\u202a-\u202e\u2066-\u2069]")


def unshowable(error: Exception) -> str | None:
    """Why the text of an error can't be shown to a person; None if it can."""
    problems = [clean(problem) for problem in getattr(error, "problems", None) or [str(error)]]
    if any(len(problem) > LONGEST for problem in problems):
        return f"{type(error).__name__}: a problem of more than {LONGEST} characters"
    if sum(map(len, problems)) > LONGEST_OF_ALL:
        return f"{type(error).__name__}: more than {LONGEST_OF_ALL} characters"
    if not any(problem.strip() for problem in problems):
        return f"{type(error).__name__}: says nothing"
    text = "".join(problems).translate({10: None, 9: None})
    if any(unicodedata.category(c) in ("Cc", "Cs") for c in set(text)) or _SIGNS.search(text):
        return f"{type(error).__name__}: has control characters"
    return None
