"""The rows of a label file: a frame, a time range, or a video a row, read and checked.

A list of splits, a video a row, is read in the same way.

What is wrong with rows is collected, not raised, so that a person gets all of it at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import chain

import numpy as np
import pandas as pd

from data.cells.columns import mapped
from data.cells.numbers import frame_numbers, frames_from_0, seconds_of
from data.cells.text import (
    OnRead,
    header_of,
    look_through,
    read_cells,
    read_content,
    reading,
)
from data.errors import DataError, nearest, some
from data.files.path import File
from data.labels.splits import SPLITS

FORMS = {
    "frame": ["video", "frame", "label"],
    "range": ["video", "time_start", "time_end", "label"],
    "video": ["video", "label"],
}
OPTIONAL = ("split", "site", "date")
_KEY = "data.labels"  # of the YAML


@dataclass
class LabelFile:
    """The rows of a label file, parsed as far as is possible without the videos.

    Attributes:
        form: ``frame``, ``range`` or ``video``; ``split`` of a list of splits.
        rows: columns of the form as numbers and text, and ``row``, the line in the file. Text is
            categories, in alphabetical order.
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
        self.videos = sorted(set(self.rows["video"].unique()) - {""})

    def report(self, wrong: pd.Series, problem: str) -> None:
        """Add a problem of the rows that are `wrong`."""
        self.problems.append(f"{self.path}, {numbered(self.rows.loc[wrong, 'row'])}: {problem}")

    def drop(self, wrong: pd.Series) -> None:
        """Leave rows out."""
        if wrong.any():
            self.rows = self.rows[~wrong].reset_index(drop=True)


def numbered(rows: pd.Series) -> str:
    """``row 3`` or ``rows 3, 5``."""
    return f"row{'s' if len(rows) > 1 else ''} {some(rows)}"


def read_labels(path: File, extra: Iterable[str] = (), on_read: OnRead | None = None) -> LabelFile:
    """Read a label file of any form; what is wrong with its rows goes to `problems`.

    Args:
        extra: columns that it may have besides those of its form and `OPTIONAL`.
        on_read: as of `reading`.

    Raises:
        DataError: it can't be read, or its columns aren't those of any form.
    """
    content = read_content(path, _KEY)
    with reading(2 * len(content), on_read) as advance:  # looked through, and read
        cells = look_through(path, content, advance=advance)
        columns = _texts(cells.names)
        form = _form_of(columns, path, extra)
        parse = {"frame": frame_numbers} if form == "frame" else {}
        table = cells.read(parse, advance)
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
    columns = _texts(table.columns)
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


def _texts(names: Iterable[object]) -> list[str]:
    return [name for name in names if isinstance(name, str)]


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
    return _form_of(_texts(header_of(path, _KEY)), path, extra)


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
    names = [name for name in file.rows if isinstance(file.rows[name].dtype, pd.CategoricalDtype)]
    empty = file.rows[names] == ""
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
    names = file.rows["split"] = mapped(file.rows["split"], _split)
    for wrong in sorted(set(names.unique()) - set(SPLITS)):
        file.report(
            names == wrong,
            f"split '{wrong}' is not one of {', '.join(SPLITS)}{nearest(wrong, SPLITS)}",
        )
    known = file.rows[names.isin(SPLITS)].drop_duplicates(["video", "split"])
    counts = known.groupby("video").size()
    for video in counts.index[counts > 1]:
        first = known[known["video"] == video]
        file.problems.append(
            f"{file.path}, {numbered(first['row'])}: video '{video}' is in {len(first)} splits "
            f"({', '.join(sorted(first['split']))}); put each video in one, or the test is on "
            "frames that were trained on"
        )


def _split(name: str) -> str:
    name = name.lower()
    return {"val": "valid", "validation": "valid"}.get(name, name)


def _parse_frames(file: LabelFile) -> None:
    rows, text = file.rows, file.rows["frame"]
    frames = frames_from_0(rows.pop("frame_number"), rows.pop("frame_name"))
    wrong = frames.isna()
    if wrong.any():
        file.report(
            wrong,
            f"'{text[wrong].iloc[0]}' is not a frame: give its number (from 0) or its image's name "
            "(such as video_1_00001.jpg)",
        )
    rows["frame"] = frames.fillna(0).astype(np.int64)
    file.drop(wrong)


def _parse_ranges(file: LabelFile) -> None:
    """``time_start`` and ``time_end`` to seconds, each video's in their order."""
    good = np.ones(len(file.rows), bool)
    for column in ("time_start", "time_end"):
        text = file.rows[column]
        seconds, wrong = seconds_of(text)
        bad = seconds.isna()
        for cell, row in zip(text[bad], file.rows.loc[bad, "row"], strict=True):
            file.problems.append(f"{file.path}, row {row}: {column} '{cell}' {wrong[cell]}")
        good &= ~bad.to_numpy()
        file.rows[f"{column}_text"] = text
        file.rows[column] = seconds
    file.drop(pd.Series(~good))
    backward = file.rows["time_end"] <= file.rows["time_start"]
    for row in file.rows[backward].itertuples():
        file.problems.append(
            f"{file.path}, row {row.row}: ends at {row.time_end_text}, not after its start at "
            f"{row.time_start_text}"
        )
    file.drop(backward)
    file.rows = file.rows.sort_values(["video", "time_start"], ignore_index=True)
