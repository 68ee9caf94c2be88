"""The SQL database that results stores are in: opened, and asked which searches it holds."""

from __future__ import annotations

import atexit
import contextlib
import re
import time
import uuid
import warnings
import weakref
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import optuna
import sqlalchemy
from sqlalchemy.engine import make_url

from tuner.config.messages import StoreError
from tuner.study.store.damage import StoreFile, reading

# Samplers warn of each parameter that is not in all trials; of a space with conditions, many are not.
optuna.logging.set_verbosity(optuna.logging.ERROR)
# We use experimental parts on purpose, and users need no warning; pyproject.toml lists them for tests.
warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)


NETWORK_FILE_SYSTEMS = {
    *("nfs", "nfs4", "cifs", "smb3", "lustre", "gpfs", "beegfs", "ceph", "afs"),
    *("fuse.sshfs", "fuse.s3fs", "fuse.gcsfuse", "fuse.mount-s3", "fuse.glusterfs", "fuse.rclone"),
}


# If PostgreSQL's machine loses its power, no answer comes: without these it takes hours to notice.
_TIMEOUTS = {
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}
# After the first group of each, up to its end, there is a password.
_SECRETS = (
    re.compile(r"(pass(?:word|wd)?=|pwd=)[^&\s]*", re.IGNORECASE),
    re.compile(r"^((?:[\w+.-]+:/+)?[^:/@\s]*:)(?!/).*(?=@)", re.DOTALL),  # user:password@host
    re.compile(r"^([\w+.-]+:/+[^:/@\s]+:)(?!\d+(?:[/?]|$))[^/?@]+$"),  # without a host
)
_LOCK, _TRANSACTION = 10, 30  # seconds
_COPYING = " (being copied) "  # in the name of a search that is not all there yet
_TRIES = 20  # to make the tables that another process makes too; each try finds more of them made


def open_storage(url: str) -> optuna.storages.RDBStorage:
    """The database at `url`, made if it is an SQLite file that does not exist.

    Raises:
        StoreError: it can't be opened, or is an SQLite file that several machines may write to.
    """
    options: dict[str, Any] = {"pool_pre_ping": True}
    if url.startswith("postgres"):
        options["connect_args"] = _TIMEOUTS
    if url.startswith("sqlite"):
        check_local(Path(url.removeprefix("sqlite:///")))
        StoreFile(url).check()
        # Several searches may write to one file; each waits for the others.
        options = {"connect_args": {"timeout": 60}}
    with _opening(url):
        storage = _with_tables(_full(url), options)
    if url.startswith("sqlite"):
        sqlalchemy.event.listen(storage.engine, "connect", _write_ahead)
        atexit.register(_close, weakref.ref(storage))
    elif url.startswith("postgres"):
        sqlalchemy.event.listen(storage.engine, "connect", _let_go)
    storage.engine.dispose()  # connections that were opened before
    return storage


def _full(url: str) -> str:
    """The URL as SQLAlchemy and Optuna take it.

    For PostgreSQL it has the driver: the default is an older one, which is not installed with us. In the
    path of a file, characters that are more than themselves there are encoded.
    """
    if url.startswith("sqlite"):
        return "".join(f"%{ord(letter):02X}" if letter in "%?{}" else letter for letter in url)
    return re.sub(r"^postgres(ql)?://", "postgresql+psycopg://", url)


def url_of(storage: Any) -> str | None:
    """The URL of a database that is open, as users write it; None: it is in memory."""
    url = getattr(storage, "url", None)
    return unquote(url) if url is not None and url.startswith("sqlite") else url


def folder_of(storage: Any) -> Path | None:
    """The folder of the file that a database is in; None: it is in none."""
    url = url_of(storage)
    if url is None or not url.startswith("sqlite"):
        return None
    return Path(url.removeprefix("sqlite:///")).absolute().parent


@contextlib.contextmanager
def _opening(url: str) -> Iterator[None]:
    """Say in a `StoreError` why a database can't be opened."""
    try:
        yield
    except ImportError as error:
        raise StoreError(
            f"results: {without_password(url)} needs a driver that is not installed "
            f"(pip install '.[postgres]'): {error}"
        ) from error
    except Exception as error:  # each driver of SQLAlchemy raises its own errors
        text = str(getattr(error, "orig", None) or error).strip().split("\n")[0]
        raise StoreError(f"results: can't open {without_password(url)}: {text}") from error


def server(url: str) -> tuple[str, bool, bool]:
    """A database server that is looked at, without making anything there.

    Returns:
        what it is, with its version; whether this user may make tables; whether it has those of a
        results store.

    Raises:
        StoreError: it can't be reached.
    """
    with _opening(url):
        options = {"connect_args": _TIMEOUTS} if url.startswith("postgres") else {}
        engine = sqlalchemy.create_engine(_full(url), **options)
        try:
            with engine.connect() as connection:
                dialect = engine.dialect
                version = ".".join(map(str, dialect.server_version_info or ()))
                may_make = True
                if dialect.name == "postgresql":
                    asked = "SELECT has_schema_privilege(current_schema(), 'CREATE')"
                    may_make = bool(connection.execute(sqlalchemy.text(asked)).scalar())
                tables = sqlalchemy.inspect(connection).has_table("studies")
        finally:
            engine.dispose()
    name = {"postgresql": "PostgreSQL"}.get(dialect.name, dialect.name)
    return f"{name} {version}".strip(), may_make, tables


def _with_tables(url: str, options: dict[str, Any]) -> optuna.storages.RDBStorage:
    """The database with Optuna's tables, which another process may be making at the same moment.

    Raises:
        sqlalchemy.exc.DBAPIError: it can't be opened.
    """
    for _ in range(_TRIES):
        try:
            return optuna.storages.RDBStorage(url, engine_kwargs=options)
        except sqlalchemy.exc.DBAPIError as error:
            row_is_there = isinstance(error, sqlalchemy.exc.IntegrityError)
            if not row_is_there and "already exists" not in str(error):
                raise
            time.sleep(0.1)
    return optuna.storages.RDBStorage(url, engine_kwargs=options)


def _let_go(connection: Any, _: Any) -> None:
    """Have PostgreSQL end the transaction of a search that has died, as when a cluster's head is lost.

    Else the next search would wait for its locks for hours, and not say so.
    """
    connection.execute(f"SET idle_in_transaction_session_timeout = '{_TRANSACTION}s'")
    connection.execute(f"SET lock_timeout = '{_LOCK}s'")
    connection.commit()


def check_local(path: Path) -> None:
    """SQLite's locks don't hold between machines, and its write-ahead log needs shared memory."""
    folder = path.absolute().parent
    while not folder.exists():
        folder = folder.parent
    kind = file_system(folder)
    if kind in NETWORK_FILE_SYSTEMS:
        raise StoreError(
            f"results: {path} is on a network file system ({kind}), where SQLite loses data: give a "
            "file on a local disk (results: sqlite:////var/tmp/results.db), or a PostgreSQL "
            "(results: postgresql://user@host/database)"
        )


def file_system(folder: Path, mounts: Path = Path("/proc/mounts")) -> str:
    """The kind of file system that `folder` is on, as Linux names it; empty where that is not known."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    folder, best, kind = folder.resolve(), -1, ""
    for line in lines:
        _, place, name, *_ = line.split(" ")
        point = Path(place.replace("\\040", " "))
        if (folder == point or point in folder.parents) and len(point.parts) >= best:
            best, kind = len(point.parts), name
    return kind


def _write_ahead(connection: Any, _: Any) -> None:
    """A write-ahead log: readers don't wait for writers, and a commit does not wait for the disk.

    What was committed outlives the process; only a power cut may cost the last commits.
    """
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")


def _close(storage: weakref.ref[optuna.storages.RDBStorage]) -> None:
    """Close the last connection to a file, which then has all that is in its log, and can be copied."""
    if (here := storage()) is not None:
        here.remove_session()
        here.engine.dispose()


def without_password(url: str) -> str:
    """A URL, or what was meant to be one, as it may be shown."""
    if url.startswith("sqlite"):
        return url
    with contextlib.suppress(Exception):  # not a URL; SQLAlchemy raises an error for each reason
        url = make_url(url).render_as_string(hide_password=True)
    for secret in _SECRETS:
        url = secret.sub(r"\1***", url)
    return url


def open_existing(url: str) -> optuna.storages.RDBStorage:
    """The database at `url`, which has to be there.

    Raises:
        StoreError: there is none, or it can't be opened.
    """
    path = url.removeprefix("sqlite:///")
    if url.startswith("sqlite") and not Path(path).exists():
        raise StoreError(
            f"there are no results at {path}; run a search first "
            "(python -m tuner.search configs/seals.yaml), or name a store with --results URL"
        )
    return open_storage(url)


def searches(url: str) -> list[tuple[str, datetime | None]]:
    """Name and start of each search in a store, the latest last.

    Raises:
        StoreError: there is no store, or it can't be read.
    """
    with reading(without_password(url)):
        return searches_in(open_existing(url))


def searches_in(storage: optuna.storages.BaseStorage) -> list[tuple[str, datetime | None]]:
    """As of `searches`, in a database that is open."""
    # Optuna's summaries of studies would read all of their trials.
    times = {s.study_name: s.user_attrs.get("started") for s in storage.get_all_studies()}
    known = [
        (name, datetime.fromisoformat(t) if t else None)
        for name, t in times.items()
        if _COPYING not in name
    ]
    return sorted(known, key=lambda item: (item[1] is not None, item[1]))


def copy(source: str, target: str, name: str) -> None:
    """Copy a search with all its trials from one store into another; it appears there when all are.

    Raises:
        StoreError: `target` has it already, or `source` does not have it.
    """
    target_storage, source_storage = open_storage(target), open_storage(source)
    if name not in optuna.get_all_study_names(source_storage):
        raise StoreError(f"no search '{name}' in {without_password(source)}")
    if name in optuna.get_all_study_names(target_storage):
        raise StoreError(f"search '{name}' is in {without_password(target)} already")
    part = f"{name}{_COPYING}{uuid.uuid4().hex[:8]}"
    for left in optuna.get_all_study_names(target_storage):  # of a copy that was killed
        if left.startswith(f"{name}{_COPYING}"):
            optuna.delete_study(study_name=left, storage=target_storage)
    optuna.copy_study(
        from_study_name=name,
        from_storage=source_storage,
        to_storage=target_storage,
        to_study_name=part,
    )
    rename = sqlalchemy.text("UPDATE studies SET study_name = :name WHERE study_name = :part")
    with target_storage.engine.begin() as connection:
        connection.execute(rename, {"name": name, "part": part})
