"""The cells of a CSV file as people and their spreadsheets write it, by column and line."""

from __future__ import annotations

import csv
import io

import pandas as pd

from data.errors import DataError
from data.files.path import File


def read_cells(path: File, key: str) -> pd.DataFrame:
    """The cells as stripped text, by column and line of the file; without empty lines.

    Columns have the names of the header in lower case; one without a name has its number, from 1.

    Args:
        key: of the YAML, which names the file.

    Raises:
        DataError: it can't be read, or is no table.
    """
    text = _read_text(path, key)
    start = next((line for line in text.splitlines() if line.strip(',;"\t ')), "")
    separator = max(",;\t", key=start.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        lines = [(number, list(map(str.strip, cells))) for number, cells in enumerate(reader, 1)]
    except csv.Error as error:
        where = f"{path}, line {reader.line_num}"
        raise DataError([f"{where}: not a table: {error}"]) from error
    lines = [(number, cells) for number, cells in lines if any(cells)]
    if not lines:
        raise DataError([f"{path}: not a table: it is empty"])
    width = max(len(cells) for _, cells in lines)
    (_, header), *rows = [(number, cells + [""] * (width - len(cells))) for number, cells in lines]
    columns = zip(*(cells for _, cells in rows), strict=True) if rows else [()] * width
    table = pd.DataFrame(dict(enumerate(columns, 1)), [number for number, _ in rows], dtype=str)
    table.columns = pd.Index([name.lower() or number for number, name in enumerate(header, 1)])
    return table


def _read_text(path: File, key: str) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError([f"{key}: can't read '{path}': {error.strerror}"]) from error
    if path.suffix.lower() in (".xlsx", ".xls", ".ods"):
        raise DataError([f"{path}: is a spreadsheet; save it as CSV and give that"])
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")  # what older Excels write
