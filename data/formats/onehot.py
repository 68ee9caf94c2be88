"""DeepEthogram, and other tables with a column a class: CSV, a row a frame, 1 where the class is
shown.

DeepEthogram (0.1 and 0.2) writes ``VIDEO_labels.csv`` beside each video: frame numbers from 0 in a
first column without a name, ``background`` (1 where nothing else is), then the behaviours; 0, 1, and
-1 for frames that nobody has labelled. Labels that a project took in keep their file's name, beside
``record.yaml``. A table of several videos has the columns ``video`` and ``frame``, too. Specified by
https://github.com/jbohnslav/deepethogram (``docs/file_structure.md``).

A frame of several classes has a row for each. -1 and rows of zeros alone are no labels.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from data.files.path import File
from data.formats.content import refuse, rows_of
from data.formats.taken import FRAME, Gathered, Made, Taken, file_name, whole_number
from data.videos.info import EXTENSIONS, VideoInfo

PROGRAM = "DeepEthogram labels"
BACKGROUND = "background"
RECORD = "record.yaml"  # in a project's folder of a video, which has the video's name
_KEYS = ("video", "frame", "")
_VALUES = {"0": 0, "1": 1, "-1": -1, "0.0": 0, "1.0": 1, "-1.0": -1}


def recognised(header: list[str], second: list[str]) -> bool:
    """Whether the first two rows are such a table's: its class columns hold 0, 1 and -1 alone."""
    names = [name.lower() for name in header]
    if "label" in names:  # one of our own, whose classes are numbers
        return False
    numbered = names[:1] in ([""], ["frame"]) and BACKGROUND in names
    if not (numbered or names[:1] == [BACKGROUND] or {"video", "frame"} < set(names)):
        return False
    values = [cell for name, cell in zip(names, second, strict=False) if name not in _KEYS]
    return bool(values) and len(second) == len(header) and all(value in _VALUES for value in values)


def read(path: File, content: bytes) -> Taken:
    """A row a frame and class.

    Raises:
        DataError: it is no such table.
    """
    rows = rows_of(path, content)
    header = next(rows, (0, []))[1]
    names = [name.lower() for name in header]
    classes = [(place, header[place]) for place, name in enumerate(names) if name not in _KEYS]
    if not classes:
        refuse(path, "has no column of a class")
    gathered = Gathered(PROGRAM, path, FRAME)
    own = _video(path)
    unlabelled = empty = 0
    for count, (number, cells) in enumerate(rows):
        cells += [""] * (len(header) - len(cells))
        at = next(
            (cells[place] for place, name in enumerate(names) if name in ("frame", "")), str(count)
        )
        frame = whole_number(at)
        video = cells[names.index("video")] if "video" in names else own
        values = [_VALUES.get(cells[place]) for place, _ in classes]
        if None in values:
            odd = next(
                name for (_, name), value in zip(classes, values, strict=True) if value is None
            )
            gathered.wrong(number, f"column '{odd}' is not 0, 1 or -1")
        elif frame is None or not video:
            gathered.wrong(number, f"'{at}' is no frame number" if video else "has no video")
        elif 1 in values:
            for (_, name), value in zip(classes, values, strict=True):
                if value == 1:
                    gathered.add(number, video, str(frame), name)
        elif -1 in values:
            unlabelled += 1
        else:
            empty += 1
    gathered.note(f"{unlabelled:,} frames are -1: not labelled", unlabelled)
    gathered.note(f"{empty:,} frames have no class, not even {BACKGROUND}: not labelled", empty)
    return gathered.done("labels of frames")


def _video(path: File) -> str:
    """The video of a file: the one that DeepEthogram keeps beside it, whatever the file is called."""
    own = re.sub(r"_(labels|predictions)$", "", path.stem)
    if own == path.stem and isinstance(path, Path) and (path.parent / RECORD).is_file():
        return path.parent.name
    return own


def write(rows: pd.DataFrame, infos: Mapping[str, VideoInfo]) -> Made:
    """A file a video, as DeepEthogram has it.

    Args:
        rows: ``video, frame, label``; numbers of the video's own frames.
        infos: of videos that are known, for how many frames they have.
    """
    notes = []
    if left := [name for name in ("split", "subject", "site", "date") if name in rows]:
        notes.append(f"left out: {', '.join(left)}, for which DeepEthogram has no place")
    classes = [BACKGROUND, *sorted(set(rows["label"].astype(str)) - {BACKGROUND})]
    unknown = sorted(set(rows["video"].astype(str)) - set(infos))
    if unknown:
        notes.append(
            "frames after the last labelled one are left out; --videos says how many there are"
        )
    order = ", ".join(classes)
    notes.append(
        "DeepEthogram goes by the order of columns, not by their names: class_names in the project's "
        f"project_config.yaml must be [{order}]"
    )
    files: dict[str, str] = {}
    names = {str(video): PurePosixPath(_endless(str(video))).name for video in set(rows["video"])}
    same = Counter(names.values())
    for video, of_video in rows.groupby("video", sort=True):
        info = infos.get(str(video))
        frames = of_video["frame"].to_numpy(int)
        table = np.full(
            (max(len(info) if info else 0, frames.max() + 1), len(classes)), -1, np.int8
        )
        table[frames] = 0
        place = {name: number for number, name in enumerate(classes)}
        table[frames, [place[str(label)] for label in of_video["label"]]] = 1
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["", *classes])
        writer.writerows([number, *row] for number, row in enumerate(table.tolist()))
        # DeepEthogram looks for VIDEO_labels.csv, without folders and ending.
        name = names[str(video)] if same[names[str(video)]] == 1 else _endless(str(video))
        files[file_name(name, files, "_labels.csv")] = text.getvalue()
    return Made(files, notes)


def _endless(video: str) -> str:
    place = PurePosixPath(video)
    return str(place.with_suffix("")) if place.suffix.lower() in EXTENSIONS else video
