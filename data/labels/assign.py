"""The split of each labelled video: of the labels, a list, names, or drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from data.cells.columns import mapped
from data.errors import nearest, some
from data.labels.draw import draw_splits
from data.labels.file import LabelFile
from data.labels.groups import Groups
from data.labels.sets import TaskName, by_class
from data.labels.splits import named_splits

Said = tuple[list[str], list[str]]  # problems, warnings


def with_splits(
    file: LabelFile,
    table: pd.DataFrame,
    groups: Groups,
    valid: Sequence[str] | float | None,
    test: Sequence[str] | float | None,
    seed: int,
    listed: LabelFile | None = None,
    task: TaskName = "multiclass",
) -> tuple[pd.DataFrame, list[str], list[str]]:
    """`table` with its column ``split``; problems; warnings.

    Args:
        valid, test: names of videos or groups, or shares of the labelled frames.
        listed: a list of splits, in place of these two.
        task: ``multilabel``: each class of a label counts by itself when splits are drawn.
    """
    given = valid is not None or test is not None
    if "split" in table:
        if given or listed is not None:
            note = f"{file.path} has a column 'split' and data.splits is set too; set one of them"
            return table, [note], []
        once = table.drop_duplicates("video", keep="last")
        splits = dict(zip(once["video"], once["split"], strict=True))
        said: Said = ([], []) if file.problems else _parted(groups, splits)
        return table, *said
    if listed is not None:
        splits, problems = _listed(file, table, listed)
        said = (problems, []) if problems else _parted(groups, splits)
    elif isinstance(valid, (list, tuple)) or isinstance(test, (list, tuple)):
        if isinstance(valid, float) or isinstance(test, float):
            problem = "data.splits: valid and test must both be names or both be shares"
            return table.assign(split=mapped(table["video"], lambda _: "train")), [problem], []
        named = list(valid or []), list(test or [])
        splits, problems = named_splits(groups.of, *named, groups.by)
        said = (problems, []) if problems else _parted(groups, splits)
    else:
        shares = (0.15, 0.15) if not given else (float(valid or 0), float(test or 0))  # type: ignore[arg-type]
        shown = by_class(table) if task == "multilabel" else table
        splits, said = _drawn(file, shown, groups, shares, seed)
    return table.assign(split=mapped(table["video"], splits.get)), *said


def _parted(groups: Groups, splits: Mapping[str, str]) -> Said:
    """What is said of groups that splits part which a user has given."""
    parted = groups.parted(splits)
    if not parted:
        return [], []
    where = some(f"{group} ({', '.join(names)})" for group, names in parted.items())
    if groups.asked:
        problem = (
            f"data.splits.by: {groups.by} keeps the videos of a {groups.by} together, but "
            f"{len(parted)} are in several splits: {where}; put all their videos into one"
        )
        return [problem], []
    warning = (
        f"videos of a {groups.by} are in several splits: {where}; figures are then better than those "
        f"of a new {groups.by} will be"
    )
    return [], [warning]


def _listed(
    file: LabelFile, table: pd.DataFrame, listed: LabelFile
) -> tuple[dict[str, str], list[str]]:
    """The splits of a list that has every video of the labels, and no other."""
    problems = list(listed.problems)
    for name in listed.videos:
        if name not in file.videos:
            problems.append(
                f"{listed.path}: video '{name}' has no label in {file.path}"
                f"{nearest(name, file.videos)}"
            )
    videos = list(table["video"].unique())
    if missing := [video for video in videos if video not in listed.videos]:
        problems.append(
            f"{listed.path}: {len(missing)} of {len(videos)} labelled videos have no split in it: "
            f"{some(missing)}; add a row for each"
        )
    return dict(zip(listed.rows["video"], listed.rows["split"], strict=True)), problems


def _drawn(
    file: LabelFile,
    table: pd.DataFrame,
    groups: Groups,
    shares: tuple[float, float],
    seed: int,
) -> tuple[dict[str, str], Said]:
    by, videos = groups.by, list(table["video"].unique())
    trained = dict.fromkeys(videos, "train")
    if len(file.videos) == 1:
        problem = (
            f"{file.path} has one labelled video; at least two are needed, one to train and one "
            "to validate"
        )
        return trained, ([problem], [])
    if len(videos) < 2:  # the others don't open, or have problems, which are reported
        return trained, ([], [])
    of = {video: groups.of[video] for video in videos}
    finer = "; data.splits.by: video draws each video by itself" if by != "video" else ""
    if len(set(of.values())) == 1:
        problem = (
            f"all videos are of one {by}, '{groups.of[videos[0]]}', so that none of another is left to "
            f"validate on; label videos of another {by}, or name videos under data.splits{finer}"
        )
        return trained, ([problem], [])
    counts: dict[str, dict[str, int]] = {}
    for (video, label), count in table.groupby(["video", "label"]).size().items():
        counts.setdefault(video, {})[label] = count
    plain = by == "video" and "frame" in table
    splits = draw_splits(counts, *shares, seed, None if plain else of)
    if shares[0] and "valid" not in splits.values():
        problem = (
            f"splits can't be drawn by {by}: each {by} is the only one with some class, which has to be "
            f"trained on, so that none is left to validate on; label more of them{finer}"
        )
        return trained, ([problem], [])
    drawn = {
        split: sorted({of[video] for video in videos if splits[video] == split})
        for split in ("valid", "test")
    }
    note = (
        f"splits were drawn by {by} (data.splits): valid {some(drawn['valid'])}; "
        f"test {some(drawn['test']) or 'none'}"
    )
    if shares[1] and not drawn["test"]:
        note += f", as train needs the others for all classes, or there are too few of a {by}"
    if by != "video" and not groups.asked:
        note += f"; by {by}, since the labels have that column{finer}"
    return splits, ([], [note])
