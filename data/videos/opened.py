"""What was learnt of videos when they were opened, kept in the cache folder until the files change."""

from __future__ import annotations

import re
import sqlite3
import threading
import time
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import xxhash

from data.files.path import File, S3Path
from data.files.patience import say
from data.files.store import default_folder, make_key
from data.videos.info import VideoInfo

_DECODERS = ("pyav", "measured")
_FORMAT = "opened-4"  # change it when the stored facts about the same file would differ
_LIBRARIES = ("av",)  # whose versions may find others
_PATIENCE = 10.0  # seconds that other processes are waited for
_SOON = 1.0  # seconds after which facts are written
_OURS = re.compile(r"[0-9a-f]{40}\.")  # begins the names of the files of a `Store`
_SUM = 8  # bytes of a checksum
# A file for each of ten thousand videos took as long to write as to open the video.
_TABLE = (
    "CREATE TABLE IF NOT EXISTS opened (key TEXT PRIMARY KEY, facts BLOB NOT NULL) WITHOUT ROWID"
)


class Opened:
    """The facts about all videos; for the threads of a process, for as long as it is entered.

    Where they can't be read or written, nothing is known, and videos are opened again.
    """

    def __init__(self) -> None:
        self._path = default_folder() / "opened.db"
        self._lock = threading.Lock()
        self._database: sqlite3.Connection | None = None
        self._new: dict[str, bytes] = {}
        self._written = time.monotonic()

    def __enter__(self) -> Self:
        with suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            try:
                self._database = _connected(self._path)
            except sqlite3.DatabaseError as error:
                self._fail(error)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._lock:
            self._write()
            if self._database is not None:
                self._database.close()

    def known(self, file: File, identity: str) -> VideoInfo | None:
        """What `probe` found in a file of this identity; None if that is not known."""
        key = _key(file, identity)
        with self._lock:
            if (facts := self._new.get(key)) is None:
                facts = self._read(key)
        if facts is None or facts[:_SUM] != _sum(key, facts[_SUM:]):
            return None  # or it is damaged, and replaced soon
        return _info(file, np.frombuffer(facts, np.float64, offset=_SUM))

    def keep(self, info: VideoInfo, identity: str) -> None:
        """Keep what `probe` found, for `known`."""
        key, content = _key(info.path, identity), _facts(info).tobytes()
        with self._lock:
            self._new[key] = _sum(key, content) + content
            if time.monotonic() - self._written > _SOON:
                self._write()

    def _read(self, key: str) -> bytes | None:
        if self._database is None:
            return None
        try:
            row = self._database.execute("SELECT facts FROM opened WHERE key = ?", [key]).fetchone()
        except sqlite3.DatabaseError as error:
            self._fail(error)
            return None
        return None if row is None else row[0]

    def _write(self) -> None:
        self._written = time.monotonic()
        if self._database is None or not self._new:
            return
        try:
            with self._database:
                self._database.execute("BEGIN IMMEDIATE")
                self._database.executemany(
                    "INSERT OR REPLACE INTO opened VALUES (?, ?)", self._new.items()
                )
        except sqlite3.DatabaseError as error:
            self._fail(error)
        else:
            self._new.clear()

    def _fail(self, error: sqlite3.DatabaseError) -> None:
        """Do without it, rather than wait for it again and again; a damaged one is made anew."""
        if self._database is not None:
            self._database.close()
        self._database = None
        if not isinstance(error, sqlite3.OperationalError):
            say(f"a damaged file of the cache is made again: {self._path} ({error})")
            with suppress(OSError, sqlite3.DatabaseError):
                for name in (self._path.name, f"{self._path.name}-journal"):
                    self._path.with_name(name).unlink(missing_ok=True)
                self._database = _connected(self._path)


def known(file: File, identity: str) -> VideoInfo | None:
    """As `Opened.known`."""
    with Opened() as opened:
        return opened.known(file, identity)


def keep(info: VideoInfo, identity: str) -> None:
    """As `Opened.keep`."""
    with Opened() as opened:
        opened.keep(info, identity)


def _connected(path: Path) -> sqlite3.Connection:
    if not path.exists():
        _delete_former(path.with_suffix(""))
    database = sqlite3.connect(
        path, timeout=_PATIENCE, isolation_level=None, check_same_thread=False
    )
    try:
        database.execute(_TABLE)
    except BaseException:
        database.close()
        raise
    return database


def _delete_former(folder: Path) -> None:
    """What earlier versions kept: a file for each video. What else somebody put there stays."""
    with suppress(OSError):
        for pattern in ("*.npy", "*.tmp", "locks/*.lock", "locks/unsealed.txt"):
            for file in folder.glob(pattern):
                if file.name == "unsealed.txt" or _OURS.match(file.name):
                    file.unlink()
    for empty in (folder / "locks", folder):
        with suppress(OSError):  # it is not empty, or not there
            empty.rmdir()


def _facts(info: VideoInfo) -> np.ndarray:
    """Those of `VideoInfo`, the text as numbers, then the times.

    In place of times may be one number, with a minus: how many there are, evenly spaced.
    """
    even = np.array_equal(info.times, _even(len(info), info.fps))
    times = [-len(info)] if even else info.times
    damage = info.damage.encode()
    head = [info.fps, info.width, info.height, _DECODERS.index(info.decoder)]
    head += [info.declared, info.ends, info.start, len(damage), *damage]
    return np.array([*head, *times], np.float64)


def _info(file: File, facts: np.ndarray) -> VideoInfo:
    fps, width, height, decoder, declared, ends, start, length = facts[:8].tolist()
    rest = 8 + int(length)
    damage = bytes(facts[8:rest].astype(np.uint8)).decode()
    times = np.array(facts[rest:])
    if len(times) == 1 and times[0] < 0:
        times = _even(-int(times[0]), fps)
    return VideoInfo(
        file,
        times,
        fps,
        int(width),
        int(height),
        _DECODERS[int(decoder)],
        int(declared),
        ends,
        damage,
        start,
    )


def _even(count: int, fps: float) -> np.ndarray:
    """The times of most videos: their number says all."""
    return np.arange(count) / fps


def _sum(key: str, content: bytes) -> bytes:
    """Of a row: what belongs to another file is damaged, too."""
    return xxhash.xxh3_64_digest(key.encode() + content)


def _key(file: File, identity: str) -> str:
    # FFmpeg tells some containers apart by the name's ending.
    ending = () if isinstance(file, S3Path) else (file.suffix,)
    return make_key(identity, _FORMAT, *ending, *_versions())


@cache
def _versions() -> tuple[str, ...]:
    found = []
    for name in _LIBRARIES:
        with suppress(PackageNotFoundError):
            found.append(f"{name} {version(name)}")
    return tuple(found)
