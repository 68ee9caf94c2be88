"""Label files of all forms, up to the table of labelled frames with their splits."""

from __future__ import annotations

import contextlib
import itertools
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from data.errors import DataError
from data.labels.assign import with_splits
from data.labels.file import LabelFile, read_labels
from data.labels.gaps import Gaps
from data.labels.groups import group_videos
from data.labels.mistakes import overlaps
from data.labels.sets import TaskName
from data.labels.spelling import meant
from data.labels.splits import check_splits, remarks
from data.labels.table import NO_GAPS, Unit, expand
from data.videos.info import VideoInfo
from data.videos.match import match_files
from data.videos.video import Video
from tests.fuzz.judge import Reader, Wrong
from tests.fuzz.readers.plain import plain_rows, plain_seconds

_FILES = ("a.mp4", "b.avi", "c.mov", "site 2/c.mov", "Dé.mkv", "e.e.ts", "1.mp4", "nan.mp4")
FPS, FRAMES = 30000 / 1001, 300
_SEEDS = [
    "video,frame,label,split\na,0,fox,train\na,1,fox,train\nb,0,deer,valid\nb,7,fox,test\n",
    "video,frame,label\na,a_0001.jpg,fox\na,a_0002.jpg,none\nb,b-00010.png,fox\n1,1_3.jpg,none\n",
    "video;frame;label;site\nc.mov;12;seal;x\nDé;13;noseal;y\na;0;seal;x\nb;0;noseal;y\n",
    "video,time_start,time_end,label\na,00:00:01,00:00:02.5,fox\na,00:00:02.5,3,deer\nb,0,9,fox\n",
    "video\ttime_start\ttime_end\tlabel\na\t0,5\t1,5\tfox\n1\t0:01\t0:02\tdeer\n",
    "video,time_start,time_end,label,split\na,0.1,0.2,x,train\nb,1,2,y,train\n1,0,1,x,valid\n",
    "video,label\na,fox\nb,deer\nsite 2/c,fox\nDé,deer\n1,fox\nnan,deer\n",
    "video,label,split,site,date\na,fox,train,n,2024-01-01\nb,deer,train,n,2\n1,fox,val,s,3\n",
    "Site;File;Species;Date;Comments\nn;a.MP4;Fox;1.5.2024;\ns;D:\\v\\b.avi;fox;;x\nn;c.mov;Red\xa0fox;;\n",
    "sep=;\nfile path;Start (s);Stop (s);Behaviour\n/x/a.mp4;0,5;1,5;rest\n/x/b;00:01;00:02;Rest \n",
    '\ufeffVideo,Label\r\n"a","a ""fox"", red"\r\nb,"two\nlines"\r\n',
]
_WORDS = tuple(
    word.encode()
    for word in (
        *("video", "frame", "label", "split", "site", "time_start", "time_end", "train", "valid"),
        *(
            "a,",
            "\na,",
            '""',
            '"a',
            ",,",
            ";;",
            "-1",
            "1.5",
            "1.0",
            "00001.jpg",
            "x_0.jpg",
            "1e3",
            "nan",
        ),
        *(
            "00:00:01",
            "99:99",
            "1:60:00",
            "0:0:60",
            "9" * 400 + ":00:00",
            ":",
            "1,5",
            "-0:01",
            "0:59.9999",
        ),
        *(
            "1:00:00:00",
            "inf",
            "9007199254740993",
            "18446744073709551616",
            "a_" + "9" * 30 + ".jpg",
        ),
    )
)


def _make(folder: Path) -> Callable[[bytes], Any]:
    files = [folder / "videos" / name for name in _FILES]
    path = folder / "labels.csv"

    def read(content: bytes) -> None:
        path.write_bytes(content)
        file = read_labels(path, ("habitat",))
        as_plainly_read(file, content)
        # Splits are drawn for one in ten, as that takes longest.
        _use(file, files, folder / "videos", draws=zlib.crc32(content) % 10 == 0)

    return read


def as_plainly_read(file: LabelFile, content: bytes) -> None:
    """Compare with a plain reading, where the file is plain.

    Raises:
        Wrong: they differ.
    """
    if file.form == "frame":
        rows = plain_rows(content, ["video", "frame", "label"])
        wanted = rows and [(r["video"], _number(r["frame"]), r["label"]) for r in rows]
        if not wanted or any(row[1] is None for row in wanted):
            return
        found = list(zip(file.rows["video"], file.rows["frame"], file.rows["label"], strict=True))
        wanted, found = _as_meant(wanted), _as_meant(found)
    elif file.form == "range":
        rows = plain_rows(content, ["video", "time_start", "time_end", "label"])
        bounds = rows and [
            [plain_seconds(r[f"time_{end}"]) for end in ("start", "end")] for r in rows
        ]
        if not rows or not bounds:
            return
        good = [start is not None and end is not None and start < end for start, end in bounds]
        if not all(good):
            return
        wanted = sorted((r["video"], *b, r["label"]) for r, b in zip(rows, bounds, strict=True))
        names = ("video", "time_start", "time_end", "label")
        found = sorted(zip(*(file.rows[name] for name in names), strict=True))
        wanted, found = sorted(_as_meant(wanted)), sorted(_as_meant(found))
        following = itertools.pairwise(wanted)
        if any(a[0] == b[0] and b[1] < a[2] - 1e-9 for a, b in following):
            if not file.problems and not overlaps(file):
                raise Wrong("ranges that overlap are not told")
            return
    else:
        rows = plain_rows(content, ["video", "label"])
        wanted = rows and [(row["video"], row["label"]) for row in rows]
        if not wanted:
            return
        found = list(zip(file.rows["video"], file.rows["label"], strict=True))
        wanted, found = _as_meant(wanted), _as_meant(found)
    if file.problems:
        raise Wrong(f"a plain file has problems: {file.problems[:3]}")
    if found != wanted:
        raise Wrong(f"{found[:5]} is read, not {wanted[:5]}")


def _as_meant(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Rows that end with a label, whose spellings count as one."""
    return [(*row[:-1], meant(row[-1])) for row in rows]


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 15 else None


def _use(file: LabelFile, files: list[Path], folder: Path, *, draws: bool) -> None:
    """What `data.dataset.load` does next."""
    paths, problems = match_files(file.videos, files, folder)
    videos = {name: video_of(name, path) for name, path in paths.items()}
    problems = [*file.problems, *problems]
    groups = {}
    for by in (None, "habitat", "folder1"):
        with contextlib.suppress(DataError):
            groups[by] = group_videos(file, paths, folder, by)
    asked: list[tuple[Unit, TaskName, Gaps]] = [
        ("frame", "multiclass", NO_GAPS),
        ("video", "multiclass", NO_GAPS),
        ("frame", "multilabel", NO_GAPS),
        ("video", "multilabel", NO_GAPS),
        ("frame", "multilabel", Gaps("none", shortest=0.05, margin=0.3)),
    ]
    for unit, task, gaps in asked:
        table, more, _ = expand(file, videos, unit, gaps=gaps, task=task)
        whole = gaps.shortest or set(table["video"]) == set(file.rows["video"])
        if not more and not problems and not whole:
            raise Wrong("a video is left out without a word")
        if not draws and "split" not in table:
            continue
        split, said, _ = with_splits(file, table, groups[None][0], None, None, 0, None, task)
        if problems or more or said:
            continue
        if not (said := check_splits(split)):
            remarks(split)
        if split["split"].isna().any():
            raise Wrong("a video has no split")
    if problems:
        raise DataError(problems)


def video_of(name: str, path: Path) -> Video:
    """A video that is not opened."""
    info = VideoInfo(path, np.arange(FRAMES) / FPS, FPS, 64, 48, "pyav")
    return Video(name, info, None, "identity")


READER = Reader(
    _make, lambda: [text.encode() for text in _SEEDS], (DataError,), share=20, words=_WORDS
)
