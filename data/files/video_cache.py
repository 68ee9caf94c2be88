"""Videos of S3 on the machine that reads them: downloaded once, checked, within the cache's limit."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from data.errors import VideoError
from data.files.download import SpoiltError, download
from data.files.path import CHUNK, File, OnChunk, S3Path
from data.files.patience import patiently
from data.files.s3 import CHANGED, GONE, S3Error
from data.files.store import Store, identity

# Errors that concern one object alone; after any other error no other video would come either.
_REASONS = {
    **dict.fromkeys(GONE, "it is no longer on S3"),
    **dict.fromkeys(CHANGED, "it has changed on S3 since it was listed: start again"),
    **dict.fromkeys(
        ("AccessDenied", "403"),
        "S3 does not give it (AccessDenied): credentials need s3:GetObject",
    ),
    "InvalidObjectState": "it is archived: restore it first",
}


@contextlib.contextmanager
def local(file: File, on_chunk: OnChunk = lambda: None) -> Iterator[Path]:
    """`file` on this machine's disk, where it stays at least as long as the context.

    Args:
        on_chunk: called after every `CHUNK` that is downloaded.

    Raises:
        VideoError: this video can't be had; others may be.
        S3Error: S3 can't be used, or there is no room for it.
    """
    if isinstance(file, Path):
        yield file
        return
    with _Videos(file.limit_bytes).opened(file, on_chunk) as path:
        yield path


def missing_chunks(file: File) -> int:
    """How many chunks have to be downloaded before `file` can be read here."""
    if isinstance(file, Path) or _Videos(file.limit_bytes).holds(file):
        return 0
    return -(-file.size // CHUNK)


class _Full(Exception):
    """There is no room until somebody is done with a video."""


class _Videos(Store):
    """Videos of S3 on this machine, named by their identity: a video that has changed gets a new name.

    One process downloads a video and the others wait. A reader holds a shared lock of the system on the
    file, and a locked file is not deleted.
    """

    pattern = "*.*"

    def __init__(self, limit_bytes: int | None) -> None:
        super().__init__("videos", limit_bytes=limit_bytes)

    def _place(self, video: S3Path) -> Path:
        # The ending stays: FFmpeg tells some containers apart by it.
        return self.folder / f"{identity(video)}{video.suffix}"

    def holds(self, video: S3Path) -> bool:
        path = self._place(video)
        return path.exists() and path.stat().st_size == video.size

    @contextlib.contextmanager
    def opened(self, video: S3Path, on_chunk: OnChunk) -> Iterator[Path]:
        import fcntl

        path = self._place(video)
        with contextlib.ExitStack() as stack:
            while True:
                self._ensure(video, path, on_chunk)
                with contextlib.suppress(FileNotFoundError):  # deleted before it was locked
                    file = stack.enter_context(path.open("rb"))
                    fcntl.flock(file, fcntl.LOCK_SH)
                    if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                        break
            os.utime(path)
            yield path

    def _ensure(self, video: S3Path, path: Path, on_chunk: OnChunk) -> None:
        if self.holds(video):
            return
        key = identity(video)
        with self.lock(key), self._part_lock(key):
            if self.holds(video):
                return
            part = self.folder / f"{key}.{os.getpid()}.tmp"
            try:
                self._reserve(video, part)
                download(video, part, on_chunk)
                os.replace(part, path)
            except SpoiltError as error:
                raise VideoError(str(error)) from error
            except S3Error as error:
                if error.code in _REASONS:
                    raise VideoError(_REASONS[error.code]) from error
                raise
            except OSError as error:
                free = shutil.disk_usage(self.folder).free
                raise S3Error(
                    f"can't write {video} to {self.folder} ({error.strerror or error}; "
                    f"{free / 1e9:.1f} GB free): free some space, set TUNER_CACHE to a folder on a "
                    "larger disk, or a lower data.cache_limit_gb"
                ) from error
            finally:
                part.unlink(missing_ok=True)

    def _reserve(self, video: S3Path, part: Path) -> None:
        """Make `part` as long as the video: delete others for it, and wait while all of them are read.

        Raises:
            VideoError: there will never be room for it.
        """
        limit = self.limit_bytes
        if limit is not None and video.size > limit:
            raise VideoError(
                f"it has {video.size / 1e9:.3g} GB, and videos may take {limit / 1e9:.3g} GB of the "
                "disk: raise data.cache_limit_gb"
            )

        def reserve(_: bool) -> None:
            with self.lock("room"):
                if self.trim(keep=set(), room=self._begun() + video.size):
                    raise _Full(
                        f"what data.cache_limit_gb ({(limit or 0) / 1e9:.3g}) allows is in use"
                    )
                if shutil.disk_usage(self.folder).free < video.size:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                with part.open("wb") as file:
                    file.truncate(video.size)

        def full(error: Exception) -> str | None:
            return str(error) if isinstance(error, _Full) else None

        try:
            patiently(reserve, full, f"room for {video}")
        except _Full as error:
            raise S3Error(f"{video}: no room in {self.folder}: {error}") from error

    def _begun(self) -> int:
        """Bytes of the videos that are being downloaded."""
        self._delete_leftovers()
        total = 0
        for part in self.folder.glob("*.tmp"):
            with contextlib.suppress(FileNotFoundError):  # its download has just ended
                total += part.stat().st_size
        return total

    def _delete(self, path: Path) -> bool:
        import fcntl

        with contextlib.suppress(OSError), path.open("r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # raises where it is being read
            path.unlink()
            return True
        return False
