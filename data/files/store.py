"""The cache folder that every trial on a machine shares: keys, locks, whole files only, a limit.

An array is one ``.npy`` file, under a key made of all that determines its content. It is written to a
temporary name under a lock and then renamed, so a killed process leaves no half-written array. Its locks
end with it, and the next process that writes deletes its temporary files. A damaged array is deleted
when it is noticed, and so made again.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import math
import os
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from functools import lru_cache, partial
from pathlib import Path
from typing import NoReturn

import filelock
import numpy as np
import xxhash

from data.files.array import ArrayWriter, StoredArray
from data.files.image_folder import digest_of_images
from data.files.path import File, S3Path
from data.files.patience import say
from data.files.shared import Shared
from data.files.whole import DamagedFile, replacing

_UNSEALED = "locks/unsealed.txt"  # names the arrays of versions that wrote no seals
_PROCESSES = 16  # that may fill a folder at once

# For a folder and its limit: bytes that this process may write before it looks at the folder again. A
# look takes long where there are many files.
_room: dict[tuple[Path, int | None], int] = {}
# When this process last looked in a folder for what killed ones had begun.
_looked: dict[Path, float] = {}
_LOOK_AGAIN = 60  # seconds
_SAMPLE, _SMALL = 65536, 16 * 2**20  # bytes


def default_folder() -> Path:
    """``TUNER_CACHE``, or ``tuner`` in the user's cache folder."""
    if os.environ.get("TUNER_CACHE"):
        return Path(os.environ["TUNER_CACHE"]).expanduser().resolve()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tuner"


def make_key(*parts: object) -> str:
    """A short file name out of everything that determines a content."""
    return hashlib.sha256("\x1f".join(map(str, parts)).encode()).hexdigest()[:40]


def identity(file: File) -> str:
    """A key that changes with a file's content.

    For a listed object of S3 it is made of size and ETag, so it is the same on every machine. For a file
    on a disk it is made of the size, the time of change, and the bytes: of large files, samples of them.
    For a folder of images it is made of all of theirs.
    """
    if isinstance(file, S3Path):
        return make_key("s3", file.size, file.etag)
    if file.is_dir():
        return digest_of_images(file, changes=True)
    stat = file.stat()
    return _digest(file, f"{stat.st_size}:{stat.st_mtime_ns}", stat.st_size)


def content_key(file: File) -> str:
    """As `identity`, but equal for a copy of the file, which has another time of change."""
    if isinstance(file, S3Path):
        return identity(file)
    if file.is_dir():
        return digest_of_images(file, changes=False)
    stat = file.stat()
    return _content_key(file, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=100_000)
def _content_key(file: Path, size: int, changed: int) -> str:
    return _digest(file, str(size), size)


def _digest(file: Path, facts: str, size: int) -> str:
    digest = hashlib.sha256(facts.encode())
    with file.open("rb") as content:
        for start in (0, size // 2, max(0, size - _SAMPLE)):
            content.seek(start)
            digest.update(content.read(_SAMPLE))
        if 2 * _SAMPLE < size <= _SMALL:  # else the samples are all of it, or all takes too long
            content.seek(0)
            digest.update(xxhash.xxh3_128_digest(content.read()))
    return digest.hexdigest()[:32]


class Store:
    """One kind of array (``frames``, ``features``) under a cache folder.

    Args:
        kind: name of the subfolder.
        folder: the cache folder; `default_folder` if None.
        limit_bytes: above it, the least recently used arrays of this kind are deleted; None: no limit.
        shared: a place that several machines see. An array that one of them makes is copied there, and
            the others copy it from there; it has no limit.
    """

    pattern = "*.npy"  # of the files that the limit counts

    def __init__(
        self,
        kind: str,
        *,
        folder: Path | None = None,
        limit_bytes: int | None = None,
        shared: Shared | None = None,
    ) -> None:
        self.folder = (folder or default_folder()) / kind
        self.shared, self.limit_bytes = shared, limit_bytes
        (self.folder / "locks").mkdir(parents=True, exist_ok=True)
        if not (self.folder / _UNSEALED).exists():
            with (
                contextlib.suppress(PermissionError),  # another user's, who has not used it since
                replacing(self.folder / _UNSEALED) as part,
            ):
                part.write_text("".join(f"{name}\n" for name in sorted(self._names())))

    def path(self, key: str) -> Path:
        return self.folder / f"{key}.npy"

    def has(self, key: str) -> bool:
        """Whether the array is there, or can be fetched from another machine."""
        if self.path(key).exists():
            return True
        return self.shared is not None and self.shared.has(f"{key}.npy")

    def get(self, key: str) -> StoredArray | None:
        """The array mapped read-only, fetched if another machine made it, or None; counts as a use.

        Raises:
            DamagedFile: it is damaged; also raised later, where its rows are read. It is gone then.
        """
        path = self.path(key)
        if self.shared is not None and not path.exists():
            self._fetch(key, self.shared)
        try:
            array = StoredArray.open(path, key, partial(self._damaged, key))
            if not array.sealed and path.name not in self._unsealed():
                self._damaged(key, ValueError("it does not end as it was written"))
            with contextlib.suppress(PermissionError):  # it is another user's
                os.utime(path)
        except FileNotFoundError:
            return None
        return array

    def _unsealed(self) -> list[str]:
        """Names of arrays that have no seals since an earlier version made them."""
        try:
            return (self.folder / _UNSEALED).read_text().split()
        except FileNotFoundError:
            return self._names()

    def _names(self) -> list[str]:
        return [name for name in os.listdir(self.folder) if name.endswith(".npy")]  # noqa: PTH208

    def _damaged(self, key: str, error: ValueError) -> NoReturn:
        path = self.path(key)
        say(f"a damaged file of the cache is made again: {path} ({error})")
        path.unlink(missing_ok=True)
        if self.shared is not None:
            self.shared.remove(path.name)
        raise DamagedFile(path, str(error))

    def share(self, key: str) -> None:
        """Copy to the shared place an array that this machine made before it shared anything."""
        path = self.path(key)
        if self.shared is not None and path.exists() and not self.shared.has(path.name):
            self.shared.keep(path, path.name)

    def lock(self, key: str) -> filelock.FileLock:
        """Held while the arrays of `key` are made; freed by the system if its holder is killed."""
        folder = self.folder / "locks"
        if self.shared is not None:
            folder = self.shared.locks(folder)
            folder.mkdir(exist_ok=True)
        path = folder / f"{key}.lock"
        for needed in (folder, path):
            if needed.exists() and not os.access(needed, os.W_OK):
                raise PermissionError(
                    errno.EACCES,
                    "another user made this; set TUNER_CACHE to a folder of your own, or have its group "
                    "write there",
                    str(needed),
                )
        return filelock.FileLock(path)

    @contextlib.contextmanager
    def writers(
        self, keys: Mapping[str, tuple[int, ...]], dtype: np.dtype
    ) -> Iterator[dict[str, ArrayWriter]]:
        """Write several arrays at once; all appear at the end, or none after an exception.

        Args:
            keys: key to row shape. The caller holds the lock that guards them.
        """
        writers: dict[str, ArrayWriter] = {}
        if time.monotonic() - _looked.get(self.folder, -math.inf) > _LOOK_AGAIN:
            self._delete_leftovers()
        try:
            with contextlib.ExitStack() as stack:
                for key, row_shape in keys.items():
                    stack.enter_context(self._part_lock(key))
                    part = self.folder / f"{key}.{os.getpid()}.tmp"
                    writers[key] = ArrayWriter(part, key, row_shape, np.dtype(dtype))
                    stack.callback(writers[key].abort)
                yield writers
                for key, writer in writers.items():
                    writer.close()
                    if self.shared is not None:
                        self.shared.keep(writer.path, f"{key}.npy")
                    os.replace(writer.path, self.path(key))
        except OSError as error:
            free = shutil.disk_usage(self.folder).free
            raise OSError(
                f"can't write to {self.folder} ({error.strerror or error}; {free / 1e9:.1f} GB free): "
                "free some space, or set TUNER_CACHE to a folder on a larger disk"
            ) from error
        self._written(sum(writer.size for writer in writers.values()), set(keys))

    @property
    def _limit(self) -> tuple[Path, int | None]:
        return self.folder, self.limit_bytes

    def _written(self, size: int, keep: set[str]) -> None:
        """Keep to the limit after a file of `size` bytes."""
        if (left := _room.get(self._limit, 0) - size) < 0:
            self.trim(keep)
        else:
            _room[self._limit] = left

    def _fetch(self, key: str, shared: Shared) -> None:
        with contextlib.suppress(FileNotFoundError):
            shared.fetch(f"{key}.npy", self.path(key))
            self._written(self.path(key).stat().st_size, {key})

    def _part_lock(self, key: str) -> filelock.FileLock:
        """Held while a temporary file of `key` is written; a file whose lock is free is a leftover."""
        return self.lock(f"{key}.tmp")

    def _delete_leftovers(self) -> None:
        _looked[self.folder] = time.monotonic()
        # A plain list of names: a folder may have tens of thousands.
        for name in os.listdir(self.folder):  # noqa: PTH208 (paths take ten times as long)
            if not name.endswith(".tmp"):
                continue
            with (
                contextlib.suppress(OSError),  # it is being written, or another user's
                self._part_lock(name.split(".")[0]).acquire(blocking=False),
            ):
                (self.folder / name).unlink(missing_ok=True)

    def trim(self, keep: set[str], room: int = 0) -> int:
        """Delete what killed processes began, and the least recently used files above the limit.

        Args:
            room: bytes that are to be free below the limit.

        Returns:
            bytes above the limit that could not be deleted, or 0.
        """
        self._delete_leftovers()
        if self.limit_bytes is None:
            _room[self._limit] = sys.maxsize
            return 0
        entries = []
        for path in set(self.folder.glob(self.pattern)) - set(self.folder.glob("*.tmp")):
            with contextlib.suppress(FileNotFoundError):  # another process may trim too
                stat = path.stat()
                entries.append((stat.st_mtime, stat.st_size, path))
        excess = sum(size for _, size, _ in entries) + room - self.limit_bytes
        for _, size, path in sorted(entries):
            if excess <= 0:
                break
            if path.stem not in keep and self._delete(path):
                excess -= size
        _room[self._limit] = max(0, -excess) // _PROCESSES
        return max(0, excess)

    def _delete(self, path: Path) -> bool:
        """Delete a file that was not used for long; returns whether it is gone."""
        # A process that has it mapped keeps its pages; others make it again.
        path.unlink(missing_ok=True)
        return True
