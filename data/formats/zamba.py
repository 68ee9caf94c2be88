"""Zamba: labels of videos (CSV, of zamba 2): ``filepath``, ``label``, maybe ``site`` and ``split``.

``split`` is ``train``, ``val`` or ``holdout``. A file with several rows has several classes. Classes
that it predicted are in columns ``filepath`` and ``0``.
Specified by https://zamba.drivendata.org/docs/stable/train-tutorial/ (labels file).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping

import pandas as pd

from data.errors import some
from data.files.path import File
from data.formats.content import refuse, rows_of
from data.formats.taken import VIDEO, Gathered, Made, Taken, seconds
from data.videos.info import VideoInfo

PROGRAM = "Zamba labels"
_SPLITS = {"val": "valid", "holdout": "test"}
_OPTIONAL = ("split", "site", "date")
_KNOWN = {"filepath", "label"}
_PREDICTED = ["filepath", "0"]  # as `zamba predict --output-class-names` names them
# What Zamba reads as an empty cell, as pandas does.
_EMPTY = {"NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "None", "<NA>", "#N/A", "#NA"}


def recognised(header: list[str]) -> bool:
    """Whether a header has its columns."""
    names = [name.lower() for name in header]
    return set(names) >= _KNOWN or names == _PREDICTED


def read(path: File, content: bytes) -> Taken:
    """The classes of videos.

    Raises:
        DataError: it is no such table.
    """
    rows = rows_of(path, content)
    names = [name.lower() for name in next(rows, (0, []))[1]]
    if predicted := names == _PREDICTED:
        names = ["filepath", "label"]
    if not set(names) >= _KNOWN:
        refuse(path, "has no columns filepath and label")
    found = [
        (number, dict(zip(names, [*cells, *[""] * len(names)], strict=False)))
        for number, cells in rows
    ]
    more = [name for name in _OPTIONAL if any(row.get(name) for _, row in found)]
    gathered = Gathered(PROGRAM, path, [*VIDEO, *more])
    gathered.note("classes are what Zamba predicted", predicted)
    for name in _OPTIONAL:
        gathered.note(f"column {name} is empty, and left out", name in names and name not in more)
    for number, row in found:
        split = row.get("split", "").lower()
        row["split"] = _SPLITS.get(split, split)
        for name in ("filepath", "label", *more):
            if not row[name]:
                gathered.wrong(number, f"has no {name}; fill it in, or delete the row")
                break
        else:
            gathered.add(number, row["filepath"], row["label"], *(row[name] for name in more))
    for label in sorted(_EMPTY):
        count = sum(row["label"] == label for _, row in found)
        gathered.note(
            f"{count:,} rows have the class '{label}', which Zamba leaves out as no label", count
        )
    others = {name: 1 for name in names if name not in {*_KNOWN, *_OPTIONAL} and name}
    if others:
        gathered.note(f"left out: columns {', '.join(sorted(others))}")
    return gathered.done("labels")


def write(rows: pd.DataFrame, infos: Mapping[str, VideoInfo]) -> Made:
    """A row a video and class.

    Args:
        rows: ``video, label`` and maybe ``split`` and ``site``.
        infos: of videos that are known, for their names with endings.
    """
    notes = [
        f"left out: {name}, for which Zamba has no column"
        for name in ("date", "subject")
        if name in rows
    ]
    classes = sorted(set(rows["label"].astype(str)))
    if all(seconds(label) is not None for label in classes):
        notes.append("Zamba reads no labels that are numbers alone: give the classes names")
    if empty := [label for label in classes if label in _EMPTY]:
        notes.append(f"Zamba leaves out labels {some(empty)}, which it reads as empty cells")
    back = {ours: theirs for theirs, ours in _SPLITS.items()}
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    more = [name for name in ("site", "split") if name in rows]
    writer.writerow(["filepath", "label", *more])
    endless = 0
    for row in rows.to_dict("records"):
        info = infos.get(row["video"])
        name = str(row["video"])
        if info and not name.endswith(info.path.suffix):
            name += info.path.suffix
        endless += info is None and "." not in name
        row["split"] = back.get(str(row.get("split")), row.get("split"))
        writer.writerow([name, row["label"], *(row[key] for key in more)])
    if endless:
        notes.append(
            f"{endless} names of videos have no ending, which Zamba needs; --videos adds them"
        )
    return Made({"": text.getvalue()}, notes)
