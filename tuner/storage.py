"""Where the models of a search are kept: a folder that all machines see, or S3."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tuner.patience import patiently

_AT_ONCE = 1000  # objects that S3 deletes with one request


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
    say: Callable[[str], None] = print
    _kept: dict[str, tuple[int, int]] = field(default_factory=dict, repr=False)

    def __getstate__(self) -> dict[str, Any]:
        return {"folder": self.folder, "url": self.url, "say": print, "_kept": {}}

    def check(self) -> None:
        """Write and delete a small object, so that what is missing is known before the first trial.

        Raises:
            StorageError: it can't be written to.
        """
        if self.url is None:
            return
        bucket, prefix = self._place()
        try:
            client = _client()
            client.put_object(Bucket=bucket, Key=f"{prefix}.check", Body=b"")
            client.delete_object(Bucket=bucket, Key=f"{prefix}.check")
        except Exception as error:  # botocore's are of many kinds
            raise StorageError(
                f"storage: {self.url} can't be written to: {str(error).splitlines()[0]}; credentials "
                "come from the environment, ~/.aws or the machine's role, and need s3:GetObject, "
                "s3:PutObject, s3:DeleteObject and s3:ListBucket"
            ) from error

    def fetch(self, folder: Path) -> None:
        """Bring down what is kept of `folder`, which replaces what is there."""
        if self.url is None:
            return
        bucket, prefix = self._place()
        start = f"{prefix}{self._relative(folder)}/"
        for key in self._ask(lambda _: list(_keys(bucket, start))):
            self._fetch(bucket, key, self.folder / key.removeprefix(prefix))

    def _fetch(self, bucket: str, key: str, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.name}.{os.getpid()}.tmp")
        self._ask(lambda _: _client().download_file(bucket, key, str(part)))
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
            self._ask(lambda _: _client().upload_file(str(path), bucket, key))
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
        objects = [{"Key": key} for key in keys]
        request = {"Objects": objects, "Quiet": True}
        self._ask(lambda _: _client().delete_objects(Bucket=bucket, Delete=request))

    def _place(self) -> tuple[str, str]:
        """Bucket, and prefix with its slash."""
        assert self.url is not None
        bucket, _, prefix = self.url.removeprefix("s3://").partition("/")
        return bucket, f"{prefix.strip('/')}/" if prefix.strip("/") else ""

    def _relative(self, path: Path) -> str:
        return path.relative_to(self.folder).as_posix()

    def _ask(self, action: Callable[[bool], Any]) -> Any:
        return patiently(action, _away, f"the storage {self.url}", self.say)


def _version(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_mtime_ns, status.st_size


def _keys(bucket: str, prefix: str) -> Iterator[str]:
    pages = _client().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    for page in pages:
        for entry in page.get("Contents", []):
            yield entry["Key"]


_clients: dict[int, Any] = {}


def _client() -> Any:
    """An S3 client of this process; boto3 finds endpoint and credentials in the usual places."""
    if os.getpid() not in _clients:
        try:
            import boto3
        except ImportError as error:
            raise StorageError("storage on S3 needs boto3: pip install '.[aws]'") from error
        from botocore.config import Config

        options = Config(
            retries={"max_attempts": 5, "mode": "standard"}, connect_timeout=10, read_timeout=60
        )
        _clients[os.getpid()] = boto3.client("s3", config=options)
    return _clients[os.getpid()]


def _away(error: Exception) -> str | None:
    """Why S3 does not answer; None for what waiting does not mend, such as missing rights."""
    from boto3.exceptions import S3UploadFailedError
    from botocore import exceptions

    if isinstance(error, S3UploadFailedError):
        error = error.__context__ if isinstance(error.__context__, Exception) else error
    if isinstance(error, exceptions.ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
        return str(error) if status >= 500 or status == 429 else None
    lost = (exceptions.HTTPClientError, exceptions.ConnectionError, exceptions.IncompleteReadError)
    return str(error).splitlines()[0] if isinstance(error, lost) else None
