"""Results stores that are damaged: noticed, told from those that are away, and set aside."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

from optuna.exceptions import OptunaError
from sqlalchemy.exc import SQLAlchemyError

from tuner.config.messages import ConfigError, StoreError

T = TypeVar("T")

_SQLITE = "sqlite:///"
_DAMAGE = ("malformed", "not a database", "no such table")  # as SQLite says it
_WITH = ("", "-wal", "-shm")  # endings of the files that belong together


def first_line(error: BaseException) -> str:
    """What a database's driver says, in a line."""
    cause = error.__cause__ or error
    return (str(getattr(cause, "orig", None) or error).strip() or "no reason").splitlines()[0]


def damage_of(error: BaseException) -> str | None:
    """What is wrong with an SQLite file, as a clause; None if the error is another one."""
    text = first_line(error)
    return f"is damaged ({text})" if any(word in text.lower() for word in _DAMAGE) else None


@contextlib.contextmanager
def reading(shown: str) -> Iterator[None]:
    """Read what a results store holds.

    SQLite has no checksums: a file that it finds whole may hold what no search has written. Optuna and
    SQLAlchemy then raise whatever comes of it.

    Args:
        shown: the store's URL, without a password.

    Raises:
        StoreError: it can't be read, or holds what no search has written.
    """
    try:
        yield
    except (StoreError, ConfigError):
        raise
    except (
        OptunaError,
        SQLAlchemyError,
        ArithmeticError,
        LookupError,
        TypeError,
        ValueError,
    ) as error:
        what = f"{type(error.__cause__ or error).__name__}: {first_line(error)[:200]}"
        raise StoreError(
            f"results: {shown} can't be read, or holds what no search has written ({what}): try again, "
            "or put a copy in its place. The models are in the storage, each in its folder"
        ) from error


def guarded(read: Callable[..., T]) -> Callable[..., T]:
    """A method of `ResultsStore` that reads, as of `reading` if nothing else was asked for."""

    @wraps(read)
    def guarded_read(self: Any, *arguments: Any) -> T:
        if self.shown is None:
            return read(self, *arguments)
        with reading(self.shown):
            return read(self, *arguments)

    return guarded_read


class StoreFile:
    """The file that an SQLite database is in.

    Args:
        url: of the database; another one than SQLite has no file, and nothing is ever wrong with it.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.path = Path(url.removeprefix(_SQLITE)) if url.startswith(_SQLITE) else None
        self._opened = self._number()

    def _number(self) -> tuple[int, int] | None:
        if self.path is None:
            return None
        with contextlib.suppress(FileNotFoundError):
            status = self.path.stat()
            return status.st_dev, status.st_ino
        return None

    def gone(self) -> str | None:
        """What has become of the file since it was opened, as a clause; None if it is there."""
        if self._opened is None or (now := self._number()) == self._opened:
            return None
        return "was deleted" if now is None else "was replaced by another file"

    def check(self) -> None:
        """Look through the file.

        Raises:
            StoreError: it is damaged.
        """
        if self._opened is None or self.path is None:
            return
        try:
            with contextlib.closing(
                sqlite3.connect(f"{self.path.absolute().as_uri()}?mode=ro", uri=True)
            ) as base:
                base.text_factory = lambda text: text.decode(errors="replace")
                said = base.execute("PRAGMA quick_check(1)").fetchone()[0]
        except sqlite3.DatabaseError as error:
            if damage_of(error) is None:
                return  # locked, or no rights: opening it says so
            said = str(error)
        except UnicodeDecodeError:  # SQLite's own words have such a name in them
            said = "what it holds is no text"
        if said != "ok":
            raise StoreError(
                f"results: {self.path} is damaged ({said.splitlines()[-1]}): put a copy in its place; "
                f"or get out what can be read (sqlite3 {self.path} .recover | sqlite3 new.db), and name "
                "that with results: or --results. The models are in the storage, each in its folder"
            )

    def set_aside(self) -> Path | None:
        """Give the file, and those that belong to it, another name.

        Returns:
            that name; None if the file was deleted, or replaced by one that can stay.
        """
        assert self.path is not None
        if self.gone():
            return None
        aside = self.path.with_name(f"{self.path.name}.damaged-{datetime.now():%Y%m%d-%H%M%S}")
        for ending in _WITH:
            with contextlib.suppress(FileNotFoundError):
                os.replace(f"{self.path}{ending}", f"{aside}{ending}")
        return aside
