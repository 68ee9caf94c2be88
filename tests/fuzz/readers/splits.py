"""Lists of videos and their splits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from data.errors import DataError
from data.labels.file import read_splits
from tests.fuzz.judge import Reader, Wrong
from tests.fuzz.readers.plain import plain_rows

_SEEDS = [
    b"video,split\na,train\nb,valid\nc,test\n",
    b"video;split;group\na;train;x\nb;val;y\nc;validation;y\n",
    b"\xef\xbb\xbfVideo\tSplit\r\na\tTRAIN\r\nb\ttest\r\n",
    b'split,video\ntrain,"a, b"\n"valid",c/d\n',
]
_WORDS = (b"video", b"split", b"train", b"valid", b"test", b"a,train\n", b"a,test\n", b"nan", b'"')


def _make(folder: Path) -> Callable[[bytes], Any]:
    path = folder / "splits.csv"

    def read(content: bytes) -> None:
        path.write_bytes(content)
        file = read_splits(path)
        rows = plain_rows(content, ["video", "split"])
        if rows and {row["split"] for row in rows} <= {"train", "valid", "test"}:
            wanted = [(row["video"], row["split"]) for row in rows]
            found = list(zip(file.rows["video"], file.rows["split"], strict=True))
            several = len(dict(wanted)) < len(set(wanted))
            if found != wanted or several != bool(file.problems):
                raise Wrong(f"{found[:5]} {file.problems[:1]} is read, not {wanted[:5]}")
        if file.problems:
            raise DataError(file.problems)

    return read


READER = Reader(_make, lambda: _SEEDS, (DataError,), share=10, words=_WORDS)
