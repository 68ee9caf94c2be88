"""What models were trained on, kept beside them: the label table of a data set and its videos.

``labels.csv`` has a row for each stretch of a video in which all frames have one label, or for each
video that is labelled as a whole: ``video, time_start, time_end, label, split, frame_start, frame_end``
(frames and seconds from 0; the ends are no part of it), ``near`` where there is a margin, and in the
first row of each video ``path`` (from the folder of the videos on), ``content`` (a key that is the same
for every copy of the file), ``group`` and ``by`` (what videos are kept together by).
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from data.cells.columns import as_categories
from data.console import clean
from data.dataset import Dataset
from data.errors import DataError, some
from data.files.path import File, relative
from data.files.store import content_key
from data.files.whole import replacing
from data.labels.gaps import NEAR
from data.labels.sets import TaskName, classes_of
from data.labels.table import COLUMNS, Unit
from data.videos.find import find_files
from data.videos.rejects import Reject
from data.videos.video import Video, open_videos

NAMES = ("labels.csv", "labels.csv.gz")
_OF_ROWS = ["video", "time_start", "time_end", "label", "split", "frame_start", "frame_end", NEAR]
_TEXTS = ("video", "label", "split")
_OF_VIDEOS = ["path", "content", "group", "by"]
_DIGITS = 4  # of seconds, which are there to be read: frames say what is meant
_LARGE = 200_000  # rows, from which on the file is compressed


@dataclass(frozen=True)
class Learnt:
    """The table as it was written.

    Attributes:
        path: of the file.
        rows: its rows; of whole videos without times and frames.
        videos: by name: ``path, content, group, by, split``.
    """

    path: Path
    rows: pd.DataFrame
    videos: pd.DataFrame

    @property
    def unit(self) -> Unit:
        return "frame" if "frame_start" in self.rows else "video"


def write_learnt(dataset: Dataset, videos: File, folder: Path) -> Path:
    """Write the table of a data set into a folder; returns its path.

    Args:
        videos: the folder of the videos, or the one video.
    """
    rows = _stretches(dataset) if dataset.unit == "frame" else dataset.table
    rows = rows.reindex(columns=[name for name in _OF_ROWS if name in rows])
    first = np.flatnonzero(~rows["video"].duplicated().to_numpy())
    names = rows["video"].astype(str).to_numpy()[first]
    for name, of in zip(_OF_VIDEOS, _facts(dataset, videos, names), strict=True):
        cells = np.full(len(rows), "", object)
        cells[first] = of
        rows[name] = cells
    large = len(rows) > _LARGE
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / NAMES[large]
    with replacing(path) as part:
        rows.to_csv(
            part,
            index=False,
            lineterminator="\n",
            compression={"method": "gzip", "compresslevel": 1} if large else None,
        )
    (folder / NAMES[not large]).unlink(missing_ok=True)
    return path


def learnt_file(folder: Path) -> Path | None:
    """The table in a folder, if there is one."""
    return next((folder / name for name in NAMES if (folder / name).is_file()), None)


def _facts(dataset: Dataset, videos: File, names: np.ndarray) -> list[list[str]]:
    """``path, content, group, by`` of these videos."""
    files = [dataset.videos[name].info.path for name in names]
    return [
        [_below(file, videos) for file in files],
        [content_key(file) for file in files],
        [dataset.groups.get(name, name) for name in names],
        [dataset.by] * len(names),
    ]


def _below(file: File, folder: File) -> str:
    """Where a file is below the folder; bytes that are no text are shown as such."""
    return clean(file.name if file == folder else relative(file, folder).as_posix())


def _stretches(dataset: Dataset) -> pd.DataFrame:
    """The rows of frames that follow one another with the same label as one."""
    table = dataset.table
    video, label = (as_categories(table[name]).cat.codes.to_numpy() for name in ("video", "label"))
    frame = table["frame"].to_numpy(np.int64)
    begins = np.ones(len(table), bool)
    begins[1:] = (np.diff(video) != 0) | (np.diff(label) != 0) | (np.diff(frame) != 1)
    if NEAR in table:
        begins[1:] |= np.diff(table[NEAR].to_numpy())
    first = np.flatnonzero(begins)
    rows = table.iloc[first].reset_index(drop=True)
    last = frame[np.append(first[1:], len(table)) - 1]
    ends = np.empty(len(rows))
    of = rows["video"].astype(str).to_numpy()
    starts = np.flatnonzero(np.append(True, of[1:] != of[:-1]))
    for start, stop in zip(starts, np.append(starts[1:], len(rows)), strict=True):
        shown = dataset.videos[of[start]]
        after = np.append(shown.times[1:], max(shown.duration, shown.times[-1] + 1e-3))
        ends[start:stop] = after[last[start:stop]]
    times = {"time_start": rows["time"].round(_DIGITS), "time_end": ends.round(_DIGITS)}
    return rows.assign(**times, frame_start=rows["frame"], frame_end=last + 1)


def read_learnt(path: Path) -> Learnt:
    """Read the table as it was written.

    Raises:
        DataError: it is damaged, or none.
    """
    try:
        table = pd.read_csv(
            path,
            dtype=dict.fromkeys(_OF_ROWS + _OF_VIDEOS, str) | dict.fromkeys(_TEXTS, "category"),
            keep_default_na=False,  # a class may be called NA
            compression="gzip" if path.suffix == ".gz" else None,
        )
        lacking = [name for name in (*_TEXTS, *_OF_VIDEOS) if name not in table]
        if lacking or table.empty:
            raise ValueError(f"it has no column {some(lacking)}" if lacking else "it has no rows")
        for name in ("frame_start", "frame_end"):
            if name in table:
                table[name] = table[name].astype(np.int64)
        if NEAR in table:
            table[NEAR] = table[NEAR] == "True"
        for name in _TEXTS:
            categories = table[name].cat.categories.astype(str)
            table[name] = table[name].cat.rename_categories(categories)
        if (
            "frame_start" in table
            and not (
                (table["frame_start"] >= 0) & (table["frame_start"] < table["frame_end"])
            ).all()
        ):
            raise ValueError("a stretch of it ends before it begins")
    except (ValueError, KeyError, OverflowError, OSError, EOFError, zlib.error) as error:
        raise DataError(
            [
                f"{path}, the table that models were trained on, can't be read: {error}; put a copy in "
                "its place, or evaluate on the labels as they are now (tuner.best --current-labels)"
            ]
        ) from error
    videos = table.drop_duplicates("video").set_index("video")[[*_OF_VIDEOS, "split"]]
    return Learnt(path, table.drop(columns=_OF_VIDEOS), videos)


def open_learnt(
    learnt: Learnt,
    videos: File,
    *,
    fps: float | None = None,
    most: int | None = None,
    task: TaskName = "multiclass",
) -> Dataset:
    """The data set of a table: its videos are found by their paths, or by what they hold.

    Videos that are gone, are others now, or have fewer frames than labels are among its rejects.

    Args:
        videos: the folder of the videos, or the one video.
        fps, most, task: as of `data.load`.

    Raises:
        DataError: there are no videos; or those that are left can't be used.
    """
    files, gone = _find(learnt.videos, videos)
    opened, rejects = open_videos(files, fps, most=most)
    table, short = _table(learnt, opened)
    lost = [Reject(name, path, why) for name, (path, why) in gone.items()]
    rejects = [*lost, *rejects, *short]
    facts = learnt.videos
    dataset = Dataset(
        table,
        opened,
        classes_of(table["label"].unique(), task),
        unit=learnt.unit,
        groups=dict(zip(facts.index, facts["group"], strict=True)),
        by=facts["by"].iloc[0],
        task=task,
    )
    return dataset.without(rejects)


def _find(
    wanted: pd.DataFrame, folder: File
) -> tuple[dict[str, File], dict[str, tuple[File, str]]]:
    """The file of each video; and those without one: where it was, and why it is not taken."""
    files = {_below(file, folder): file for file in find_files(folder)}
    found: dict[str, File] = {}
    wrong: dict[str, tuple[File, str]] = {}
    for name, row in wanted.iterrows():
        file = files.get(row["path"])
        if file is not None and content_key(file) == row["content"]:
            found[str(name)] = files.pop(row["path"])
        elif file is not None:
            wrong[str(name)] = file, "it is another file than the one that models were trained on"
        else:
            wrong[str(name)] = folder / row["path"], "it is no longer there"
    if wrong:  # it may have been moved below the folder; only then all others are looked at
        elsewhere = {content_key(file): file for file in files.values()}
        for name in list(wrong):
            if (file := elsewhere.get(wanted.loc[name, "content"])) is not None:
                found[name] = file
                del wrong[name]
    return found, wrong


def _table(learnt: Learnt, opened: Mapping[str, Video]) -> tuple[pd.DataFrame, list[Reject]]:
    """The label table, and the videos that have fewer frames than labels."""
    rows, short = learnt.rows, []
    parts = [rows.iloc[:0].assign(frame=0, time=0.0)]
    for name, of in rows.groupby("video", observed=True):
        video = opened.get(str(name))
        if video is None:
            continue
        if learnt.unit == "video":
            parts.append(of)
        elif (end := of["frame_end"].max()) > len(video):
            why = f"it has {len(video)} frames now, and labels of {end}"
            short.append(Reject(video.name, video.info.path, why))
        else:
            bounds = of[["frame_start", "frame_end"]].to_numpy()
            frame = np.concatenate([np.arange(start, stop) for start, stop in bounds])
            each = of.loc[of.index.repeat(bounds[:, 1] - bounds[:, 0])]
            parts.append(each.assign(frame=frame, time=video.times[frame]))
    table = pd.concat(parts[1:] or parts, ignore_index=True)
    texts = {name: table[name].cat.remove_unused_categories() for name in _TEXTS}
    columns = [*COLUMNS[learnt.unit], *([NEAR] if NEAR in table else [])]
    return table.assign(**texts)[columns], short
