"""Excel workbooks (``.xlsx``): the values of one sheet, as the table that it would be when saved as
CSV.

Read with openpyxl. Dates are written as ``2024-05-31``, times of day and durations as
``HH:MM:SS.fff``, formulas as the value that Excel last computed. Rows keep their numbers.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from datetime import date, datetime, time, timedelta
from typing import Any

from data.cells.text import MOST_CELLS
from data.errors import some
from data.files.path import File
from data.formats.content import Archive, refuse

PROGRAM = "Excel"
PART = "xl/workbook.xml"
_MOST = 10_000_000  # cells
_ROWS = 1_048_576  # of a sheet in Excel


def as_table(
    path: File, archive: Archive, content: bytes, known: Callable[[list[str]], bool]
) -> tuple[bytes, list[str]]:
    """The sheet with the labels as CSV, and which one it is.

    Args:
        known: whether a header is one of a label file; the first sheet with such a one is taken, or
            the one with most columns: others mostly are notes on it.

    Raises:
        DataError: it can't be read, or has no table.
    """
    from openpyxl import load_workbook  # a tenth of a second, which others need not wait

    for part in archive.names:
        if part.endswith((".xml", ".rels")) and _declares(archive.read(part)):
            refuse(path, f"'{part}' in it has a document type (DTD), which Excel doesn't write")
    try:
        book = load_workbook(io.BytesIO(content), read_only=True, data_only=True, keep_links=False)
        sheets = [(sheet.title, sheet) for sheet in book.worksheets]
        widest, most = None, 1
        for title, sheet in sheets:
            sheet.reset_dimensions()  # what it says of its own size may be wrong
            header = next((cells for _, cells in _rows(path, title, sheet) if any(cells)), [])
            if known(header):
                return _written(path, title, sheet), _said(path, title, sheets)
            if (width := sum(map(bool, header))) > most:
                widest, most = (title, sheet), width
        table = b"" if widest is None else _written(path, *widest)
    except (
        KeyError,
        ValueError,
        TypeError,
        AttributeError,
        IndexError,
        OverflowError,
        SyntaxError,
    ) as error:
        # What openpyxl stumbles over; ParseError is a SyntaxError.
        refuse(path, f"is damaged, or no Excel workbook: {type(error).__name__} {error}")
    if widest is None:
        refuse(path, f"has no table in its {len(sheets)} sheets")
    return table, _said(path, widest[0], sheets)


def _declares(content: bytes) -> bool:
    """Whether XML may define entities, or is of an encoding in which that can't be seen."""
    return b"<!DOCTYPE" in content or b"<!ENTITY" in content or b"\0" in content[:200]


def _said(path: File, title: str, sheets: list[tuple[str, Any]]) -> list[str]:
    others = [other for other, _ in sheets if other != title]
    return [f"{path}: sheet '{title}' is read" + (f", not {some(others)}" if others else "")]


def _rows(path: File, title: str, sheet: Any) -> Iterator[tuple[int, list[str]]]:
    count = 0
    for number, row in enumerate(sheet.iter_rows(values_only=True), 1):
        if len(row) > MOST_CELLS:
            refuse(
                path,
                f"sheet '{title}', row {number} has {len(row):,} cells; at most {MOST_CELLS:,} are read",
            )
        count += len(row) + 1
        if count > _MOST or number > _ROWS:
            refuse(
                path, f"sheet '{title}' has more than {_MOST:,} cells; save it as CSV and give that"
            )
        yield number, [_text(value) for value in row]


def _written(path: File, title: str, sheet: Any) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for _, cells in _rows(path, title, sheet):
        writer.writerow(cells)
    return text.getvalue().encode("utf-8", "replace")


def _text(value: object) -> str:
    """A cell's value as text, on one line."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        if value.time() == time():
            return value.date().isoformat()
        return value.isoformat(" ", "seconds" if not value.microsecond else "milliseconds")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, time):
        value = timedelta(
            hours=value.hour,
            minutes=value.minute,
            seconds=value.second,
            microseconds=value.microsecond,
        )
    if isinstance(value, timedelta):
        # Excel counts in days: a millisecond is as exact as it is.
        thousandths = round(value.total_seconds() * 1000)
        minutes, rest = divmod(thousandths, 60_000)
        fraction = f".{rest % 1000:03}" if rest % 1000 else ""
        return f"{minutes // 60:02}:{minutes % 60:02}:{rest // 1000:02}{fraction}"
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    return " ".join(line.strip() for line in str(value).splitlines()).strip()
