"""Labels from a spreadsheet: a frame, a time range, or a video a row, to one label table.

The label table is a DataFrame ``video, frame, time, label, split``, one row a labelled frame, sorted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd

from data.errors import DataError, nearest, some
from data.splits import SPLITS
from data.video import nearest_frames
from data.videos import Video

COLUMNS = ["video", "frame", "time", "label", "split"]
FORMS = {
    "frame": ["video", "frame", "label"],
    "range": ["video", "time_start", "time_end", "label"],
    "video": ["video", "label"],
}


@dataclass
class LabelFile:
    """The rows of a label file, parsed as far as is possible without the videos.

    Attributes:
        form: ``frame``, ``range`` or ``video``.
        rows: columns of the form as numbers and text, and ``row``, the line in the file.
    """

    path: Path
    form: str
    rows: pd.DataFrame
    problems: list[str] = field(default_factory=list)

    @property
    def videos(self) -> list[str]:
        return sorted(set(self.rows["video"]))


def read_labels(path: Path) -> LabelFile:
    """Read a label file of any form; what is wrong with its rows goes to `problems`.

    Raises:
        DataError: it can't be read, or its columns aren't those of any form.
    """
    text = _read_text(path)
    header = text.split("\n", 1)[0]
    separator = max(",;\t", key=header.count)
    try:
        from io import StringIO

        table = pd.read_csv(
            StringIO(text), sep=separator, dtype=str, keep_default_na=False, skip_blank_lines=False
        )
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise DataError([f"{path}: not a table of labels: {error}"]) from error
    table.columns = [str(column).strip().lower() for column in table.columns]
    form = _form_of(list(table.columns), path)
    for column in table.columns:
        table[column] = table[column].str.strip()
    table["row"] = np.arange(2, len(table) + 2)
    table = table[(table.drop(columns="row") != "").any(axis=1)].reset_index(drop=True)
    if table.empty:
        raise DataError([f"{path}: it has a header but no rows"])
    file = LabelFile(path, form, table)
    _check_filled(file)
    if "split" in table:
        _check_splits(file)
    if form == "frame":
        _parse_frames(file)
    elif form == "range":
        _parse_ranges(file)
    return file


def _read_text(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError([f"data.labels: can't read '{path}': {error.strerror}"]) from error
    if path.suffix.lower() in (".xlsx", ".xls", ".ods"):
        raise DataError([f"{path}: is a spreadsheet; save it as CSV and give that"])
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")  # what older Excels write


def _form_of(columns: list[str], path: Path) -> str:
    known = {*chain(*FORMS.values()), "split"}
    forms = "; ".join(", ".join(columns) for columns in FORMS.values())
    problems = [
        f"{path}: unknown column '{column}'{nearest(column, known)}; a label file has the columns "
        f"{forms}, and maybe split"
        for column in columns
        if column not in known
    ]
    problems += [
        f"{path}: column '{c}' is there twice" for c in set(columns) if columns.count(c) > 1
    ]
    if problems:
        raise DataError(problems)
    for form, needed in FORMS.items():
        if set(columns) - {"split"} == set(needed):
            return form
    raise DataError(
        [f"{path}: columns {', '.join(columns)} are of no form; it needs {forms}, and maybe split"]
    )


def _rows(file: LabelFile, mask: pd.Series | np.ndarray) -> str:
    rows = file.rows.loc[np.asarray(mask), "row"].tolist()
    return f"row{'s' if len(rows) > 1 else ''} {some(rows)}"


def _check_filled(file: LabelFile) -> None:
    for column in file.rows.columns.drop("row"):
        empty = file.rows[column] == ""
        if empty.any():
            file.problems.append(
                f"{file.path}, {_rows(file, empty)}: {int(empty.sum())} with no '{column}'; "
                "fill it in, or delete the row"
                + (
                    " or the column"
                    if column == "split"
                    else " (a frame without a row is unlabelled)"
                )
            )
            file.rows = file.rows[~empty].reset_index(drop=True)


def _check_splits(file: LabelFile) -> None:
    names = file.rows["split"].str.lower().replace({"val": "valid", "validation": "valid"})
    for wrong in sorted(set(names) - set(SPLITS)):
        file.problems.append(
            f"{file.path}, {_rows(file, names == wrong)}: split '{wrong}' is not one of "
            f"{', '.join(SPLITS)}{nearest(wrong, SPLITS)}"
        )
    file.rows["split"] = names


def _parse_frames(file: LabelFile) -> None:
    """Frame numbers from 0, out of numbers or of image names as ``seal-00001.jpg``.

    Image names are numbered from 1, as ffmpeg and the usual extraction tools write them, unless the
    file has a name with number 0.
    """
    text = file.rows["frame"]
    number = text.str.fullmatch(r"\d+(\.0*)?")
    name = ~number & text.str.contains(r"\d")
    wrong = ~number & ~name
    if wrong.any():
        file.problems.append(
            f"{file.path}, {_rows(file, wrong)}: '{text[wrong].iloc[0]}' is no frame: give its "
            "number (from 0) or its image's name (as video_1_00001.jpg)"
        )
    digits = text.where(~name, text.str.replace(r"\.[A-Za-z]\w*$", "", regex=True))
    frames = pd.to_numeric(digits.str.extract(r"(\d+)(?:\.0*)?\D*$")[0], errors="coerce")
    if name.any() and not (frames[name] == 0).any():
        frames[name] -= 1
    file.rows["frame"] = frames
    file.rows = file.rows[~wrong].reset_index(drop=True)
    file.rows["frame"] = file.rows["frame"].astype(np.int64)


_CLOCK = re.compile(r"(?:(\d+):)?(\d{1,2}):(\d{1,2}(?:[.,]\d*)?)")


def parse_time(text: str) -> float:
    """Seconds of ``HH:MM:SS[.fff]``, ``MM:SS[.fff]`` or plain seconds; hours count.

    Raises:
        ValueError: it is neither; the message says what is wrong with it.
    """
    text = text.strip()
    if re.fullmatch(r"\d+([.,]\d*)?|[.,]\d+", text):
        return float(text.replace(",", "."))
    clock = _CLOCK.fullmatch(text)
    if not clock:
        raise ValueError("is no time; write HH:MM:SS, HH:MM:SS.fff or seconds")
    hours, minutes = int(clock[1] or 0), int(clock[2])
    seconds = float(clock[3].replace(",", "."))
    if minutes > 59:
        raise ValueError(f"has {minutes} minutes; they go from 0 to 59")
    if seconds >= 60:
        raise ValueError(f"has {seconds:g} seconds; they go from 0 to 59.999")
    return hours * 3600 + minutes * 60 + seconds


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


def expand(
    file: LabelFile, videos: Mapping[str, Video]
) -> tuple[pd.DataFrame, list[str], list[str]]:
    """One row a labelled frame, for the videos in `videos`.

    Returns:
        the table ``video, frame, time, label`` and ``split`` if the file has it; problems; warnings.
    """
    problems: list[str] = []
    warnings: list[str] = []
    rows = file.rows[file.rows["video"].isin(list(videos))]
    parts = []
    for name, own in rows.groupby("video", sort=True):
        video = videos[str(name)]
        if file.form == "frame":
            part, problem = _frames_of(file, own, video)
        elif file.form == "range":
            part, problem = _frames_of_ranges(file, own, video)
        else:
            part, problem = _whole_video(file, own, video)
        problems += problem
        parts.append(part.assign(time=video.times[part["frame"].to_numpy(np.int64)]))
    columns = [column for column in COLUMNS if column != "split" or "split" in rows]
    if not parts:
        return pd.DataFrame(columns=columns), problems, warnings
    table = pd.concat(parts, ignore_index=True)[columns]
    same = table.duplicated(["video", "frame"])
    if same.any():
        warnings.append(
            f"{file.path}: {int(same.sum())} frames are labelled twice alike; counted once"
        )
    return table[~same].sort_values(["video", "frame"], ignore_index=True), problems, warnings


def _frames_of(file: LabelFile, own: pd.DataFrame, video: Video) -> tuple[pd.DataFrame, list[str]]:
    problems = []
    beyond = own["frame"] >= len(video)
    if beyond.any():
        rows = own.loc[beyond, "row"].tolist()
        problems.append(
            f"{file.path}, row{'s' if len(rows) > 1 else ''} {some(rows)}: frame "
            f"{own.loc[beyond, 'frame'].iloc[0]} is beyond video '{video.name}', which has "
            f"{len(video)} frames (0 to {len(video) - 1}{_at(video)})"
        )
    own = own[~beyond]
    twice = own.groupby("frame")["label"].nunique()
    for frame in twice.index[twice > 1][:5]:
        both = own[own["frame"] == frame]
        problems.append(
            f"{file.path}, rows {some(both['row'])}: frame {frame} of video '{video.name}' has "
            f"{both['label'].nunique()} labels: {some(sorted(set(both['label'])))}"
        )
    if (twice > 1).sum() > 5:
        problems.append(
            f"{file.path}: {int((twice > 1).sum()) - 5} more frames of video '{video.name}' have "
            "more than one label"
        )
    return own, problems


def _at(video: Video) -> str:
    return "" if video.fps is None else f" at {video.fps:g} frames/s"


def _frames_of_ranges(
    file: LabelFile, own: pd.DataFrame, video: Video
) -> tuple[pd.DataFrame, list[str]]:
    problems, parts = [], []
    step = 1 / (video.fps or video.info.fps)
    # A bound at the very end is a bound: the frame after the last.
    times = np.append(video.times, max(video.duration, video.times[-1] + 1e-3))
    for row in own.to_dict("records"):
        if row["time_end"] > video.duration + step:
            problems.append(
                f"{file.path}, row {row['row']}: ends at {row['time_end_text']}, beyond video "
                f"'{video.name}', which lasts {video.duration:.3f} seconds ({len(video)} frames)"
            )
            continue
        first, end = nearest_frames(times, np.array([row["time_start"], row["time_end"]]))
        frames = np.arange(first, min(end, len(video)))
        kept = {name: row[name] for name in ("video", "label", "split") if name in row}
        parts.append(pd.DataFrame({"frame": frames}).assign(**kept))
        if len(frames) == 0:
            problems.append(
                f"{file.path}, row {row['row']}: {row['time_start_text']} to {row['time_end_text']} "
                f"holds no sampled frame of video '{video.name}' (one every {step:.3g} seconds)"
            )
    empty = pd.DataFrame({"frame": np.array([], np.int64), "video": [], "label": []})
    return (pd.concat(parts, ignore_index=True) if parts else empty), problems


def _whole_video(
    file: LabelFile, own: pd.DataFrame, video: Video
) -> tuple[pd.DataFrame, list[str]]:
    problems = []
    if own["label"].nunique() > 1:
        problems.append(
            f"{file.path}, rows {some(own['row'])}: video '{video.name}' has "
            f"{own['label'].nunique()} labels: {some(sorted(set(own['label'])))}"
        )
    row = own.iloc[0]
    kept = {name: row[name] for name in ("video", "label", "split") if name in own}
    return pd.DataFrame({"frame": np.arange(len(video))}).assign(**kept), problems
