"""What the commands share: arguments, messages for a user's mistakes, progress bars."""

from __future__ import annotations

import argparse
import gc
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from data.errors import DataError
from data.files.s3 import S3Error
from models import WeightsError
from tuner.config.messages import Advance, ConfigError, Output

# A file or a pipe has no width that a table would have to fit.
_WIDTH = None if sys.stdout.isatty() else 160
# No markup: names of videos and classes may have brackets.
console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True, width=_WIDTH)


class UserError(Exception):
    """A mistake of the user's that has no room of its own."""


def parser(module: str, description: str, examples: str) -> argparse.ArgumentParser:
    """An argument parser whose help ends with examples."""
    return argparse.ArgumentParser(
        prog=f"python -m tuner.{module}",
        description=description,
        epilog="examples:\n" + "\n".join(f"  {line}" for line in examples.strip().splitlines()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def add_set(arguments: argparse.ArgumentParser) -> None:
    """``--set key=value``, as many as one likes."""
    arguments.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        dest="overrides",
        help="override a key of the YAML, as in --set search.trials=40 (may be repeated)",
    )


def run(command: Callable[[], int]) -> None:
    """Run a command, and exit with its status."""
    with mistakes():
        status = command()
    gc.freeze()  # the interpreter's end would look through a million objects for garbage: a second
    sys.exit(status)


@contextmanager
def mistakes() -> Iterator[None]:
    """Answer a user's mistakes at once with a message and exit status 2, and no traceback."""
    try:
        yield
        return
    except ConfigError as error:
        status = report(error.source, error.problems)
    except DataError as error:
        status = report("the data can't be used", error.problems)
    except (WeightsError, UserError, S3Error) as error:
        status = report("", [str(error)])
    except KeyboardInterrupt:
        status = 130
    except OSError as error:
        # A full disk or a folder without rights is the machine's, and not a fault of the program.
        status = report("", [str(error)])
    except ValueError as error:
        if type(error).__name__ != "StoreError":  # its module imports Optuna, which takes a second
            raise
        status = report("", [str(error)])
    sys.exit(status)


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


_FIGURES = ("acc", "balanced_accuracy", "f1", "average_precision")


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def show_results(results: dict[str, Any], folder: Path) -> None:
    """Print the figures of each split and where the files are."""
    names = ("split", "frames", "accuracy", "balanced", "macro-F1", "avg. precision", "recall")
    table = Table(*names, box=None, pad_edge=False)
    for split, key in (("train", "train"), ("valid", "val"), ("test", "test")):
        if results[f"fit_{key}_acc"] is None:
            continue
        recall = ", ".join(f"{k} {v:.3f}" for k, v in results[f"fit_{key}_recall"].items())
        table.add_row(
            split,
            str(results[f"data_total_rows_{split}"]),
            *(_figure(results[f"fit_{key}_{name}"]) for name in _FIGURES),
            recall,
        )
    console.print()
    console.print(table)
    if results["fit_test_acc"] is not None:
        console.print(f"test accuracy {results['fit_test_acc']:.4f}")
    console.print(f"files: {folder} (frame_predictions.csv, results.json, ...)")


output = Output(say=console.print, bar=progress)
