"""What the commands share: arguments, messages for a user's mistakes, progress bars."""

from __future__ import annotations

import argparse
import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from data.console import report
from data.errors import DataError
from data.files.s3 import S3Error
from data.files.whole import DamagedFile
from models import WeightsError
from tuner.config.messages import ConfigError, StoreError, UserError
from tuner.runtime.signals import stop_as_by_hand


def parser(module: str, description: str, examples: str) -> argparse.ArgumentParser:
    """An argument parser whose help ends with examples."""
    return argparse.ArgumentParser(
        prog=f"python -m tuner.{module}",
        description=description,
        epilog="examples:\n" + "\n".join(f"  {line}" for line in examples.strip().splitlines()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def add_config(
    arguments: argparse.ArgumentParser, what: str = "the YAML file of the search"
) -> None:
    """Add the YAML, ``--set key=value``, which may be repeated, and ``--strict``."""
    arguments.add_argument("config", type=Path, help=what)
    arguments.add_argument(
        "--strict", action="store_true", help="stop if any labelled video does not decode"
    )
    add_overrides(arguments)


def add_overrides(
    arguments: argparse.ArgumentParser,
    what: str = "override a key of the YAML, as in --set search.trials=40",
) -> None:
    """Add ``--set key=value``, which may be repeated."""
    arguments.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        dest="overrides",
        help=f"{what} (may be repeated)",
    )


def run(command: Callable[[], int]) -> None:
    """Run a command, and exit with its status."""
    stop_as_by_hand()
    with mistakes():
        status = command()
    gc.freeze()  # else Python ends by looking for garbage in a million objects, for a second
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
    except DamagedFile as error:
        status = report("", [f"{error}; it was deleted: give the same command again"])
    except (WeightsError, UserError, StoreError, S3Error) as error:
        status = report("", [str(error)])
    except KeyboardInterrupt:
        status = 130
    except OSError as error:
        # A full disk or missing rights are faults of the machine, not of the program.
        status = report("", [str(error)])
    sys.exit(status)
