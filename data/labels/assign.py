"""The split of each labelled video: of the labels, a list, names, or drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from data.cells.columns import mapped
from data.errors import nearest, some
from data.labels.draw import class_counts, draw_splits
from data.labels.file import LabelFile
from data.labels.groups import Groups
from data.labels.sets import TaskName, by_class
from data.labels.splits import SPLITS, named_splits

Said = tuple[list[str], list[str]]  # problems, warnings
_FEW = 3
_SHARE = 0.15  # of valid, and of test


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
        valid, test: names of videos or groups, or shares of the labelled frames. Where videos are named
            for train and test alone, those to validate on are drawn from train.
        listed: a list of splits, in place of these two.
        task: ``multilabel``: each class of a label counts by itself when splits are drawn.
    """
    given = valid is not None or test is not None
    if "split" in table:
        if given or listed is not None:
            note = f"{file.path} has a column 'split' and data.splits is set too; set one of them"
            return table, [note], []
        if file.problems:
            return table, [], []
        once = table.drop_duplicates("video", keep="last")
        splits = dict(zip(once["video"], once["split"], strict=True))
        said, validated = _parted(groups, splits), "valid" in set(file.rows["split"])
    elif listed is not None:
        validated = "valid" in set(listed.rows["split"])
        splits, said = _listed(file, table, groups, listed)
        if not said[0]:
            problems, warnings = _parted(
                groups, {v: s for v, s in splits.items() if v in groups.of}
            )
            said = problems, [*said[1], *warnings]
    elif isinstance(valid, (list, tuple)) or isinstance(test, (list, tuple)):
        if isinstance(valid, float) or isinstance(test, float):
            problem = "data.splits: valid and test must both be names or both be shares"
            return table.assign(split=mapped(table["video"], lambda _: "train")), [problem], []
        named, validated = (list(valid or []), list(test or [])), bool(valid)
        splits, problems = named_splits(groups.of, *named, groups.by)
        said = (problems, []) if problems else _parted(groups, splits)
    else:
        shares = (_SHARE, _SHARE)
        if given:
            shares = float(valid or 0), float(test or 0)  # type: ignore[arg-type]
        shown = by_class(table) if task == "multilabel" else table
        splits, said = _drawn(file, shown, groups, shares, seed)
        return table.assign(split=mapped(table["video"], splits.get)), *said
    learnt = table[mapped(table["video"], splits.get) == "train"]
    if len(learnt) and not (validated or file.problems or said[0]):
        shown = by_class(learnt) if task == "multilabel" else learnt
        share = min(_SHARE * len(table) / len(learnt), 0.5)
        parted, more = _drawn(file, shown, groups, (share, 0.0), seed, of_train=True)
        splits |= parted
        said = more[0], [*said[1], *more[1]]
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
    file: LabelFile, table: pd.DataFrame, groups: Groups, listed: LabelFile
) -> tuple[dict[str, str], Said]:
    """The splits of a list, in which videos that were labelled later may be missing.

    A new video is for training, or where the videos of its group are: what is tested on stays as it is.
    """
    problems, warnings = list(listed.problems), list[str]()
    splits = dict(zip(listed.rows["video"], listed.rows["split"], strict=True))
    new = [str(video) for video in table["video"].unique() if video not in listed.videos]
    gone = [name for name in listed.videos if name not in file.videos]
    if gone and new:  # a name may be misspelt, and a video of the test would be trained on
        listing = [f"'{name}'{nearest(name, new)}" for name in gone[:_FEW]]
        problems.append(
            f"{listed.path}: {len(gone)} of its videos have no label in {file.path}: "
            f"{some(listing)}{f' and {len(gone) - _FEW} more' if len(gone) > _FEW else ''}, and "
            f"{len(new)} labelled videos are not in it: {some(new)}; correct the names, or delete the "
            "rows of videos without a label"
        )
    elif gone:
        warnings.append(
            f"{listed.path}: {len(gone)} of its videos have no label, and are left out: {some(gone)}"
        )
    elif new and not problems:
        of_group: dict[str, set[str]] = {}
        for video, split in splits.items():
            of_group.setdefault(groups.of[video], set()).add(split)
        placed = {}
        for video in new:
            of_own = of_group.get(groups.of[video], set())
            placed[video] = next(iter(of_own)) if len(of_own) == 1 else "train"
        by_split = "; ".join(
            f"{split} {some(names)}"
            for split in SPLITS
            if (names := [video for video in new if placed[video] == split])
        )
        warnings.append(
            f"{listed.path}: {len(new)} labelled videos are not in it, and new: {by_split}. A new video "
            f"is for training, or in the split of its {groups.by}"
        )
        splits |= placed
    return splits, (problems, warnings)


def _drawn(
    file: LabelFile,
    table: pd.DataFrame,
    groups: Groups,
    shares: tuple[float, float],
    seed: int,
    *,
    of_train: bool = False,
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
    splits, said = _draw(table, of, by, shares, seed), list[str]()
    if shares[0] and "valid" not in splits.values():
        why = _none_to_validate_on(of, by)
        if groups.asked or by == "video":
            return trained, ([f"{why}; {_remedy(of, by)}"], [])
        splits = _draw(table, {video: video for video in videos}, "video", shares, seed)
        if "valid" not in splits.values():
            return trained, ([f"{why}, nor if they are drawn by video; {_remedy(of, 'video')}"], [])
        said = [
            f"{why}: splits are drawn by video instead. Figures are then better than those of a new "
            f"{by} will be"
        ]
        of, by = {video: video for video in videos}, "video"
    drawn = {
        split: sorted({of[video] for video in videos if splits[video] == split})
        for split in ("valid", "test")
    }
    valid, test = some(drawn["valid"]), some(drawn["test"]) or "none"
    if of_train:
        note = f"no video is named for valid, so a part of train was drawn for it, by {by}: {valid}"
    else:
        note = f"splits were drawn by {by} (data.splits): valid {valid}; test {test}"
    if shares[1] and not drawn["test"]:
        note += f", as train needs the others for all classes, or there are too few of a {by}"
    if by != "video" and not groups.asked:
        note += (
            f"; by {by}, since the labels have that column; data.splits.by: video draws each video by "
            "itself"
        )
    return splits, ([], [*said, note])


def _draw(
    table: pd.DataFrame, of: Mapping[str, str], by: str, shares: tuple[float, float], seed: int
) -> dict[str, str]:
    """The split of each video, of groups `of` videos, as of `draw_splits`."""
    plain = by == "video" and "frame" in table
    return draw_splits(class_counts(table), *shares, seed, None if plain else of)


def _none_to_validate_on(of: Mapping[str, str], by: str) -> str:
    """Why no group can be spared from training."""
    if len(set(of.values())) == 1:
        return (
            f"all videos are of one {by}, '{next(iter(of.values()))}', so that none of another is left "
            "to validate on"
        )
    return (
        f"splits can't be drawn by {by}: each {by} is the only one with some class, which has to be "
        "trained on, so that none is left to validate on"
    )


def _remedy(of: Mapping[str, str], by: str) -> str:
    if by == "video":
        return "label more of them"
    more = f"label videos of another {by}, or name videos under data.splits"
    if len(set(of.values())) > 1:
        more = "label more of them"
    return f"{more}; data.splits.by: video draws each video by itself"
