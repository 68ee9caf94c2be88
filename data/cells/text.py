"""The cells of a CSV file as people and their spreadsheets write it, by column and line."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from data.cells.columns import Gathered
from data.errors import DataError
from data.files.path import CHUNK, File

# What is made of the texts of a column; its own column `known` is false where the text is needed.
Parse = Callable[[pd.Series], pd.DataFrame]
# Called with a number of MB; its context gives a function to call with those that are done.
OnRead = Callable[[int], AbstractContextManager[Callable[[int], object]]]

Advance = Callable[[int], object]  # called with a number of bytes that were read

_UTF_16 = (b"\xff\xfe", b"\xfe\xff")  # marks of what Excel calls Unicode text
_NOT_IN_CP1252 = b"\x81\x8d\x8f\x90\x9d"
_SEPARATORS = ",;\t"
# The first line of some tables, which is for Excel.
_TOLD = re.compile(f"[\"']?sep=([{_SEPARATORS}])[\"']?[{_SEPARATORS}]*", re.IGNORECASE)
_AT_ONCE = 2**18  # rows
_LONG = 16 * CHUNK  # bytes, from which on reading a file takes a second and more
MOST_CELLS = 1_000  # of a row
_CHECKED = 2**16  # rows, after which progress is told


@dataclass(frozen=True)
class Cells:
    """A file that is known to be a table.

    Attributes:
        header: the names of its columns as they are written, stripped; empty where there is none.
        names: of its columns, in lower case; one without a name in the header has its number, from 1.
            A column whose name is None is not read.
        notes: what a person should know of how it was read.
    """

    path: File
    header: list[str]
    names: list[str | int | None]
    notes: list[str]
    _content: bytes
    _encoding: tuple[str, str]
    _separator: str
    _line: int  # of the header
    _widest: int  # cells of a line, empty lines too

    def named(self, names: list[str | int | None]) -> Cells:
        """The same table with other names for its columns."""
        return replace(self, names=names)

    def read(
        self, parse: Mapping[str, Parse] | None = None, advance: Advance = lambda count: None
    ) -> pd.DataFrame:
        """The cells as stripped text, by column and line of the file; without empty lines.

        All columns are categories, in alphabetical order.

        Args:
            parse: of some columns. What it makes of ``frame`` is in ``frame_...``; the text is missing
                where that is known.
        """
        columns = [
            (number, _Column(name, (parse or {}).get(str(name))))
            for number, name in enumerate(self.names)
            if name is not None
        ]
        lines = []
        text = _open(self._content, self._encoding)
        # The csv module has found the same lines and cells; this is ten times as fast.
        reader = pd.read_csv(
            text,
            sep=self._separator,
            header=None,
            names=range(self._widest),
            index_col=False,
            dtype=object,
            na_filter=False,
            skip_blank_lines=False,
            chunksize=_AT_ONCE,
        )
        done = 0
        for part in reader:
            line = part.index.to_numpy(np.int32) + 1
            cells = [_Texts.of(part[number].to_numpy()) for number in range(len(self.names))]
            filled = np.logical_or.reduce([cell.filled for cell in cells])
            kept = np.flatnonzero(filled & (line > self._line))
            lines.append(line[kept])
            for number, column in columns:
                column.add(cells[number].texts, cells[number].codes[kept])
            advance(_done(text) - done)
            done = _done(text)
        index = pd.Index(np.concatenate(lines))
        parts = [column.whole(index) for _, column in columns]
        return pd.concat(parts, axis=1)


@dataclass(frozen=True)
class _Texts:
    """Cells of a column, stripped: which of `texts` each is."""

    texts: list[str]
    codes: np.ndarray

    @classmethod
    def of(cls, cells: np.ndarray) -> _Texts:
        codes, texts = pd.factorize(cells)
        return cls([text.strip() for text in texts], codes)

    @property
    def filled(self) -> np.ndarray:
        return np.array([text != "" for text in self.texts])[self.codes]


class _Column:
    """A column that is gathered; `name` is that of the column, or its number."""

    def __init__(self, name: str | int, parse: Parse | None) -> None:
        self.name, self._parse = name, parse
        self._texts, self._made = Gathered(), list[pd.DataFrame]()

    def add(self, texts: list[str], codes: np.ndarray) -> None:
        if self._parse is not None:
            made = self._parse(pd.Series(texts, dtype=str))
            needed = np.flatnonzero(~made.pop("known").to_numpy())
            self._made.append(made.take(codes))
            place = np.full(len(texts), -1)
            place[needed] = np.arange(len(needed))
            texts, codes = [texts[number] for number in needed], place[codes]
        self._texts.add(texts, codes)

    def whole(self, index: pd.Index) -> pd.DataFrame:
        table = pd.DataFrame({self.name: self._texts.whole()}, index=index)
        if self._made:
            made = pd.concat(self._made, ignore_index=True).set_index(index)
            table = table.join(made.add_prefix(f"{self.name}_"))
        return table


def read_content(path: File, key: str) -> bytes:
    """The content of a file.

    Raises:
        DataError: it can't be read, or is a spreadsheet other than .xlsx.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError([f"{key}: can't read '{path}': {error.strerror}"]) from error
    if path.suffix.lower() in (".xls", ".ods"):
        raise DataError([f"{path}: is a spreadsheet; save it as .xlsx or CSV and give that"])
    return content


@contextmanager
def reading(size: int, on_read: OnRead | None) -> Iterator[Advance]:
    """Tell of a file of `size` bytes that is read, if that takes a while."""
    if on_read is None or size < _LONG:
        yield lambda count: None
        return
    with on_read(size // CHUNK) as tell:
        done = 0

        def advance(count: int) -> None:
            nonlocal done
            tell((done + count) // CHUNK - done // CHUNK)
            done += count

        yield advance


def look_through(
    path: File,
    content: bytes,
    *,
    header_alone: bool = False,
    advance: Advance = lambda count: None,
) -> Cells:
    """Find out whether a file is a table, and of what columns.

    Args:
        header_alone: don't look further than that.

    Raises:
        DataError: it is none.
    """
    if content[:2] in _UTF_16:
        return _looked_through(path, content, ("utf-16", "replace"), header_alone, advance)
    try:
        return _looked_through(path, content, ("utf-8-sig", "strict"), header_alone, advance)
    except UnicodeDecodeError:
        encoding, note = _of_a_machine(path, content)
    cells = _looked_through(path, content, (encoding, "replace"), header_alone, advance)
    return replace(cells, notes=note)


def _of_a_machine(path: File, content: bytes) -> tuple[str, list[str]]:
    """The encoding of what is no Unicode: that of Windows, or of a Mac; and what to say of it.

    Both give each byte a character. Lines that end as on a Mac of old tell them apart.
    """
    if b"\r" in content and b"\n" not in content:
        return "mac_roman", [
            f"{path}: it is no UTF-8, and read as what older Excels write on a Mac"
        ]
    strange = sum(content.count(byte) for byte in _NOT_IN_CP1252)
    if not strange:
        return "cp1252", []
    note = (
        f"{path}: {strange:,} characters in it are neither UTF-8 nor Windows' and read as '\ufffd'; "
        "save it as CSV UTF-8 if names have such characters"
    )
    return "cp1252", [note]


def _looked_through(
    path: File, content: bytes, encoding: tuple[str, str], header_alone: bool, advance: Advance
) -> Cells:
    parts = (part for line in _open(content, encoding) for part in line.splitlines())
    start = next((part for part in parts if part.strip(f'{_SEPARATORS}" ')), "")
    told = _TOLD.fullmatch(start.strip())
    bare = re.sub('"[^"]*"', "", start)  # a name in quotes may hold a separator
    separator = told[1] if told else max(_SEPARATORS, key=bare.count)
    text = _open(content, encoding)
    reader = csv.reader(text, delimiter=separator, strict=True)
    header, first, width, widest, done = 0, list[str](), 0, 0, 0
    try:
        for number, cells in enumerate(reader, 1):
            if len(cells) > MOST_CELLS:
                raise DataError(
                    [
                        f"{path}, row {number}: not a table of labels: the row has {len(cells):,} "
                        f"cells, at most {MOST_CELLS:,} are read; delete columns that nobody needs"
                    ]
                )
            if len(cells) > width:
                widest = max(widest, len(cells))
                if not any(map(str.strip, cells)):
                    continue
                if told:
                    told = None
                    continue
                width = len(cells)
                if not header:
                    header, first = number, cells
                    if header_alone:
                        break
            if not number % _CHECKED:
                advance(_done(text) - done)
                done = _done(text)
    except csv.Error as error:
        where = f"{path}, line {reader.line_num}"
        raise DataError([f"{where}: not a table: {error}"]) from error
    if not header:
        raise DataError([f"{path}: not a table: it is empty"])
    filled = [name.strip() for name in [*first, *[""] * (width - len(first))]]
    names: list[str | int | None] = [
        name.lower() or number for number, name in enumerate(filled, 1)
    ]
    return Cells(path, filled, names, [], content, encoding, separator, header, widest)


def _open(content: bytes, encoding: tuple[str, str]) -> io.TextIOWrapper:
    name, errors = encoding
    return io.TextIOWrapper(io.BytesIO(content), name, errors, newline="")


def _done(text: io.TextIOWrapper) -> int:
    """Bytes that were read of what `_open` has given."""
    return text.buffer.tell()  # type: ignore[attr-defined]
