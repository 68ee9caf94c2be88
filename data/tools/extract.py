"""``python -m data extract``: frames of videos as images, in a folder a video."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

import numpy as np
import pandas as pd

from data.console import Output, output
from data.errors import DataError, some
from data.files.path import File, place
from data.files.whole import write_table
from data.labels.file import read_labels
from data.labels.groups import find_videos
from data.labels.sets import TaskName
from data.labels.table import expand
from data.tools.extracting.images import Images, Job, safe
from data.tools.source import add_task, named_videos, parser
from data.videos.rejects import Reject, write_rejects
from data.videos.video import Video, open_videos, video_remarks

EXAMPLES = """
python -m data extract VIDEOS --out frames --fps 5
python -m data extract VIDEOS --out frames --fps 5 --size 320x240 --labels labels.csv
python -m data extract VIDEOS --out frames --labels labels.csv --by label
"""


@dataclass(frozen=True)
class Extracted:
    """What was extracted.

    Attributes:
        videos: how many, with those that were there already.
        there: how many were there already.
        images: how many were written now.
        rejects: videos that don't decode to their end; images of what is before it are there.
        labels: the label file of the images, if there are labels.
    """

    videos: int
    there: int
    images: int
    rejects: list[Reject]
    labels: Path | None


def extract(
    videos: File,
    folder: Path,
    images: Images,
    output: Output,
    *,
    labels: File | None = None,
    by_label: bool = False,
    task: TaskName = "multiclass",
) -> Extracted:
    """Write frames to ``folder/VIDEO/VIDEO_00001.jpg`` and so on, with ``fps.txt`` beside them.

    Numbers are from 1, of the frames at the rate of `images`. What is there of an earlier call stays,
    so that an interrupted one goes on.

    Args:
        labels: only labelled frames are written, and ``labels.csv``, which names the images.
        by_label: ``folder/LABEL/VIDEO/VIDEO_00001.jpg``.
        task: ``multilabel``: labels may overlap; a frame's label is the set of its classes.

    Raises:
        DataError: there are no videos, labels are wrong, or the folder has images made in another way.
    """
    named = named_videos(videos)
    if labels is None:
        table = dict[str, pd.DataFrame]()
        with output.bar("opening videos", len(named)) as advance:
            opened, rejects = open_videos(named, images.fps, on_video=advance)
    else:
        table, opened, rejects = _labelled(named, videos, labels, images.fps, output, task)
    if images.fps is None and (uneven := [name for name in opened if _uneven(opened[name])]):
        output.warn(
            f"warning: {some(uneven)}: frames come at no even rate, as images do: give --fps"
        )
    for remark in video_remarks(opened):
        output.warn(f"warning: {remark}")
    places = _places(opened)
    jobs = [
        Job(opened[name], folder, places[name], images, table.get(name), by_label)
        for name in opened
        if labels is None or name in table
    ]
    if problems := [problem for job in jobs for problem in job.problems()]:
        raise DataError(problems)
    waiting = [job for job in jobs if not job.done]
    total = sum(len(job.video) for job in waiting)
    with (
        output.bar("extracting frames", total) as advance,
        ThreadPoolExecutor(os.cpu_count()) as pool,
    ):
        results = list(pool.map(lambda job: job.run(advance), waiting))
    rejects += [result for result in results if isinstance(result, Reject)]
    listed = None
    if labels is not None:
        listed = folder / "labels.csv"
        write_table(listed, pd.concat([job.labelled() for job in jobs] or [pd.DataFrame()]))
    write_rejects(rejects, folder)
    written = sum(result for result in results if isinstance(result, int))
    return Extracted(len(jobs), len(jobs) - len(waiting), written, rejects, listed)


def _labelled(
    named: Mapping[str, File],
    folder: File,
    labels: File,
    fps: float | None,
    output: Output,
    task: TaskName,
) -> tuple[dict[str, pd.DataFrame], dict[str, Video], list[Reject]]:
    """The sampled frames of each video that have labels, the videos, and those that don't open.

    Raises:
        DataError: everything that is wrong with the labels, at once.
    """
    file = read_labels(labels)
    notes: list[str] = []
    paths, problems = find_videos(file, list(named.values()), folder, notes.append)
    with output.bar("opening videos", len(paths)) as advance:
        videos, rejects = open_videos(paths, None, on_video=advance)
    # Labels are of the file's own frames, at whatever rate these are extracted.
    table, more, warnings = expand(file, videos, task=task)
    if problems := [*file.problems, *(f"{labels}: {problem}" for problem in problems), *more]:
        raise DataError(problems)
    if missing := len(named) - len(paths):
        warnings.append(f"{missing} of {len(named)} videos have no labels: left out")
    for warning in [*file.notes, *(f"{labels}: {note}" for note in notes), *warnings]:
        output.warn(f"warning: {warning}")
    names = {path: name for name, path in named.items()}
    of, opened = dict[str, pd.DataFrame](), dict[str, Video]()
    for label, rows in table.groupby("video", observed=True):
        name = names[paths[str(label)]]
        video = opened[name] = replace(videos[str(label)], name=name, fps=fps)
        sampled = pd.DataFrame({"sample": range(len(video)), "frame": video.indices})
        rows = sampled.merge(rows.drop(columns=["video", "time"]), on="frame")
        if len(rows):
            of[name] = rows.drop(columns="frame").rename(columns={"sample": "frame"})
        else:
            output.warn(f"warning: {name}: no frame at {fps:g} a second has a label")
    return of, opened, rejects


def _uneven(video: Video) -> bool:
    even = np.arange(len(video.info)) / video.info.fps
    return bool(np.abs(video.info.times - even).max() > 0.5 / video.info.fps)


def _places(videos: Mapping[str, Video]) -> dict[str, PurePath]:
    """Where the images of each video go: its name, as every system takes it.

    Raises:
        DataError: two videos would share a folder.
    """
    places, of = {}, dict[str, str]()
    for name in videos:
        path = PurePath(*(safe(part) for part in PurePath(name).parts))
        places[name] = path
        other = of.setdefault(str(path).lower(), name)
        if other != name:
            problem = (
                f"videos '{other}' and '{name}' would have the same folder, {path}: rename one"
            )
            raise DataError([problem])
    return places


def _size(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"([1-9]\d{0,4})x([1-9]\d{0,4})", text.lower())
    if not found:
        raise argparse.ArgumentTypeError(f"'{text}' is not width and height, such as 320x240")
    return int(found[1]), int(found[2])


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0
    if not 0 < value < 1e6:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number above 0")
    return value


def main(arguments: list[str]) -> int:
    """Run the tool; returns the exit status."""
    of = parser("extract", "Write frames of videos as images, in a folder a video.", EXAMPLES)
    of.add_argument("videos", metavar="VIDEOS", help="a video, or a folder of videos")
    of.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="where images go")
    of.add_argument("--fps", type=_positive, help="images a second; all frames if not given")
    of.add_argument("--size", type=_size, metavar="WxH", help="such as 320x240")
    of.add_argument("--format", choices=("jpg", "png"), default="jpg", help="jpg if not given")
    of.add_argument(
        "--labels", metavar="FILE", help="write labelled frames alone, and their labels"
    )
    of.add_argument(
        "--by", choices=("video", "label"), default="video", help="the folders of images"
    )
    add_task(of)
    args = of.parse_args(arguments)
    if args.by == "label" and args.labels is None:
        of.error("--by label needs --labels FILE")
    done = extract(
        place(args.videos),
        args.out,
        Images(args.fps, args.size, args.format),
        output,
        labels=None if args.labels is None else place(args.labels),
        by_label=args.by == "label",
        task=args.task or "multiclass",
    )
    before = f" ({done.there} of them were there already)" if done.there else ""
    output.say(f"{done.images:,} images of {done.videos} videos{before} in {args.out}")
    if done.labels:
        output.say(f"their labels: {done.labels}")
    for reject in done.rejects:
        output.warn(f"not to its end: {reject.video}: {reject.reason} ({reject.path})")
    if done.rejects:
        output.warn(f"{len(done.rejects)} videos don't decode: {args.out / 'rejects.csv'}")
    elif done.labels:
        output.say(f"next:  python -m data check {args.out} --labels {done.labels}")
    return 1 if done.rejects else 0
