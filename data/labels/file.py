"""The rows of a label file: a frame, a time range, or a video a row, read and checked.

A list of splits, a video a row, is read in the same way.

What is wrong with rows is collected, not raised, so that a person gets all of it at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from data.cells.columns import mapped
from data.cells.numbers import frame_numbers, frames_from_0, seconds_of
from data.cells.text import OnRead, look_through, reading
from data.errors import DataError, alike, nearest, numbered
from data.files.path import File
from data.formats.table import opened
from data.formats.taken import END, Taken
from data.labels.columns import Given, columns_of
from data.labels.spelling import one_spelling
from data.labels.splits import SPLITS

_KEY = "data.labels"  # of the YAML


@dataclass
class LabelFile:
    """The rows of a label file, parsed as far as is possible without the videos.

    Attributes:
        form: ``frame``, ``range`` or ``video``; ``split`` of a list of splits.
        rows: columns of the form as numbers and text, and ``row``, the line in the file. Text is
            categories, in alphabetical order.
        groupings: columns that say what videos belong together, such as ``site``; text.
        called: our names of columns to the file's, where these differ.
        notes: what a person should know of how the file was read, a line each.
        cut, spare: as of `Taken`.
        names_from: the number of the first frame in the names of images: 0 or 1. Which frames are named
            so is in the column ``image`` of `rows`.
        videos: every video that the file names, also in rows that are left out for their mistakes.
    """

    path: File
    form: str
    rows: pd.DataFrame
    groupings: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    called: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    cut: bool = False
    spare: frozenset[str] = frozenset()
    names_from: int = 0
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


def read_labels(
    path: File,
    extra: Iterable[str] = (),
    on_read: OnRead | None = None,
    columns: Given | None = None,
) -> LabelFile:
    """Read a label file of any form; what is wrong with its rows goes to `problems`.

    Args:
        extra: what videos are grouped by: columns besides those of its form and `OPTIONAL`.
        on_read: as of `reading`.
        columns: our names of columns to the file's; as of `columns_of`.

    Raises:
        DataError: it can't be read, or its columns aren't those of any form.
    """
    grouped_by = [name.lower() for name in extra]
    file_of = opened(path, _KEY, columns)
    taken, content = file_of.taken, file_of.content
    with reading(2 * len(content), on_read) as advance:  # looked through, and read
        cells = taken or look_through(path, content, advance=advance)
        found = columns_of(path, cells.header, columns, grouped_by)
        parse = {"frame": frame_numbers} if found.form == "frame" else {}
        table = cells.named(found.names).read(parse, advance)
    rows = _rows(path, table, taken)
    file = LabelFile(path, found.form, rows, found.groupings, file_of.problems, found.called)
    if taken is not None:
        file.cut, file.spare = taken.cut, taken.spare
    file.notes = [*file_of.notes, *cells.notes, *found.notes]
    _check_nameless(file, table)
    # What videos are not grouped by may be empty.
    spare = set(file.groupings) - {*grouped_by, *(() if grouped_by else ("site",))}
    _check_filled(file, spare)
    for name in ("label", *file.groupings):
        file.rows[name], said = one_spelling(file.rows[name])
        if said:
            what = "classes" if name == "label" else f"values of '{file.called.get(name, name)}'"
            file.notes.append(f"{path}: {what} that differ in case or blanks alone are one: {said}")
    if "split" in file.rows:
        _check_splits(file)
    if file.form == "frame":
        _parse_frames(file)
    elif file.form == "range":
        _parse_ranges(file)
    return file


def read_splits(path: File) -> LabelFile:
    """Read a list of videos and their splits; columns besides these two play no part.

    Raises:
        DataError: it can't be read, or lacks a column.
    """
    file_of = opened(path, "data.splits.file")
    table = (file_of.taken or look_through(path, file_of.content)).read()
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
    _check_nameless(file, table)
    _check_filled(file)
    _check_splits(file)
    return file


def _texts(names: Iterable[object]) -> list[str]:
    return [name for name in names if isinstance(name, str)]


def _rows(path: File, table: pd.DataFrame, taken: Taken | None = None) -> pd.DataFrame:
    if table.empty:
        why = [*taken.problems, *taken.notes] if taken else [f"{path}: it has a header but no rows"]
        raise DataError(why)
    named = [isinstance(name, str) for name in table.columns]
    return table.loc[:, named].assign(row=table.index).reset_index(drop=True)


def label_form(path: File, extra: Iterable[str] = (), columns: Given | None = None) -> str:
    """What a row of a label file is: ``frame``, ``range`` or ``video``.

    Args:
        extra, columns: as of `read_labels`.

    Raises:
        DataError: it can't be read, or its columns aren't those of any form.
    """
    file_of = opened(path, _KEY, columns)
    cells = file_of.taken or look_through(path, file_of.content, header_alone=True)
    return columns_of(path, cells.header, columns, extra).form


def _check_nameless(file: LabelFile, table: pd.DataFrame) -> None:
    """Leave out rows with cells in columns that have no name."""
    named = np.array([isinstance(name, str) for name in table.columns])
    cells = table.loc[:, ~named].reset_index(drop=True)
    wrong = (cells != "").any(axis=1)
    if wrong.any():
        first = next(cell for cell in cells[wrong].iloc[0] if cell)
        file.report(
            wrong,
            f"more cells than the header has names ('{first}'); put quotes around a cell that holds "
            "a separator, or delete the extra cells",
        )
        file.drop(wrong)


def _check_filled(file: LabelFile, spare: Iterable[str] = ()) -> None:
    """Leave out rows with empty cells.

    Args:
        spare: columns that may have empty cells.
    """
    names = [name for name in file.rows if isinstance(file.rows[name].dtype, pd.CategoricalDtype)]
    empty = file.rows[[name for name in names if name not in set(spare)]] == ""
    for column in empty.columns[empty.any()]:
        instead = " (a frame without a row is unlabelled)"
        if file.form == "split":
            instead = ""
        elif column == "split" or column in file.groupings:
            instead = f" or the column (--set data.columns.{column}=null)"
        file.report(
            empty[column],
            f"{int(empty[column].sum())} with no '{file.called.get(column, column)}'; fill it in, or "
            f"delete the row{instead}",
        )
    file.drop(empty.any(axis=1))


def _check_splits(file: LabelFile) -> None:
    names = file.rows["split"] = mapped(file.rows["split"], _split)
    file.problems += alike(
        file.path,
        [
            (
                file.rows.loc[names == wrong, "row"],
                f"split '{wrong}' is not one of {', '.join(SPLITS)}{nearest(wrong, SPLITS)}",
            )
            for wrong in sorted(set(names.unique()) - set(SPLITS))
        ],
    )
    # A name that several sites have may mean several videos.
    whose = ["video", "site"] if "site" in file.rows else ["video"]
    known = file.rows[names.isin(SPLITS)].drop_duplicates([*whose, "split"])
    each = known.groupby(whose, observed=True)["split"].transform("size")
    several = known[each > 1]
    file.problems += alike(
        file.path,
        [
            (
                first["row"],
                f"video '{video}' is in {len(first)} splits ({', '.join(sorted(first['split']))}); put "
                "each video in one, or the test is on frames that were trained on",
            )
            for video, first in several.groupby("video", observed=True)
        ],
    )


def _split(name: str) -> str:
    name = name.lower()
    return {"val": "valid", "validation": "valid"}.get(name, name)


def _parse_frames(file: LabelFile) -> None:
    rows, text = file.rows, file.rows["frame"]
    number, rows["image"] = rows.pop("frame_number"), rows.pop("frame_name")
    frames = frames_from_0(number, rows["image"])
    file.names_from = int(rows["image"].any() and not (number[rows["image"]] == 0).any())
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
    """``time_start`` and ``time_end`` to seconds, each video's in their order; its end is infinite."""
    good = np.ones(len(file.rows), bool)
    for column in ("time_start", "time_end"):
        text = file.rows[column]
        seconds, wrong = seconds_of(text)
        if column == "time_end":
            seconds = seconds.mask(text.str.lower() == END, np.inf)
        bad = seconds.isna()
        rows = zip(text[bad], file.rows.loc[bad, "row"], strict=True)
        name = file.called.get(column, column)
        file.problems += alike(
            file.path, [([row], f"{name} '{cell}' {wrong[cell]}") for cell, row in rows]
        )
        good &= ~bad.to_numpy()
        file.rows[f"{column}_text"] = text
        file.rows[column] = seconds
    file.drop(pd.Series(~good))
    backward = file.rows["time_end"] < file.rows["time_start"]
    file.problems += alike(
        file.path,
        [
            (
                [row.row],
                f"ends at {row.time_end_text}, not after its start at {row.time_start_text}",
            )
            for row in file.rows[backward].itertuples()
        ],
    )
    file.drop(backward)
    if points := int((file.rows["time_end"] == file.rows["time_start"]).sum()):
        file.notes.append(
            f"{file.path}: {points:,} ranges end where they start; each labels the frame shown then"
        )
    file.rows = file.rows.sort_values(["video", "time_start", "time_end"], ignore_index=True)
