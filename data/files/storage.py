"""Where the models of a search are kept: a folder that all machines see, or S3."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from data.files.s3 import CREDENTIALS, S3, ask, client, objects

_AT_ONCE = 1000  # objects that S3 deletes with one request
_RIGHTS = "s3:GetObject, s3:PutObject, s3:DeleteObject and s3:ListBucket"


class StorageError(OSError):
    """The storage can't be used; the message says why and what to do."""


@dataclass
class Storage:
    """The folder that machines work in, and S3 behind it if that is where the models are kept.

    Without S3 all methods but `remove` do nothing: the folder is what is kept.

    Attributes:
        folder: on this machine.
        url: ``s3://bucket/prefix`` that mirrors `folder`, or None.
    """

    folder: Path
    url: str | None = None
    _kept: dict[str, tuple[int, int]] = field(default_factory=dict, repr=False)

    def __getstate__(self) -> dict[str, Any]:
        return {"folder": self.folder, "url": self.url, "_kept": {}}

    def check(self) -> None:
        """Write and delete a small object, so that what is missing is known before the first trial.

        Raises:
            StorageError: it can't be written to.
        """
        if self.url is None:
            return
        bucket, prefix = self._place()
        ask_once = client()
        try:
            ask_once.put_object(Bucket=bucket, Key=f"{prefix}.check", Body=b"")
            ask_once.delete_object(Bucket=bucket, Key=f"{prefix}.check")
        except Exception as error:  # botocore's are of many kinds
            raise StorageError(
                f"storage: {self.url} can't be written to: {str(error).splitlines()[0]}; {CREDENTIALS}, "
                f"and need {_RIGHTS}"
            ) from error

    def fetch(self, folder: Path) -> None:
        """Bring down what is kept of `folder`, which replaces what is there."""
        if self.url is None:
            return
        bucket, prefix = self._place()
        start = f"{prefix}{self._relative(folder)}/"
        for key in self._ask(lambda _: [entry["Key"] for entry in objects(bucket, start)]):
            self._fetch(bucket, key, self.folder / key.removeprefix(prefix))

    def _fetch(self, bucket: str, key: str, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.name}.{os.getpid()}.tmp")
        self._ask(lambda _: client().download_file(bucket, key, str(part)))
        os.replace(part, path)
        self._kept[key] = _version(path)

    def keep(self, folder: Path) -> None:
        """Send what has changed in `folder`, and the checkpoint after what it refers to."""
        if self.url is None:
            return
        files = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".tmp"]
        for path in sorted(files, key=lambda path: (path.name == "last.pt", path)):
            self.keep_file(path)

    def keep_file(self, path: Path) -> None:
        """Send a file, if it is there and has changed."""
        if self.url is None or not path.exists():
            return
        bucket, prefix = self._place()
        key, version = f"{prefix}{self._relative(path)}", _version(path)
        if self._kept.get(key) != version:
            self._ask(lambda _: client().upload_file(str(path), bucket, key))
            self._kept[key] = version

    def remove(self, *paths: Path) -> None:
        """Delete files here and where they are kept; some may be gone already."""
        for path in paths:
            path.unlink(missing_ok=True)
        if self.url is None:
            return
        bucket, prefix = self._place()
        keys = [f"{prefix}{self._relative(path)}" for path in paths]
        for key in keys:
            self._kept.pop(key, None)
        for start in range(0, len(keys), _AT_ONCE):
            self._remove(bucket, keys[start : start + _AT_ONCE])

    def _remove(self, bucket: str, keys: list[str]) -> None:
        request = {"Objects": [{"Key": key} for key in keys], "Quiet": True}
        self._ask(lambda _: client().delete_objects(Bucket=bucket, Delete=request))

    def _place(self) -> tuple[str, str]:
        """Bucket, and prefix with its slash."""
        assert self.url is not None
        bucket, _, prefix = self.url.removeprefix(S3).partition("/")
        return bucket, f"{prefix.strip('/')}/" if prefix.strip("/") else ""

    def _relative(self, path: Path) -> str:
        return path.relative_to(self.folder).as_posix()

    def _ask(self, action: Callable[[bool], Any]) -> Any:
        return ask(action, f"the storage {self.url}", rights=_RIGHTS)


def _version(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_mtime_ns, status.st_size
