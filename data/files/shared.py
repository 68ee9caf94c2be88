"""Where the machines of a cluster put what one of them has made for the others: a folder, or S3."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from data.files.s3 import S3, S3Error, ask, client

_RIGHTS = "s3:GetObject, s3:PutObject and s3:ListBucket"
_GONE = ("NoSuchKey", "404")


class Shared(Protocol):
    """Files by name, each there whole or not at all."""

    def has(self, name: str) -> bool: ...

    def fetch(self, name: str, target: Path) -> None:
        """Copy a file to `target`.

        Raises:
            FileNotFoundError: it isn't there.
        """

    def keep(self, source: Path, name: str) -> None:
        """Copy `source` here."""

    def locks(self, own: Path) -> Path:
        """The folder of the locks of who makes a file, if `own` is that of one machine."""


def shared(text: str | None, kind: str) -> Shared | None:
    """The place that a user has named for files of a kind: a folder, or ``s3://bucket/prefix``."""
    if text is None:
        return None
    if not text.startswith(S3):
        return SharedFolder(Path(text).expanduser() / kind)
    bucket, _, prefix = text.removeprefix(S3).strip("/").partition("/")
    return SharedBucket(bucket, f"{prefix}/{kind}/".lstrip("/"))


@dataclass(frozen=True)
class SharedFolder:
    """A folder that all machines see."""

    folder: Path

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)

    def has(self, name: str) -> bool:
        return (self.folder / name).exists()

    def fetch(self, name: str, target: Path) -> None:
        with _whole(target) as part:
            shutil.copyfile(self.folder / name, part)

    def keep(self, source: Path, name: str) -> None:
        with _whole(self.folder / name) as part:
            shutil.copyfile(source, part)

    def locks(self, own: Path) -> Path:
        return self.folder / "locks"


@dataclass(frozen=True)
class SharedBucket:
    """S3, which knows no locks: two machines may make the same file, which does no harm.

    Raises:
        S3Error: by all methods, if S3 can't be used.
    """

    bucket: str
    prefix: str

    def has(self, name: str) -> bool:
        try:
            self._ask(lambda _: client().head_object(Bucket=self.bucket, Key=self.prefix + name))
        except S3Error as error:
            if error.code in _GONE:
                return False
            raise
        return True

    def fetch(self, name: str, target: Path) -> None:
        with _whole(target) as part:
            try:
                self._ask(
                    lambda _: client().download_file(self.bucket, self.prefix + name, str(part))
                )
            except S3Error as error:
                if error.code in _GONE:
                    raise FileNotFoundError(self.prefix + name) from error
                raise

    def keep(self, source: Path, name: str) -> None:
        self._ask(lambda _: client().upload_file(str(source), self.bucket, self.prefix + name))

    def locks(self, own: Path) -> Path:
        return own

    def _ask(self, action) -> None:
        ask(action, f"{S3}{self.bucket}/{self.prefix}", rights=_RIGHTS)


@contextlib.contextmanager
def _whole(target: Path) -> Iterator[Path]:
    """A name to write to, which becomes `target` at the end."""
    part = target.with_name(f"{target.stem}.{socket.gethostname()}-{os.getpid()}.copy")
    try:
        yield part
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)
