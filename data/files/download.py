"""Videos of S3 on the machine that reads them: brought once, checked, kept within the cache's limit."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from data.errors import VideoError
from data.files.path import RIGHTS, File, S3Path
from data.files.patience import patiently
from data.files.s3 import S3Error, ask, client, explained
from data.files.store import Store

CHUNK = 2**20  # bytes that are read at a time, and that progress is told in
_TRIES = 3  # downloads, before a content that is not what S3 says is given up
# Of one object alone; with anything else no other one would be had either.
_REASONS = {
    "NoSuchKey": "it is no longer on S3",
    "404": "it is no longer on S3",
    "PreconditionFailed": "it has changed on S3 since it was listed: start again",
    "412": "it has changed on S3 since it was listed: start again",
    "InvalidObjectState": "it is archived: restore it first",
    "AccessDenied": "S3 does not give it (AccessDenied): credentials need s3:GetObject",
    "403": "S3 does not give it (AccessDenied): credentials need s3:GetObject",
}

OnChunk = Callable[[], object]


@contextlib.contextmanager
def local(file: File, on_chunk: OnChunk = lambda: None) -> Iterator[Path]:
    """`file` on this machine's disk, where it stays at least as long as the context.

    Args:
        on_chunk: called for every `CHUNK` of it that is brought.

    Raises:
        VideoError: it can't be had, though others may.
        S3Error: S3 can't be used, or there is no room for it.
    """
    if isinstance(file, Path):
        yield file
        return
    with _Videos(file.limit_bytes).opened(file, on_chunk) as path:
        yield path


def missing_chunks(file: File) -> int:
    """How many chunks have to be brought before `file` can be read here."""
    if isinstance(file, Path) or _Videos(file.limit_bytes).holds(file):
        return 0
    return -(-file.size // CHUNK)


def unreadable(file: File) -> str | None:
    """Why this machine can't read `file`, looking at no more of it than that needs; None if it can."""
    try:
        if isinstance(file, Path):
            with file.open("rb") as content:
                content.read(1)
        else:
            client().head_object(**file.request)
    except OSError as error:
        return error.strerror or str(error)
    except S3Error as error:
        return str(error)
    except Exception as error:  # botocore's are of many kinds
        return str(explained(error, str(file), RIGHTS))
    return None


class _Full(Exception):
    """There is no room until somebody is done with a video."""


class _Videos(Store):
    """Videos of S3 on this machine, named by their identity, so that a changed one is another.

    One process brings a video and the others wait. Who reads it holds a shared lock of the system on
    the file, and what is locked is not deleted.
    """

    pattern = "*.*"

    def __init__(self, limit_bytes: int | None) -> None:
        super().__init__("videos", limit_bytes=limit_bytes)

    def _place(self, video: S3Path) -> Path:
        # The ending stays: FFmpeg tells some containers apart by it.
        return self.folder / f"{video.identity}{video.suffix}"

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
        with self.lock(video.identity), self._part_lock(video.identity):
            if self.holds(video):
                return
            part = self.folder / f"{video.identity}.{os.getpid()}.tmp"
            try:
                self._reserve(video, part)
                _bring(video, part, on_chunk)
                os.replace(part, path)
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
        """Make `part` as long as the video, deleting others for it, and waiting while all are read.

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
        """Bytes of the videos that are being brought."""
        self._delete_leftovers()
        total = 0
        for part in self.folder.glob("*.tmp"):
            with contextlib.suppress(FileNotFoundError):  # it has come meanwhile
                total += part.stat().st_size
        return total

    def _delete(self, path: Path) -> bool:
        import fcntl

        with contextlib.suppress(OSError), path.open("r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # raises where it is being read
            path.unlink()
            return True
        return False


def _bring(video: S3Path, part: Path, on_chunk: OnChunk) -> None:
    """Download a video into `part`, again if it is not what S3 says that it is.

    Raises:
        VideoError: S3 does not give it, or it never is.
    """
    wrong = None
    for _ in range(_TRIES):
        try:
            wrong = _download(video, part, on_chunk)
        except S3Error as error:
            if error.code == "FlexibleChecksumError":  # the checksum that S3 keeps with the object
                wrong = "its checksum differs"
                continue
            if error.code in _REASONS:
                raise VideoError(_REASONS[error.code]) from error
            raise
        if wrong is None:
            return
    raise VideoError(f"brought from S3 {_TRIES} times, it was never what S3 has: {wrong}")


def _download(video: S3Path, part: Path, on_chunk: OnChunk) -> str | None:
    """Write a video's content into `part`; what is wrong with it, None if nothing is."""
    reply: dict[str, Any] = {}
    with part.open("r+b") as output:

        def go_on(_: bool) -> None:
            start = output.tell()  # a connection that broke off is gone on with where it did
            if start and start == video.size:
                return
            span = {"Range": f"bytes={start}-"} if start else {}
            reply.update(client().get_object(**video.request, **span))
            for chunk in reply["Body"].iter_chunks(CHUNK):
                output.write(chunk)
                on_chunk()

        ask(go_on, str(video), rights="s3:GetObject")
        if output.tell() != video.size:
            return f"it has {output.tell():,} bytes, not {video.size:,}"
        os.fsync(output.fileno())
    # With a key of their own the ETag says nothing of the content.
    keyed = "SSECustomerAlgorithm" in reply or "kms" in reply.get("ServerSideEncryption", "")
    if keyed or not re.fullmatch(r"[0-9a-f]{32}(-\d+)?", video.etag):
        return None
    found = _etag(part, video)
    return None if found in (None, video.etag) else f"its MD5 is {found}, not {video.etag}"


def _etag(path: Path, video: S3Path) -> str | None:
    """S3's ETag of a file: its MD5, or that of the MD5s of the parts in which the video was sent.

    None if the parts were not of one size, which nothing here can know.
    """
    _, _, count = video.etag.partition("-")
    with path.open("rb") as file:
        if not count:
            return _md5(file, video.size).hex()
        head = ask(
            lambda _: client().head_object(Bucket=video.bucket, Key=video.key, PartNumber=1),
            str(video),
            rights="s3:GetObject",
        )
        size = int(head["ContentLength"])
        if -(-video.size // size) != int(count):
            return None
        parts = b"".join(_md5(file, size) for _ in range(int(count)))
        return f"{hashlib.md5(parts, usedforsecurity=False).hexdigest()}-{count}"


def _md5(file: BinaryIO, count: int) -> bytes:
    """Of the next `count` bytes."""
    digest = hashlib.md5(usedforsecurity=False)
    while count and (chunk := file.read(min(CHUNK, count))):
        digest.update(chunk)
        count -= len(chunk)
    return digest.digest()
