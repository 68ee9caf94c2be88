"""Files that are whole or not there, and show it if they were damaged later.

A file is written under another name, brought to the disk, and renamed: nobody ever reads half of it,
and after a power cut there is the former one or the new one. At its end an array has a seal: checksums
(XXH3, 64 bits) of its blocks, and one of all else that is in the file and of what it is called. So
flipped bits, a cut, and another array under its name are noticed.
"""

from __future__ import annotations

import os
import struct
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import xxhash

if TYPE_CHECKING:
    import pandas as pd

_MARK = b"tunerXX1"
_END = struct.Struct("<8sQQQ")  # mark, where the content begins, its length, checksum of the rest
_BLOCK = 256 * 1024  # bytes
_SUM = np.dtype("<u8")  # of a block
_TRIES = 3

T = TypeVar("T")


class DamagedFile(Exception):
    """A file is not what was written; it has been deleted if it can be made again."""

    def __init__(self, path: Path, what: str) -> None:
        self.path, self.what = path, what
        super().__init__(f"{path} is damaged: {what}")

    def __reduce__(self) -> tuple[type[DamagedFile], tuple[Path, str]]:
        return type(self), (self.path, self.what)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary name to write a file to, which then takes the place of `path`.

    After an exception `path` is as it was.
    """
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        yield part
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def write_table(path: Path, table: pd.DataFrame, *, index: bool = False) -> None:
    """Write a CSV file."""
    with replacing(path) as part:
        table.to_csv(part, index=index, lineterminator="\n")


def again(action: Callable[[], T]) -> T:
    """What `action` returns; it is called again after it has met a damaged file, which is gone then.

    Raises:
        DamagedFile: it has met one each time: what is written here does not stay as it is.
    """
    for _ in range(_TRIES - 1):
        with suppress(DamagedFile):
            return action()
    return action()


class Sealer:
    """Sums up a content while it is written, in pieces of any size."""

    def __init__(self) -> None:
        self._sums: list[int] = []
        self._block, self._filled, self._length = xxhash.xxh3_64(), 0, 0

    def update(self, content: np.ndarray) -> None:
        """Add uint8 ``[n]``."""
        self._length += len(content)
        while len(content):
            part = content[: _BLOCK - self._filled]
            self._block.update(part.data)
            self._filled += len(part)
            content = content[len(part) :]
            if self._filled == _BLOCK:
                self._end_block()

    def seal(self, head: bytes, name: str) -> bytes:
        """What to write after the content.

        Args:
            head: what is before the content.
            name: of the file; it can't be read under another one.
        """
        if self._filled:
            self._end_block()
        sums = np.array(self._sums, _SUM).tobytes()
        digest = _digest(head, sums, len(head), self._length, name)
        return sums + _END.pack(_MARK, len(head), self._length, digest)

    def _end_block(self) -> None:
        self._sums.append(self._block.intdigest())
        self._block, self._filled = xxhash.xxh3_64(), 0


class Seal:
    """The seal of a file, with which its content is checked block by block.

    Args:
        file: uint8 ``[n]``, all of the file, in memory or mapped.
        name: as of `Sealer.seal`.

    Attributes:
        content: uint8, the file's content.
        checked: whether all of it has been compared.

    Raises:
        ValueError: the file has been changed; the message says how.
    """

    def __init__(self, file: np.ndarray, name: str) -> None:
        if not is_sealed(file):
            raise ValueError("it does not end as it was written")
        _, start, length, digest = _END.unpack(file[-_END.size :].tobytes())
        blocks = -(-length // _BLOCK)
        if start + length + blocks * _SUM.itemsize + _END.size != len(file):
            raise ValueError("its length is not that of what was written")
        sums = file[start + length : -_END.size].tobytes()
        if digest != _digest(file[:start].tobytes(), sums, start, length, name):
            raise ValueError("its checksum differs")
        self.content = file[start : start + length]
        self._sums = np.frombuffer(sums, _SUM)
        self._checked = np.zeros(blocks, bool)
        self.checked = not blocks

    def check(self, spans: np.ndarray) -> None:
        """Compare what was not yet compared of some parts of the content.

        Args:
            spans: int64 ``[n, 2]``: the first byte of each, and the first after it.

        Raises:
            ValueError: it differs from what was written.
        """
        wanted = np.zeros(len(self._checked) + 1, np.int64)
        full = spans[spans[:, 0] < spans[:, 1]]
        np.add.at(wanted, full[:, 0] // _BLOCK, 1)
        np.add.at(wanted, (full[:, 1] - 1) // _BLOCK + 1, -1)
        for block in ((wanted.cumsum()[:-1] > 0) & ~self._checked).nonzero()[0].tolist():
            content = self.content[block * _BLOCK : (block + 1) * _BLOCK]
            if xxhash.xxh3_64_intdigest(content.data) != self._sums[block]:
                raise ValueError("its checksum differs")
            self._checked[block] = True
        self.checked = bool(self._checked.all())


def is_sealed(file: np.ndarray) -> bool:
    """Whether uint8 ``[n]`` ends with a seal."""
    return len(file) >= _END.size and file[-_END.size :][: len(_MARK)].tobytes() == _MARK


def _digest(head: bytes, sums: bytes, start: int, length: int, name: str) -> int:
    digest = xxhash.xxh3_64(struct.pack("<QQQ", start, length, len(sums)))
    for part in (head, sums, name.encode()):
        digest.update(part)
    return int(digest.intdigest())
