"""What is to be said of labels and splits, against videos that were measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd

from data.errors import DataError, some
from data.files.path import File, place, relative
from data.labels.assign import with_splits
from data.labels.file import LabelFile, read_labels, read_splits
from data.labels.groups import Groups, find_videos, group_videos
from data.labels.sets import by_class, classes_of
from data.labels.splits import check_splits, remarks
from data.labels.table import Unit, expand
from data.tools.checking.findings import Finding
from data.tools.checking.measure import Measured
from data.tools.source import Source
from data.videos.rejects import Reject
from data.videos.video import Video


@dataclass
class Labelled:
    """What labels say of the videos.

    Attributes:
        classes: of each video, by the name of its file.
        splits: of each labelled video, by the name of its file.
        table: as of `Dataset`; empty if the labels can't be read.
    """

    findings: list[Finding] = field(default_factory=list)
    classes: dict[str, list[str]] = field(default_factory=dict)
    splits: dict[str, str] = field(default_factory=dict)
    table: pd.DataFrame = field(default_factory=pd.DataFrame)

    def say(self, level: Any, kind: str, *texts: str) -> None:
        self.findings += [Finding(level, kind, text) for text in texts]


def check_labels(
    source: Source,
    files: Mapping[str, File],
    measured: Mapping[str, Measured],
    rejects: Mapping[str, Reject],
) -> Labelled:
    """Check the labels of a source.

    Args:
        files, measured, rejects: by the names of the files.
    """
    found = Labelled()
    assert source.labels is not None
    try:
        by = () if source.by is None else (source.by,)
        file = read_labels(source.labels, by, columns=source.columns)
    except DataError as error:
        found.say("wrong", "labels", *error.problems)
        return found
    found.say("wrong", "labels", *file.problems)
    notes = [*file.notes]
    paths, problems = find_videos(file, list(files.values()), source.videos, notes.append)
    found.say("look", "labels", *notes)
    found.say("wrong", "labels without a video", *problems)
    names = {path: name for name, path in files.items()}
    called = {video: names[path] for video, path in paths.items()}
    videos = {}
    for video, path in sorted(paths.items()):
        if (reject := rejects.get(called[video])) and not reject.used:
            text = f"video '{video}' has labels, and is left out: {reject.reason}"
            found.say("wrong", "labels without frames", text)
        else:
            videos[video] = _video(video, path, measured[called[video]], source)
    if without := sorted(files.keys() - set(called.values())):
        text = f"{len(without)} of {len(files)} videos have no labels: {some(without)}"
        found.say("look", "videos without labels", text)
    unit = _unit(file, source)
    table, problems, warnings = expand(file, videos, unit, source.numbers, task=source.task)
    found.say("wrong", "labels without frames", *problems)
    found.say("look", "labels", *warnings)
    if unit == "frame":
        found.findings += _unlabelled(table, videos)
    found.table = _splits(found, source, file, table, paths)
    for video, of_video in table.groupby("video", observed=True):
        labels = of_video["label"].astype(str).unique()
        found.classes[called[str(video)]] = classes_of(labels, source.task)
    if "split" in found.table:
        once = found.table.drop_duplicates("video").astype({"video": str, "split": str})
        found.splits = {
            called[video]: split for video, split in zip(once["video"], once["split"], strict=True)
        }
    return found


def _unit(file: LabelFile, source: Source) -> Unit:
    asked = source.settings.get("unit", "auto")
    return "video" if asked == "video" or (asked == "auto" and file.form == "video") else "frame"


def _video(name: str, path: File, measured: Measured, source: Source) -> Video:
    """A video as a search opens it, which is what was surveyed."""
    assert measured.survey is not None and measured.survey.info is not None
    info = replace(measured.survey.info, path=path)
    settings = source.settings
    return Video(name, info, settings.get("fps"), "", settings.get("max_frames"))


def _unlabelled(table: pd.DataFrame, videos: Mapping[str, Video]) -> Iterator[Finding]:
    """Frames of labelled videos that have none."""
    counts = table.groupby("video", observed=True).size().to_dict()
    without = {name: len(video) - counts.get(name, 0) for name, video in videos.items()}
    total, missing = sum(len(video) for video in videos.values()), sum(without.values())
    if missing > 0:
        most = sorted((name for name in without if without[name]), key=lambda name: -without[name])
        where = some((f"{name} {without[name]:,} of {len(videos[name]):,}" for name in most), 3)
        yield Finding(
            "look",
            "frames without labels",
            f"{missing:,} of {total:,} frames of labelled videos have no label ({where}): they are not "
            "trained on",
        )


def _splits(
    found: Labelled, source: Source, file: LabelFile, table: pd.DataFrame, paths: Mapping[str, File]
) -> pd.DataFrame:
    """The table with its splits, if there are any that can be checked."""
    groups, problems = group_videos(file, paths, source.videos, source.by)
    found.say("wrong", "groups", *problems)
    given = source.splits
    if problems or table.empty:
        return table
    if "split" not in table and not given.keys() & {"valid", "test", "file"}:
        return table  # they will be drawn, and by group
    try:
        listed = read_splits(place(given["file"])) if "file" in given else None
    except DataError as error:
        found.say("wrong", "splits", *error.problems)
        return table
    shares = (None, None) if listed else (given.get("valid"), given.get("test"))
    table, problems, warnings = with_splits(
        file, table, groups, *shares, given.get("seed", 0), listed, source.task
    )
    found.say("wrong", "splits", *problems)
    if problems or "split" not in table:
        return table
    once = table.drop_duplicates("video").astype({"video": str, "split": str})
    splits = dict(zip(once["video"], once["split"], strict=True))
    parted = groups.parted(splits)
    if not parted:
        found.say("look", "splits", *warnings)
    found.findings += _leaks(parted, groups, splits, paths, source.videos)
    shown = by_class(table) if source.task == "multilabel" else table
    found.say("wrong", "splits", *check_splits(shown))
    found.say("look", "splits", *remarks(shown))
    return table


def _leaks(
    parted: Mapping[str, list[str]],
    groups: Groups,
    splits: Mapping[str, str],
    paths: Mapping[str, File],
    folder: File,
) -> Iterator[Finding]:
    if parted:
        where = some(f"{group} ({', '.join(of_group)})" for group, of_group in parted.items())
        text = f"videos of one {groups.by} are in several splits: {where}; put them into one"
        yield Finding("wrong", "splits leak", text)
    if groups.by != "video":
        return
    parents = {video: relative(path, folder).parent.as_posix() for video, path in paths.items()}
    by_folder = Groups("folder", parents).parted({v: splits[v] for v in splits if v in parents})
    if by_folder and len(set(parents.values())) > 1:
        where = some(f"{group} ({', '.join(of_group)})" for group, of_group in by_folder.items())
        text = (
            f"videos of one folder are in several splits: {where}; if a folder is a site, "
            "data.splits.by: folder keeps them together"
        )
        yield Finding("look", "splits leak", text)
