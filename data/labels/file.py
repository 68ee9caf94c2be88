"""The rows of a label file: a frame, a time range, or a video a row, read and checked.

A list of splits, a video a row, is read in the same way.

What is wrong with rows is collected, not raised, so that a person gets all of it at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import chain

import numpy as np
import pandas as pd

from data.errors import DataError, nearest, some
from data.files.path import File
from data.labels.cells import read_cells
from data.labels.splits import SPLITS

FORMS = {
    "frame": ["video", "frame", "label"],
    "range": ["video", "time_start", "time_end", "label"],
    "video": ["video", "label"],
}
OPTIONAL = ("split", "site", "date")


@dataclass
class LabelFile:
    """The rows of a label file, parsed as far as is possible without the videos.

    Attributes:
        form: ``frame``, ``range`` or ``video``; ``split`` of a list of splits.
        rows: columns of the form as numbers and text, and ``row``, the line in the file.
        groupings: columns that say what videos belong together, such as ``site``; text.
        videos: every video that the file names, also in rows that are left out for their mistakes.
    """

    path: File
    form: str
    rows: pd.DataFrame
    groupings: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    videos: list[str] = field(init=False)

    def __post_init__(self) -> None:
        self.videos = sorted(set(self.rows["video"]) - {""})

    def report(self, wrong: pd.Series, problem: str) -> None:
        """Add a problem of the rows that are `wrong`."""
        self.problems.append(f"{self.path}, {numbered(self.rows.loc[wrong, 'row'])}: {problem}")

    def drop(self, wrong: pd.Series) -> None:
        """Leave rows out."""
        self.rows = self.rows[~wrong].reset_index(drop=True)


def numbered(rows: pd.Series) -> str:
    """``row 3`` or ``rows 3, 5``."""
    return f"row{'s' if len(rows) > 1 else ''} {some(rows)}"


def read_labels(path: File, extra: Iterable[str] = ()) -> LabelFile:
    """Read a label file of any form; what is wrong with its rows goes to `problems`.

    Args:
        extra: columns that it may have besides those of its form and `OPTIONAL`.

    Raises:
        DataError: it can't be read, or its columns aren't those of any form.
    """
    table = read_cells(path, "data.labels")
    columns = _names(table)
    form = _form_of(columns, path, extra)
    file = LabelFile(path, form, _rows(path, table))
    file.groupings = [name for name in columns if name not in {*FORMS[form], "split"}]
    _check_cells(file, table)
    if form == "frame":
        _parse_frames(file)
    elif form == "range":
        _parse_ranges(file)
    return file


def read_splits(path: File) -> LabelFile:
    """Read a list of videos and their splits; columns besides these two play no part.

    Raises:
        DataError: it can't be read, or lacks a column.
    """
    table = read_cells(path, "data.splits.file")
    columns = _names(table)
    problems = [
        f"{path}: it has no column '{column}'{nearest(column, columns)}; a list of splits has the "
        "columns video and split"
        for column in ("video", "split")
        if columns.count(column) != 1
    ]
    if problems:
        raise DataError(problems)
    file = LabelFile(path, "split", _rows(path, table)[["video", "split", "row"]])
    _check_cells(file, table)
    return file


def _names(table: pd.DataFrame) -> list[str]:
    return [name for name in table.columns if isinstance(name, str)]


def _rows(path: File, table: pd.DataFrame) -> pd.DataFrame:
    if table.empty:
        raise DataError([f"{path}: it has a header but no rows"])
    named = [isinstance(name, str) for name in table.columns]
    return table.loc[:, named].assign(row=table.index).reset_index(drop=True)


def _check_cells(file: LabelFile, table: pd.DataFrame) -> None:
    named = np.array([isinstance(name, str) for name in table.columns])
    _check_nameless(file, table.loc[:, ~named].reset_index(drop=True))
    _check_filled(file)
    if "split" in file.rows:
        _check_splits(file)


def label_form(path: File, extra: Iterable[str] = ()) -> str:
    """What a row of a label file is: ``frame``, ``range`` or ``video``.

    Args:
        extra: as of `read_labels`.

    Raises:
        DataError: it can't be read, or its columns aren't those of any form.
    """
    return _form_of(_names(read_cells(path, "data.labels")), path, extra)


def _form_of(columns: list[str], path: File, extra: Iterable[str]) -> str:
    more = {*OPTIONAL, *(name.lower() for name in extra)}
    known = {*chain(*FORMS.values()), *more}
    forms = "; ".join(", ".join(columns) for columns in FORMS.values())
    optional = f"and maybe {', '.join(OPTIONAL)}"
    problems = [
        f"{path}: unknown column '{column}'{nearest(column, known)}; a label file has the columns "
        f"{forms}, {optional}"
        for column in columns
        if column not in known
    ]
    problems += [
        f"{path}: column '{c}' is there twice" for c in set(columns) if columns.count(c) > 1
    ]
    if problems:
        raise DataError(problems)
    for form, needed in FORMS.items():
        if set(columns) - (more - set(needed)) == set(needed):
            return form
    raise DataError(
        [
            f"{path}: columns {', '.join(columns)} match no form of labels; it needs {forms}, "
            f"{optional}"
        ]
    )


def _check_nameless(file: LabelFile, cells: pd.DataFrame) -> None:
    wrong = (cells != "").any(axis=1)
    if wrong.any():
        first = next(cell for cell in cells[wrong].iloc[0] if cell)
        file.report(
            wrong,
            f"more cells than the header has names ('{first}'); put quotes around a cell that holds "
            "a separator, or delete the extra cells",
        )
        file.drop(wrong)


def _check_filled(file: LabelFile) -> None:
    empty = file.rows.drop(columns="row") == ""
    for column in empty.columns[empty.any()]:
        instead = " (a frame without a row is unlabelled)"
        if file.form == "split":
            instead = ""
        elif column == "split" or column in file.groupings:
            instead = " or the column"
        file.report(
            empty[column],
            f"{int(empty[column].sum())} with no '{column}'; fill it in, or delete the row{instead}",
        )
    file.drop(empty.any(axis=1))


def _check_splits(file: LabelFile) -> None:
    names = file.rows["split"].str.lower().replace({"val": "valid", "validation": "valid"})
    file.rows["split"] = names
    for wrong in sorted(set(names) - set(SPLITS)):
        file.report(
            names == wrong,
            f"split '{wrong}' is not one of {', '.join(SPLITS)}{nearest(wrong, SPLITS)}",
        )
    known = file.rows[names.isin(SPLITS)]
    for video, rows in known.groupby("video"):
        if rows["split"].nunique() > 1:
            first = rows.drop_duplicates("split")
            file.problems.append(
                f"{file.path}, {numbered(first['row'])}: video '{video}' is in {len(first)} splits "
                f"({', '.join(sorted(first['split']))}); put each video in one, or the test is on "
                "frames that were trained on"
            )


def _parse_frames(file: LabelFile) -> None:
    """Frame numbers from 0, from numbers or from image names such as ``seal-00001.jpg``.

    Image names are numbered from 1, as ffmpeg and the usual extraction tools write them, unless the
    file has a name with number 0. A number that can't be a frame (-1, 1.5, 1e3) is not read as a name.
    """
    text = file.rows["frame"]
    number = text.str.fullmatch(r"[0-9]+(\.0*)?")
    any_number = pd.to_numeric(text.str.replace(",", "."), errors="coerce").notna()
    name = ~number & ~any_number & text.str.contains("[0-9]")
    digits = text.where(~name, text.str.replace(r"\.[A-Za-z]\w*$", "", regex=True))
    frames = pd.to_numeric(digits.str.extract(r"([0-9]+)(?:\.0*)?[^0-9]*$")[0], errors="coerce")
    frames = frames.astype(np.float64).where(number | name)
    if name.any() and not (frames[name] == 0).any():
        frames[name] -= 1
    wrong = ~(frames < 2**53)  # also true for a row without a number
    if wrong.any():
        file.report(
            wrong,
            f"'{text[wrong].iloc[0]}' is not a frame: give its number (from 0) or its image's name "
            "(such as video_1_00001.jpg)",
        )
    file.rows["frame"] = frames.where(~wrong, 0).astype(np.int64)
    file.drop(wrong)


_LONGEST = 10.0**9  # seconds, 30 years: microseconds of longer ones are lost
_CLOCK = re.compile(r"(?:(\d+):)?(\d{1,2}):(\d{1,2}(?:[.,]\d*)?)")


def parse_time(text: str) -> float:
    """Seconds of ``HH:MM:SS[.fff]``, ``MM:SS[.fff]`` or plain seconds.

    Raises:
        ValueError: it is none of these; the message says what is wrong with it.
    """
    text = text.strip()
    if re.fullmatch(r"\d+([.,]\d*)?|[.,]\d+", text):
        total = float(text.replace(",", "."))
    elif clock := _CLOCK.fullmatch(text):
        # Whole numbers of any length would be right, too, but Python converts only short ones.
        hours, minutes, seconds = (float(part.replace(",", ".")) for part in clock.groups("0"))
        if minutes > 59:
            raise ValueError(f"has {minutes:g} minutes; they go from 0 to 59")
        if seconds >= 60:
            raise ValueError(f"has {seconds:g} seconds; they go from 0 to 59.999")
        total = hours * 3600 + minutes * 60 + seconds
    else:
        raise ValueError("is not a time; write HH:MM:SS, HH:MM:SS.fff or seconds")
    if total > _LONGEST:
        raise ValueError("is longer than any video; write HH:MM:SS, HH:MM:SS.fff or seconds")
    return total


def _parse_ranges(file: LabelFile) -> None:
    """``time_start`` and ``time_end`` to seconds, without overlaps within a video."""
    good = np.ones(len(file.rows), bool)
    for column in ("time_start", "time_end"):
        seconds = np.full(len(file.rows), np.nan)
        for index, (text, row) in enumerate(zip(file.rows[column], file.rows["row"], strict=True)):
            try:
                seconds[index] = parse_time(text)
            except ValueError as error:
                file.problems.append(f"{file.path}, row {row}: {column} '{text}' {error}")
                good[index] = False
        file.rows[f"{column}_text"] = file.rows[column]
        file.rows[column] = seconds
    file.rows = file.rows[good].reset_index(drop=True)
    backward = file.rows["time_end"] <= file.rows["time_start"]
    for row in file.rows[backward].itertuples():
        file.problems.append(
            f"{file.path}, row {row.row}: ends at {row.time_end_text}, not after its start at "
            f"{row.time_start_text}"
        )
    file.rows = file.rows[~backward].sort_values(["video", "time_start"]).reset_index(drop=True)
    for video, ranges in file.rows.groupby("video"):
        last = None
        for row in ranges.itertuples():
            if last is not None and row.time_start < last.time_end - 1e-9:
                file.problems.append(
                    f"{file.path}, rows {last.row} and {row.row}: ranges of video '{video}' overlap "
                    f"({last.time_start_text} to {last.time_end_text} '{last.label}', "
                    f"{row.time_start_text} to {row.time_end_text} '{row.label}')"
                )
            if last is None or row.time_end > last.time_end:
                last = row
