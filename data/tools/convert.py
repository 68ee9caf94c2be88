"""Labels from one program's form to another's: any to one of our CSV files, and from ours to theirs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from data.cells.text import look_through
from data.errors import DataError, nearest
from data.files.path import File, relative
from data.files.whole import replacing, write_table
from data.formats.table import FORMATS, Kind, Opened, opened
from data.formats.taken import FRAME, RANGE, VIDEO, Made, Taken, written
from data.labels.columns import columns_of
from data.labels.file import LabelFile, read_labels
from data.labels.groups import at_sites, find_videos
from data.labels.sets import TaskName, by_class
from data.videos.find import find_files
from data.videos.info import VideoInfo
from data.videos.match import left_out, match_files, missing_of
from data.videos.times import nearest_frames
from data.videos.video import open_videos

# Forms of our own, by what a row is.
OWN: dict[str, Kind] = {"frames": "frame", "timestamps": "range", "videos": "video"}
_COLUMNS = {"frame": FRAME, "range": RANGE, "video": VIDEO}
_MORE = ("split", "site", "date", "subject")


def programs() -> dict[str, str]:
    """What labels can be written for, and what that is."""
    theirs = {name: form.program for name, form in FORMATS.items() if form.write}
    return theirs | {name: f"our own CSV, a {kind} a row" for name, kind in OWN.items()}


def read(path: File, videos: File | None = None) -> Taken:
    """A label file of any program, or a folder of them, as the table of one of our forms; text.

    Args:
        videos: a folder; the videos are then named by their paths in it.

    Raises:
        DataError: it can't be read, or a video is not in `videos`.
    """
    found = opened(path, "labels")
    taken = found.taken or _of_person(path, found)
    if videos is not None:
        files = find_files(videos)
        notes: list[str] = []
        if missing := missing_of(taken.spare, files, videos):
            taken.table = taken.table[~taken.table["video"].isin(missing)].copy()
            notes.append(left_out(missing))
        sites: dict[str, str] = {}
        if "site" in taken.table:
            taken.table, sites = at_sites(taken.table, files, videos, notes.append)
        names = sorted(set(taken.table["video"]))
        paths, problems = match_files(names, files, videos, notes.append, sites)
        if problems:
            raise DataError([f"{path}: {problem}" for problem in problems])
        taken.notes += [f"{path}: {note}" for note in notes]
        places = {name: relative(file, videos).as_posix() for name, file in paths.items()}
        taken.table["video"] = taken.table["video"].astype(str).map(places)
    return taken


def _of_person(path: File, found: Opened) -> Taken:
    """A table of a person's, with our names for its columns."""
    cells = look_through(path, found.content)
    columns = columns_of(path, cells.header)
    table = cells.named(columns.names).read().astype(str)
    named = table[[name for name in table if isinstance(name, str)]]
    return Taken("our own CSV", named, [*found.notes, *cells.notes, *columns.notes])


def save(taken: Taken, path: Path, *, overwrite: bool = False) -> None:
    """Write the table of a label file as CSV.

    Raises:
        DataError: it has problems, or no rows, or `path` is there already.
    """
    if taken.problems or taken.table.empty:
        raise DataError(taken.problems or [*taken.notes, "there are no labels to write"])
    _check_free(path, overwrite)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_table(path, taken.table)


def write(
    labels: File,
    program: str,
    path: Path,
    videos: File | None = None,
    *,
    task: TaskName = "multiclass",
    overwrite: bool = False,
) -> list[str]:
    """Write a label file of any form in that of a program.

    Args:
        program: as of `programs`.
        path: a file; a folder, where the program has a file a video.
        videos: where the videos are, which is needed to turn frames into times, and the reverse.
        task: ``multilabel``: a label such as ``dive+feed`` is two. Labels that overlap need it not.

    Returns:
        what was written, and what the program's form can't hold; a line each.

    Raises:
        DataError: the labels have problems, or can't be turned into that form.
    """
    made = make(labels, program, videos, task)
    single = made.files.get("")
    _check_free(path, overwrite, folder=single is None)
    if single is not None:
        made = Made({path.name: single}, made.notes)
        path = path.parent
    path.mkdir(parents=True, exist_ok=True)
    for name, text in made.files.items():
        with replacing(path / name) as part:
            part.write_text(text, encoding="utf-8")
    return [*made.notes, *(f"written: {path / name}" for name in made.files)]


def make(
    labels: File, program: str, videos: File | None = None, task: TaskName = "multiclass"
) -> Made:
    """What `write` writes."""
    known = programs()
    if program not in known:
        raise DataError(
            [f"there is no format '{program}'{nearest(program, known)}: {', '.join(known)}"]
        )
    file = read_labels(labels)
    if file.problems:
        raise DataError(file.problems)
    if task == "multilabel":
        file.rows = by_class(file.rows).reset_index(drop=True)
    infos: dict[str, VideoInfo] = {}
    matched: list[str] = []
    if videos is not None:
        paths, problems = find_videos(file, find_files(videos), videos, matched.append)
        if problems:
            raise DataError([f"{labels}: {problem}" for problem in problems])
        found, rejects = open_videos(paths, None)
        if rejects:
            raise DataError([f"{one.path}: can't be opened: {one.reason}" for one in rejects])
        infos = {name: video.info for name, video in found.items()}
    kind = OWN.get(program) or FORMATS[program].kind
    rows, notes = in_form(file, kind, infos)
    if program not in OWN and kind == "range" and np.isinf(rows["time_end"]).any():
        raise DataError([f"{labels}: ranges to the end of their videos need these: give --videos"])
    form = FORMATS.get(program)
    made = form.write(rows, infos) if form and form.write else _own(rows, kind)
    said = [*file.notes, *(f"{labels}: {note}" for note in matched), *notes, *made.notes]
    return Made(made.files, said)


def in_form(
    file: LabelFile, kind: Kind, infos: Mapping[str, VideoInfo]
) -> tuple[pd.DataFrame, list[str]]:
    """The rows of a label file as rows of a form, and what is lost by that.

    Args:
        infos: of the videos; those of all are needed to turn times into frames or the reverse.

    Raises:
        DataError: a video is not in `infos`, or is too short.
    """
    more = [name for name in _MORE if name in file.rows]
    rows = file.rows[[*_COLUMNS[file.form], *more]].astype(
        dict.fromkeys(["video", "label", *more], object)
    )
    if file.form == "range":
        ends = rows["video"].map({name: info.duration for name, info in infos.items()})
        rows = rows.assign(time_end=rows["time_end"].where(~np.isinf(rows["time_end"]), ends))
        rows["time_end"] = rows["time_end"].fillna(np.inf)
    if kind == "video":
        lost = (
            []
            if file.form == "video"
            else [f"when in a video its classes are shown is left out ({file.form}s)"]
        )
        return rows[[*VIDEO, *more]].drop_duplicates(ignore_index=True), lost
    if file.form != kind and (missing := [name for name in file.videos if name not in infos]):
        raise DataError(
            [
                f"{file.path}: rows of {file.form}s become {kind}s only with the videos: give "
                f"--videos; not known: {', '.join(missing[:5])}"
            ]
        )
    if file.form == kind:
        return _joined(rows) if kind == "range" else (rows, [])
    if file.form == "video":
        ends = [infos[name].duration for name in rows["video"]]
        rows = rows.assign(time_start=0.0, time_end=ends)
    if kind == "frame":
        return _frames(file.path, rows, infos), []
    return _ranges(rows, infos) if file.form == "frame" else rows, []


def _joined(rows: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Ranges of a class (and subject) that overlap as one."""
    keys = [name for name in rows if name not in ("time_start", "time_end")]
    rows = rows.sort_values([*keys, "time_start"], ignore_index=True)
    latest = rows.groupby(keys, dropna=False)["time_end"].cummax()
    before = latest.groupby([rows[key] for key in keys], dropna=False).shift()
    new = ~(rows["time_start"] < before)
    if new.all():
        return rows.sort_values(["video", "time_start"], ignore_index=True), []
    number = new.cumsum()
    joined = rows[new].assign(time_end=latest.groupby(number).max().to_numpy())
    note = f"{int((~new).sum())} ranges overlap one of the same class, and are joined with it"
    return joined.sort_values(["video", "time_start"], ignore_index=True), [note]


def _frames(path: File, rows: pd.DataFrame, infos: Mapping[str, VideoInfo]) -> pd.DataFrame:
    """A row a frame of the file for each range; one without length has the frame that is shown then."""
    parts, problems = [], []
    for name, of_video in rows.groupby("video", sort=True):
        info = infos[str(name)]
        times = np.append(info.times, max(info.duration, info.times[-1] + 1e-3))
        bounds = nearest_frames(times, of_video[["time_start", "time_end"]].to_numpy(float))
        points = (of_video["time_start"] == of_video["time_end"]).to_numpy()
        bounds[points, 1] = bounds[points, 0] + 1
        counts = np.minimum(bounds[:, 1], len(info)) - bounds[:, 0]
        if beyond := int(
            ((of_video["time_end"] > info.duration + 1 / info.fps) | (counts < 0)).sum()
        ):
            problems.append(
                f"{path}: {beyond} ranges end beyond video '{name}', which lasts {info.duration:.3f} s"
            )
            continue
        first = np.repeat(bounds[:, 0] - (np.cumsum(counts) - counts), counts)
        part = of_video.loc[of_video.index.repeat(counts)]
        parts.append(part.assign(frame=first + np.arange(len(first))))
    if problems:
        raise DataError(problems)
    table = pd.concat(parts).drop(columns=["time_start", "time_end"])
    return table.drop_duplicates(ignore_index=True)[[*FRAME, *table.columns.difference(FRAME)]]


def _ranges(rows: pd.DataFrame, infos: Mapping[str, VideoInfo]) -> pd.DataFrame:
    """A range for each run of frames of the file that have a class, from the first to after the last."""
    keys = [name for name in rows if name != "frame"]
    rows = rows.sort_values([*keys, "frame"], ignore_index=True)
    same = (rows[keys] == rows[keys].shift()).all(axis=1) & (rows["frame"].diff() <= 1)
    runs = rows.groupby((~same).cumsum())
    table = runs[keys].first().assign(first=runs["frame"].min(), last=runs["frame"].max())
    starts, ends = [], []
    for video, first, last in table[["video", "first", "last"]].itertuples(index=False):
        info = infos[video]
        bounds = np.append(info.times, info.duration)
        starts.append(bounds[min(first, len(info))])
        ends.append(bounds[min(last + 1, len(info))])
    table = table.assign(time_start=starts, time_end=ends).drop(columns=["first", "last"])
    columns = [*RANGE, *table.columns.difference(RANGE)]
    return table[columns].sort_values(["video", "time_start"], ignore_index=True)


def _own(rows: pd.DataFrame, kind: Kind) -> Made:
    if kind == "range":
        rows = rows.assign(
            **{f"time_{end}": rows[f"time_{end}"].map(written) for end in ("start", "end")}
        )
    columns = [*_COLUMNS[kind], *(name for name in rows if name not in _COLUMNS[kind])]
    return Made({"": rows[columns].to_csv(index=False)})


def _check_free(path: Path, overwrite: bool, *, folder: bool = False) -> None:
    """Raise if something is in the way."""
    if not path.exists():
        return
    if folder and path.is_dir():
        if overwrite or not any(path.iterdir()):
            return
        raise DataError(
            [f"{path}: the folder holds files already; name another, or give --overwrite"]
        )
    if path.is_dir() or folder:
        raise DataError(
            [f"{path}: is {'a folder' if path.is_dir() else 'no folder'}; name another"]
        )
    if not overwrite:
        raise DataError([f"{path}: is there already; name another, or give --overwrite"])
