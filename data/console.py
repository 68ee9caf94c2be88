"""What all commands share on the console: lines, bars, and messages for a user's mistakes."""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from rich.console import Console, RenderableType
from rich.jupyter import JupyterMixin
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from data.errors import HALVES

_REFRESH = 0.5  # seconds between two drawings of what changes all the time


def drawn_on(console: Console) -> bool:
    """Whether output can be drawn over: on a terminal, or in a notebook."""
    return (console.is_terminal or console.is_jupyter) and not console.quiet


# Control characters, which could write anything to a terminal, by what is shown instead. So are those
# that turn the direction of what follows, and halves of characters, which can't be written at all.
_CONTROL = {
    code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160)) if chr(code) not in "\t\n"
}
_CONTROL |= {
    code: f"\\u{code:04x}" for code in (*range(0x2028, 0x202F), *range(0x2066, 0x206A))
} | HALVES


def clean(text: str) -> str:
    """`text` without control characters: names of classes and videos come from anywhere."""
    return text.translate(_CONTROL)


class _Console(Console):
    """Takes plain text: names of videos and classes may have brackets, and control characters."""

    def render_str(self, text: str, **more: Any) -> Text:
        return super().render_str(clean(text), **more)


def _console() -> Console:
    plain: dict[str, Any] = {"highlight": False, "markup": False, "emoji": False}
    console = _Console(**plain)
    if not drawn_on(console):  # lines and tables in a file or a pipe need not fit a width
        console.width, console.soft_wrap = 160, True
    return console


console = _console()


class Advance(Protocol):
    """Called when one more step of a long task is done, or `count` more."""

    def __call__(self, count: int = 1) -> None: ...


@dataclass(frozen=True)
class Output:
    """Where to say things.

    Attributes:
        say: a line.
        warn: a line that a user should not miss, even where nothing else is shown.
        bar: (text, total) shows the steps of a long task; its context gives an `Advance`.
        console: the same place, for what is drawn again and again.
    """

    say: Callable[[str], None]
    warn: Callable[[str], None]
    bar: Callable[[str, int | None], AbstractContextManager[Advance]]
    console: Console


def output_to(console: Console) -> Output:
    """Where to say things on a console; a quiet one raises Python's warnings, and says nothing else."""
    warn = warnings.warn if console.quiet else console.print
    return Output(console.print, warn, partial(_bar, console), console)


class Latest:
    """The latest state of something, drawn in one place of a terminal or a notebook, and nowhere else.

    It is gone at the end of the context.
    """

    def __init__(self, console: Console) -> None:
        self.shows = drawn_on(console)
        self._drawn = 0.0
        self._live: Live | None = None
        self._handle: Any = None
        if self.shows and not console.is_jupyter:
            self._live = Live(console=console, auto_refresh=False, transient=True)

    def __enter__(self) -> Latest:
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._live:
            self._live.stop()
        elif self._handle:
            self._handle.update(_InNotebook(""))

    @property
    def due(self) -> bool:
        """Whether it is time to draw again."""
        return self.shows and time.monotonic() - self._drawn >= _REFRESH

    def draw(self, content: RenderableType) -> None:
        """Show `content` in place of what was shown before."""
        self._drawn = time.monotonic()
        if self._live:
            self._live.update(content, refresh=True)
        elif self.shows and self._handle is None:
            from IPython.display import display

            self._handle = display(_InNotebook(content), display_id=True)
        elif self.shows:
            self._handle.update(_InNotebook(content))


class _InNotebook(JupyterMixin):
    """Anything that rich can draw, as a notebook shows it; rich's own way needs notebook widgets."""

    def __init__(self, content: RenderableType) -> None:
        self.content = content

    def __rich__(self) -> RenderableType:
        return self.content


@contextmanager
def _bar(console: Console, text: str, total: int | None) -> Iterator[Advance]:
    """The steps of a long task: a bar on a terminal or in a notebook, elsewhere a line now and then.

    Yields:
        a function to call after each step, or with the number of steps done.
    """
    if not drawn_on(console):
        yield _lines(console, text, total)
        return
    columns: list[Any] = [
        *(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()),
        TimeRemainingColumn(),
    ]
    bar = Progress(*columns, console=console, transient=True)
    task = bar.add_task(text, total=total)
    if not console.is_jupyter:
        with bar:
            yield lambda count=1: bar.advance(task, count)
        return
    with Latest(console) as latest:

        def advance(count: int = 1) -> None:
            bar.advance(task, count)
            if latest.due:
                latest.draw(bar.get_renderable())

        yield advance


def _lines(console: Console, text: str, total: int | None, every: float = 30) -> Advance:
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
    source, problems = clean(source), [clean(problem) for problem in problems]
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


output = output_to(console)
quiet = output_to(Console(quiet=True))


def for_python() -> Output:
    """Where functions called from Python say things: in a notebook; a script gets warnings alone."""
    return output if console.is_jupyter else quiet
