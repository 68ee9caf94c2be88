"""Where files are: on a disk (`Path`) or on S3 (`S3Path`), named, listed, read and written alike."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from operator import methodcaller
from pathlib import Path, PurePath, PurePosixPath
from typing import Any, BinaryIO, TypeVar

from data.files.patience import say
from data.files.s3 import GONE, S3Error, ask
from data.files.walk import walk

CHUNK = 2**20  # bytes that are read at a time, and the unit of progress
_SCHEME = "s3://"
_READ = "s3:ListBucket and s3:GetObject"
_WRITE = f"s3:PutObject, s3:DeleteObject, {_READ}"
_AT_ONCE = 1000  # objects that S3 deletes with one request

T = TypeVar("T")
OnChunk = Callable[[], object]


@dataclass(frozen=True)
class S3Path:
    """An object on S3, or a folder of objects, with the methods of pathlib's paths that are used here.

    Methods that ask S3 wait while it is away, and raise `S3Error` if it can't be used.

    Attributes:
        key: without slashes at its ends.
        size: bytes, of an object that was listed.
        etag: of a listed object; it changes with the content, and no other content is read.
        limit_bytes: disk space for videos on each machine that reads them; None: no limit.
        called: its name in messages; empty: its URL.
    """

    bucket: str
    key: str
    size: int = field(default=0, compare=False)
    etag: str = field(default="", compare=False)
    limit_bytes: int | None = field(default=None, compare=False)
    called: str = field(default="", compare=False)

    def __str__(self) -> str:
        return f"{_SCHEME}{self.bucket}/{self.key}"

    def __lt__(self, other: S3Path) -> bool:
        return self.pure < other.pure

    def __truediv__(self, name: str | PurePath) -> S3Path:
        below = PurePath(name).as_posix()
        return replace(self, key=f"{self.key}/{below}".lstrip("/"), size=0, etag="")

    @cached_property
    def pure(self) -> PurePosixPath:
        """Bucket and key as one path, which can be split into parts."""
        return PurePosixPath(f"{self.bucket}/{self.key}")

    @property
    def name(self) -> str:
        return self.pure.name

    @property
    def stem(self) -> str:
        return self.pure.stem

    @property
    def suffix(self) -> str:
        return self.pure.suffix

    @property
    def parent(self) -> S3Path:
        return replace(self, key=self.key.rpartition("/")[0], size=0, etag="")

    def is_file(self) -> bool:
        return bool(self.etag)

    def exists(self) -> bool:
        """Whether there is such an object now."""
        try:
            self.head()
        except S3Error as error:
            if error.code in GONE:
                return False
            raise
        return True

    def files(self) -> list[S3Path]:
        """Every object in this folder and those below it, sorted, or the object itself."""
        return self.below() or [one for one in self._listed(self.key) if one == self]

    def below(self) -> list[S3Path]:
        """Every object in this folder and those below it, sorted."""
        return self._listed(f"{self.key}/" if self.key else "")

    def _listed(self, prefix: str) -> list[S3Path]:
        def entries(s3: Any) -> list[dict[str, Any]]:
            pages = s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
            return [entry for page in pages for entry in page.get("Contents", [])]

        found = []
        for entry in self._ask(entries, _READ):
            file = replace(
                self, key=entry["Key"], size=entry["Size"], etag=entry["ETag"].strip('"')
            )
            if not {".", ".."}.isdisjoint(file.key.split("/")):
                say(f"left out: {file}: as the name of a file it would lead elsewhere")
            elif not file.key.endswith("/"):  # else it stands for a folder
                found.append(file)
        return sorted(found)

    def head(self, *, wait: bool = True, **more: Any) -> dict[str, Any]:
        """What S3 says about the object: ``ContentLength``, ``ETag``..."""
        return self._ask(lambda s3: s3.head_object(**self._request, **more), _READ, wait=wait)

    def read_into(self, output: BinaryIO, on_chunk: OnChunk = lambda: None) -> dict[str, Any]:
        """Write the content to an empty `output`; returns S3's reply.

        After a broken connection it goes on where that stopped.

        Args:
            on_chunk: called after every `CHUNK`.
        """
        first: dict[str, Any] = {}

        def go_on(s3: Any) -> None:
            rest: dict[str, str] = {}
            if start := output.tell():
                if start == first["ContentLength"]:
                    return
                rest = {"Range": f"bytes={start}-", "IfMatch": first["ETag"]}
            reply = s3.get_object(**self._request | rest)
            if not start:
                first.update(reply)
            for chunk in reply["Body"].iter_chunks(CHUNK):
                output.write(chunk)
                on_chunk()

        self._ask(go_on, _READ)
        return first

    def read_bytes(self) -> bytes:
        content = io.BytesIO()
        self.read_into(content)
        return content.getvalue()

    def upload(self, source: Path) -> None:
        """Write the content of a file to this object."""
        self._ask(lambda s3: s3.upload_file(str(source), self.bucket, self.key), _WRITE)

    def delete(self, names: Sequence[str]) -> None:
        """Delete objects below this folder; some may be gone already."""
        keys = [{"Key": (self / name).key} for name in names]
        for start in range(0, len(keys), _AT_ONCE):
            batch = {"Objects": keys[start : start + _AT_ONCE], "Quiet": True}
            request = {"Bucket": self.bucket, "Delete": batch}
            self._ask(methodcaller("delete_objects", **request), _WRITE)

    def check_writable(self) -> None:
        """Write and delete a small object in this folder, without waiting."""
        probe = {"Bucket": self.bucket, "Key": (self / ".check").key}

        def check(s3: Any) -> None:
            s3.put_object(**probe, Body=b"")
            s3.delete_object(**probe)

        ask(check, f"{self} can't be written to", _WRITE, wait=False)

    @property
    def _request(self) -> dict[str, str]:
        """The request's object; S3 refuses to give another content than the one that was listed."""
        content = {"IfMatch": f'"{self.etag}"'} if self.etag else {}
        return {"Bucket": self.bucket, "Key": self.key, **content}

    def _ask(self, action: Callable[[Any], T], rights: str, *, wait: bool = True) -> T:
        return ask(action, self.called or str(self), rights, wait=wait)


File = Path | S3Path


def place(text: str, *, limit_bytes: int | None = None) -> File:
    """The file or folder that a user has named: a path, or ``s3://bucket/prefix``."""
    if not text.startswith(_SCHEME):
        try:
            return Path(text).expanduser()
        except RuntimeError:  # there is no such user; it may be a name that begins with ~
            return Path(text)
    bucket, _, key = text.removeprefix(_SCHEME).partition("/")
    return S3Path(bucket, key.strip("/"), limit_bytes=limit_bytes)


def absolute(text: str) -> str:
    """The same place, by a name that is right from any folder."""
    named = place(text)
    return str(named.absolute()) if isinstance(named, Path) else text


def relative(file: File, folder: File) -> PurePath:
    """Where `file` is below `folder`, or all of its path if it is elsewhere."""
    path, start = (one if isinstance(one, Path) else one.pure for one in (file, folder))
    return path.relative_to(start) if path.is_relative_to(start) else path


def listed(folder: File) -> Sequence[File]:
    """Every file in a folder and its subfolders, as of `walk`, or `folder` itself if it is a file.

    Raises:
        FileNotFoundError: there is no such folder. On S3 a missing folder counts as empty.
        S3Error: it can't be listed.
    """
    if isinstance(folder, S3Path):
        return folder.files()
    if folder.is_file():
        return [folder]
    if not folder.is_dir():
        raise FileNotFoundError(folder)
    return [*walk(folder)]


def unreadable(file: File) -> str | None:
    """Why this machine can't read `file`; None if it can. At most one byte of it is read."""
    try:
        if isinstance(file, S3Path):
            file.head(wait=False)
        elif file.is_dir():  # of images
            next(file.iterdir(), None)
        else:
            with file.open("rb") as content:
                content.read(1)
    except (OSError, S3Error) as error:
        return getattr(error, "strerror", None) or str(error)
    return None
