"""What all commands share on the console: lines, bars, and messages for a user's mistakes."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

# A file or a pipe has no width that a table would have to fit.
_WIDTH = None if sys.stdout.isatty() else 160
# No markup: names of videos and classes may have brackets.
console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True, width=_WIDTH)


class Advance(Protocol):
    """Told that one more step of a long work is done, or `count` more."""

    def __call__(self, count: int = 1) -> None: ...


@dataclass(frozen=True)
class Output:
    """Where to say things: `say` a line, and `bar` (text, total) to show the steps of a long work."""

    say: Callable[[str], None]
    bar: Callable[[str, int | None], AbstractContextManager[Advance]]


@contextmanager
def progress(text: str, total: int | None) -> Iterator[Advance]:
    """Show the steps of a long work: a bar on a terminal, elsewhere a line every half minute.

    Yields:
        what is to be called after each step, or with the number of steps done.
    """
    if not console.is_terminal:
        yield _lines(text, total)
        return
    columns: list[Any] = [
        *(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()),
        TimeRemainingColumn(),
    ]
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(text, total=total)
        yield lambda count=1: bar.advance(task, count)


def _lines(text: str, total: int | None, every: float = 30) -> Advance:
    done, last = 0, time.monotonic()

    def step(count: int = 1) -> None:
        nonlocal done, last
        done += count
        if time.monotonic() - last >= every:
            last = time.monotonic()
            console.print(f"{text}: {done:,}{f' of {total:,}' if total else ''}")

    return step


def report(source: str, problems: list[str]) -> int:
    """Print what is wrong to standard error; returns the exit status for it."""
    if len(problems) == 1:
        print(
            f"error: {source}: {problems[0]}" if source else f"error: {problems[0]}",
            file=sys.stderr,
        )
    else:
        print(f"error: {source}, {len(problems)} problems:", file=sys.stderr)
        for problem in problems:
            print(f"  - {problem}", file=sys.stderr)
    return 2


def duration(seconds: float) -> str:
    """``75`` as ``1:15``."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


output = Output(say=console.print, bar=progress)
