"""Files that one machine of a cluster makes for all of them, in a folder or on S3."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from data.files.download import copy
from data.files.path import File, place


@dataclass(frozen=True)
class Shared:
    """Files by name, each there whole or not at all.

    S3 has no locks: two machines may make the same file, which does no harm.

    Raises:
        S3Error: by all methods, if S3 can't be used.
    """

    folder: File

    def __post_init__(self) -> None:
        if isinstance(self.folder, Path):
            self.folder.mkdir(parents=True, exist_ok=True)

    def has(self, name: str) -> bool:
        return (self.folder / name).exists()

    def fetch(self, name: str, target: Path) -> None:
        """Copy a file to `target`.

        Raises:
            FileNotFoundError: it isn't there.
        """
        copy(self.folder / name, target)

    def keep(self, source: Path, name: str) -> None:
        """Copy `source` here."""
        copy(source, self.folder / name)

    def remove(self, name: str) -> None:
        """Delete a file, if it is there."""
        if isinstance(self.folder, Path):
            (self.folder / name).unlink(missing_ok=True)
        else:
            self.folder.delete([name])

    def locks(self, here: Path) -> Path:
        """The folder for locks on files being made: `here`, on this machine, if these are on S3."""
        return self.folder / "locks" if isinstance(self.folder, Path) else here


def shared(text: str | None, kind: str) -> Shared | None:
    """The place that a user has named for files of a kind: a folder, or ``s3://bucket/prefix``."""
    return None if text is None else Shared(place(text) / kind)
