"""A plain reading of label files: the csv module and a few rules, for files without anything odd."""

from __future__ import annotations

import csv
import re


def plain_rows(content: bytes, columns: list[str]) -> list[dict[str, str]] | None:
    """The rows of a plain file with a header of `columns` in any order; None if it is not plain.

    Plain is ASCII with commas, as many cells in each row as in the header, none of them empty, quoted,
    or with blanks at its ends.
    """
    try:
        text = content.decode("ascii")
    except UnicodeDecodeError:
        return None
    if re.search(r"[^\x20-\x7e\n]|[\"';]|(^|,) | (,|$)|^,|,,|,$", text, re.MULTILINE):
        return None
    header, *rows = csv.reader(text.splitlines()) if text else [[]]
    rows = [row for row in rows if row]
    if sorted(header) != sorted(columns) or not rows:
        return None
    if any(len(row) != len(header) for row in rows):
        return None
    return [dict(zip(header, row, strict=True)) for row in rows]


def plain_seconds(text: str) -> float | None:
    """Seconds of a plain time; None if it is not plain."""
    if re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,6})?", text):
        return float(text)
    if re.fullmatch(r"[0-9]{1,3}:[0-5][0-9]:[0-5][0-9](\.[0-9]{1,6})?", text):
        hours, minutes, seconds = text.split(":")
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    return None
