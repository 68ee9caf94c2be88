"""Where the models of a search are kept: a folder that all machines see, or S3."""

from __future__ import annotations

import contextlib
import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from data.files.download import PART, copy
from data.files.path import S3Path, place, relative
from data.files.store import default_folder


@dataclass
class Storage:
    """The folder that machines work in, and S3 behind it if that is where the models are kept.

    Without S3 all methods but `remove` do nothing: the folder is what is kept.

    Attributes:
        folder: on this machine.
        remote: what `folder` is a copy of, or None.
    """

    folder: Path
    remote: S3Path | None = None
    _sent: dict[Path, tuple[int, int]] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if self.remote:
            self.remote = replace(self.remote, called=f"the storage {self.remote}")

    def __getstate__(self) -> dict[str, Any]:
        return {"folder": self.folder, "remote": self.remote, "_sent": {}}

    @classmethod
    def of(cls, text: str, name: str) -> Storage:
        """The storage of a search called `name`, in the place that a user has named."""
        named = place(text)
        if isinstance(named, Path):
            return cls(named.absolute() / name)
        return cls(default_folder() / "s3" / named.pure / name, named / name)

    def check(self) -> None:
        """Raise `S3Error` if S3 can't be written to, so that it is known before the first trial."""
        if self.remote:
            self.remote.check_writable()

    def fetch(self, folder: Path) -> None:
        """Download what S3 has of `folder`, in place of the files on this machine."""
        if self.remote is None:
            return
        for file in (self.remote / folder.relative_to(self.folder)).below():
            name = relative(file, self.remote)
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            copy(self.remote / name, path)  # as it is now, if it has changed since it was listed
            self._sent[path] = _version(path)

    def fetch_file(self, path: Path) -> None:
        """Download a file that this machine does not have, if S3 has it."""
        if self.remote is None or path.exists():
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            copy(self.remote / path.relative_to(self.folder), path)
            self._sent[path] = _version(path)

    def keep(self, folder: Path) -> None:
        """Send what has changed in `folder`: the checkpoint last, after the files that it refers to."""
        if self.remote is None:
            return
        files = [p for p in folder.rglob("*") if p.is_file() and p.suffix not in (".tmp", PART)]
        for path in sorted(files, key=lambda path: (path.name == "last.pt", path)):
            self.keep_file(path)

    def keep_file(self, path: Path) -> None:
        """Send a file, if it is there and has changed."""
        if self.remote is None or not path.exists():
            return
        version = _version(path)
        if self._sent.get(path) != version:
            copy(path, self.remote / path.relative_to(self.folder))
            self._sent[path] = version

    def remove(self, *paths: Path) -> None:
        """Delete files here and where they are kept; some may be gone already."""
        for path in paths:
            path.unlink(missing_ok=True)
            self._sent.pop(path, None)
        if self.remote:
            self.remote.delete([path.relative_to(self.folder).as_posix() for path in paths])

    def clear(self) -> None:
        """Delete all that is kept, here and on S3, but for locks."""
        for path in self.folder.iterdir() if self.folder.exists() else ():
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            elif path.suffix != ".lock" and path.name != ".lock":
                path.unlink(missing_ok=True)
        self._sent.clear()
        if self.remote:
            names = [relative(file, self.remote).as_posix() for file in self.remote.below()]
            self.remote.delete(names)

    def tidy(self, before: float) -> None:
        """Delete what killed processes had begun to write before a moment, in seconds of `time.time`."""
        for part in self.folder.rglob(".*.tmp"):
            with contextlib.suppress(FileNotFoundError):
                if part.stat().st_mtime < before:
                    part.unlink()


def _version(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_mtime_ns, status.st_size
