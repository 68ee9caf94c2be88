"""Files and folders on S3, named and listed as those of a disk are."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path, PurePath, PurePosixPath

from data.files.s3 import S3, ask, client, objects
from data.files.store import make_key

RIGHTS = "s3:ListBucket and s3:GetObject"


@dataclass(frozen=True)
class S3Path:
    """An object on S3, or a folder of them, with what is asked here of pathlib's paths.

    Attributes:
        key: without slashes at its ends.
        size: bytes, of an object that was listed.
        etag: of one too; changes with its content.
        limit_bytes: the disk that videos may take on each machine that reads them; None: all of it.
    """

    bucket: str
    key: str
    size: int = field(default=0, compare=False)
    etag: str = field(default="", compare=False)
    limit_bytes: int | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return f"{S3}{self.bucket}/{self.key}"

    def __lt__(self, other: S3Path) -> bool:
        return self.pure < other.pure

    @cached_property
    def pure(self) -> PurePosixPath:
        """Bucket and key, to be taken apart."""
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

    def is_file(self) -> bool:
        return bool(self.etag)

    @property
    def parent(self) -> S3Path:
        return replace(self, key=self.key.rpartition("/")[0])

    @property
    def identity(self) -> str:
        """A key that changes with the content, the same on every machine."""
        return make_key("s3", self.size, self.etag)

    @property
    def request(self) -> dict[str, str]:
        """Of this very content, or S3 refuses it."""
        return {"Bucket": self.bucket, "Key": self.key, "IfMatch": f'"{self.etag}"'}

    def files(self) -> list[S3Path]:
        """Every object in this folder and those below it, sorted, or the object itself.

        Raises:
            S3Error: it can't be listed.
        """
        start = f"{self.key}/" if self.key else ""
        found = self._listed(start) or [one for one in self._listed(self.key) if one == self]
        return sorted(found)

    def _listed(self, prefix: str) -> list[S3Path]:
        listed = ask(lambda _: list(objects(self.bucket, prefix)), str(self), rights=RIGHTS)
        return [
            replace(self, key=entry["Key"], size=entry["Size"], etag=entry["ETag"].strip('"'))
            for entry in listed
            if not entry["Key"].endswith("/")  # stands for a folder
        ]

    def read_bytes(self) -> bytes:
        """The content of an object, as it is now.

        Raises:
            S3Error: it can't be had.
        """

        def read(_: bool) -> bytes:
            return client().get_object(Bucket=self.bucket, Key=self.key)["Body"].read()

        return ask(read, str(self), rights="s3:GetObject")


File = Path | S3Path


def place(text: str, *, limit_bytes: int | None = None) -> File:
    """The file or folder that a user has named: a path, or ``s3://bucket/prefix``."""
    if not text.startswith(S3):
        return Path(text).expanduser()
    bucket, _, key = text.removeprefix(S3).partition("/")
    return S3Path(bucket, key.strip("/"), limit_bytes=limit_bytes)


def relative(file: File, folder: File) -> PurePath:
    """Where `file` is below `folder`, or all of its path if it is elsewhere."""
    path, start = (one if isinstance(one, Path) else one.pure for one in (file, folder))
    return path.relative_to(start) if path.is_relative_to(start) else path
