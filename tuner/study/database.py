"""The SQL database that results stores are in: opened, and asked which searches it holds."""

from __future__ import annotations

import warnings
from datetime import datetime
from pathlib import Path
from typing import Any

import optuna
import sqlalchemy
from sqlalchemy.engine import make_url

optuna.logging.set_verbosity(optuna.logging.WARNING)
# The study's parameters may be conditional on purpose.
warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)


class StoreError(ValueError):
    """The results store can't be used as asked; the message says why and what to do."""


def open_storage(url: str) -> optuna.storages.RDBStorage:
    options: dict[str, Any] = {"pool_pre_ping": True}
    if url.startswith("sqlite"):
        # Several searches may write to one file; each waits for the others.
        options = {"connect_args": {"timeout": 60}}
    try:
        storage = optuna.storages.RDBStorage(url, engine_kwargs=options)
    except ImportError as error:
        raise StoreError(f"results: {url} needs a driver that is not installed: {error}") from error
    except Exception as error:  # SQLAlchemy's drivers raise their own errors, each its own
        text = str(getattr(error, "orig", None) or error).split("\n")[0]
        raise StoreError(f"results: can't open {without_password(url)}: {text}") from error
    if url.startswith("sqlite"):
        sqlalchemy.event.listen(storage.engine, "connect", _write_ahead)
        storage.engine.dispose()  # connections that were opened before
    return storage


def _write_ahead(connection: Any, _: Any) -> None:
    """A write-ahead log: readers don't wait for writers, and a commit does not wait for the disk.

    What was committed outlives the process; only a power cut may cost the last commits.
    """
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")


def without_password(url: str) -> str:
    try:
        return make_url(url).render_as_string(hide_password=True)
    except Exception:  # not even a URL; SQLAlchemy has one error a reason
        return url


def searches(url: str) -> list[tuple[str, datetime | None, int]]:
    """Name, start and number of trials of each search in a store, the latest last.

    Raises:
        StoreError: there is no store, or it can't be read.
    """
    path = url.removeprefix("sqlite:///")
    if url.startswith("sqlite") and not Path(path).exists():
        raise StoreError(
            f"there are no results at {path}; run a search first "
            "(python -m tuner.search configs/seals.yaml), or name a store with --results URL"
        )
    summaries = optuna.get_all_study_summaries(open_storage(url))
    times = {s.study_name: s.user_attrs.get("started") for s in summaries}
    known = [
        (
            s.study_name,
            datetime.fromisoformat(t) if (t := times[s.study_name]) else None,
            s.n_trials,
        )
        for s in summaries
    ]
    return sorted(known, key=lambda item: (item[1] is not None, item[1]))
