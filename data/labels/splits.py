"""Which videos are for training, validation and test: named or listed; what is wrong with splits."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from data.errors import nearest, some
from data.files.whole import write_table

SPLITS = ("train", "valid", "test")
SPLITS_FILE = "splits.csv"
_FEW = 3  # videos of a class in a split, below which its figures say little


def named_splits(
    groups: Mapping[str, str], valid: Sequence[str], test: Sequence[str], by: str = "video"
) -> tuple[dict[str, str], list[str]]:
    """Splits by naming videos, or groups of them, for valid and test; all others are for training.

    Args:
        groups: video to group.
        by: what a group is.

    Returns:
        video to split, and problems.
    """
    members: dict[str, list[str]] = {video: [video] for video in groups}
    for video, group in groups.items():
        if group not in groups:
            members.setdefault(group, []).append(video)
        elif group != video:
            members[group] = []  # of two meanings
    problems = []
    chosen: dict[str, str] = {}
    for split, names in (("valid", valid), ("test", test)):
        for name in names:
            if members.get(name) == []:
                problems.append(
                    f"data.splits: '{name}' is named for {split}, and is a video and a {by}; "
                    f"name the videos of that {by}"
                )
            elif name not in members:
                problems.append(
                    f"data.splits: '{name}' is named for {split}, but no label names that video"
                    f"{'' if by == 'video' else f' or {by}'}{nearest(name, members)}"
                )
            elif {chosen.get(video, split) for video in members[name]} != {split}:
                problems.append(f"data.splits: '{name}' is named for both valid and test")
            else:
                chosen |= dict.fromkeys(members[name], split)
    return {video: chosen.get(video, "train") for video in groups}, problems


def check_splits(table: pd.DataFrame) -> list[str]:
    """Problems that would make training or selection meaningless."""
    problems = []
    pairs = table.drop_duplicates(["split", "label"])
    present = {split: set(pairs.loc[pairs["split"] == split, "label"]) for split in SPLITS}
    for split in ("train", "valid"):
        if not present[split]:
            problems.append(
                f"no labelled video is in split '{split}'; name videos for it in column 'split' "
                "or under data.splits"
            )
    if present["train"]:
        problems += _unlearnt(present)
        if len(present["train"]) == 1 and len(set(pairs["label"])) == 1:
            problems.append(
                f"there is one class only, '{next(iter(present['train']))}'; a classifier needs two"
            )
    return problems


def _unlearnt(present: Mapping[str, set[str]]) -> list[str]:
    """A problem if there are classes that train lacks.

    Args:
        present: classes of each split.
    """
    where = {
        label: " and ".join(split for split in ("valid", "test") if label in present[split])
        for label in sorted((present["valid"] | present["test"]) - present["train"])
    }
    if not where:
        return []
    if len(where) == 1:
        ((label, splits),) = where.items()
        return [
            f"class '{label}' is in {splits} but not in train, so it can't be learnt; move a video that "
            "shows it to train"
        ]
    listed = some(f"'{label}' in {splits}" for label, splits in where.items())
    return [
        f"{len(where)} classes are not in train, so they can't be learnt ({listed}); move videos that "
        "show them to train"
    ]


def remarks(table: pd.DataFrame) -> list[str]:
    """What is to be known of splits that can be trained on: classes that they lack or hardly have.

    Args:
        table: ``video, label, split``, as of `check_splits`.
    """
    pairs = table.drop_duplicates(["video", "label"]).astype(str)
    counts = pd.crosstab(pairs["label"], pairs["split"]).reindex(columns=SPLITS, fill_value=0)
    single = counts.sum(axis=1) == 1
    said = []
    alone = pairs[pairs["label"].isin(counts.index[single])].sort_values("label")
    if len(alone) == 1:
        label, video = alone.iloc[0][["label", "video"]]
        said.append(
            f"class '{label}' has a single video, '{video}': it is trained on, and no figure will tell "
            "how well the class is recognised; label more videos of it"
        )
    elif len(alone):
        of = some(f"{row.label} {row.video}" for row in alone.itertuples())
        said.append(
            f"{len(alone)} classes have a single video each ({of}): these are trained on, and no figure "
            "will tell how well the classes are recognised; label more videos of them"
        )
    others = counts[~single]
    for split, matter in (
        ("valid", "they play no part in choosing the best model"),
        ("test", "its figures leave them out"),
    ):
        lacking = [f"'{label}'" for label in others.index[others[split] == 0]]
        if lacking and counts[split].any():
            said.append(f"no video in {split} shows {some(lacking)}: {matter}")
    few = {
        label: [f"{row[split]} in {split}" for split in SPLITS if 0 < row[split] < _FEW]
        for label, row in others.to_dict("index").items()
    }
    if thin := [f"{label} {', '.join(where)}" for label, where in few.items() if where]:
        said.append(
            f"classes with fewer than {_FEW} videos in a split: {some(thin)}; their figures there "
            "say little"
        )
    return said


def write_splits(splits: pd.DataFrame, folder: Path) -> str | None:
    """``splits.csv``: ``video, split, group``, which ``data.splits.file`` takes.

    A column ``fold`` that `write_folds` has added stays.

    Returns:
        what to tell if videos have changed their split since it was last written; that list is then
        in ``splits_before.csv``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path, told = folder / SPLITS_FILE, None
    if path.exists():
        rows = _read(path)
        before = {row["video"]: row["split"] for row in rows}
        folds = {row["video"]: row["fold"] for row in rows if "fold" in row}
        if folds:
            splits = splits.assign(fold=[folds.get(video, "") for video in splits["video"]])
        moved = [
            f"{video} from {before[video]} to {split}"
            for video, split in zip(splits["video"], splits["split"], strict=True)
            if before.get(video, split) != split
        ]
        if moved:
            path = path.replace(folder / "splits_before.csv")
            told = (
                f"{len(moved)} videos are in another split than before ({some(moved)}): models trained "
                "before may have seen what they are tested on now; data.splits.file can name the list "
                f"of before, {path}"
            )
    write_table(folder / SPLITS_FILE, splits)
    return told


def write_folds(folds: Mapping[str, int], folder: Path) -> None:
    """Add a column ``fold`` to ``splits.csv``: which fold a video validates; empty for test videos."""
    splits = pd.DataFrame(_read(folder / SPLITS_FILE))
    fold = [folds.get(video, "") for video in splits["video"]]
    write_table(folder / SPLITS_FILE, splits.assign(fold=fold))


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
