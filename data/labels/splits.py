"""Which videos are for training, validation and test: given, named, or drawn by video."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

SPLITS = ("train", "valid", "test")


def named_splits(
    videos: Sequence[str], valid: Sequence[str], test: Sequence[str]
) -> tuple[dict[str, str], list[str]]:
    """Splits by naming the valid and test videos; every other video is for training.

    Returns:
        video to split, and problems.
    """
    problems = [
        f"data.splits: '{name}' is named for {split}, but no label names that video"
        for split, names in (("valid", valid), ("test", test))
        for name in names
        if name not in videos
    ]
    problems += [
        f"data.splits: '{name}' is named for both valid and test"
        for name in sorted(set(valid) & set(test))
    ]
    chosen = dict.fromkeys(valid, "valid") | dict.fromkeys(test, "test")
    return {video: chosen.get(video, "train") for video in videos}, problems


def draw_splits(
    counts: Mapping[str, Mapping[str, int]], valid: float, test: float, seed: int
) -> dict[str, str]:
    """Draw splits by video, so that the classes have about the same shares in each split.

    It draws 500 times and takes the draw whose class counts are nearest to the wanted shares (summed
    absolute differences; rare classes weigh as much as common ones).

    Args:
        counts: video to class to number of labelled frames.
        valid, test: shares of all frames.
    """
    table = pd.DataFrame(counts).fillna(0).T.sort_index()
    share = table.to_numpy(float) / table.to_numpy(float).sum(axis=0, keepdims=True)
    wanted = np.array([1 - valid - test, valid, test])
    rng = np.random.default_rng(seed)
    best, best_cost = np.zeros(len(table), int), np.inf
    needed = [index for index in range(3) if wanted[index] > 0]
    for _ in range(500):
        draw = rng.choice(3, size=len(table), p=wanted / wanted.sum())
        order = rng.permutation(len(table))
        count = min(len(needed), len(table))
        draw[order[:count]] = needed[:count]  # every wanted split gets a video
        got = np.stack([share[draw == index].sum(axis=0) for index in range(3)])
        cost = np.abs(got - wanted[:, None]).sum() + 10 * np.sum(got[0] == 0)
        if cost < best_cost:
            best, best_cost = draw, cost
    return {str(video): SPLITS[index] for video, index in zip(table.index, best, strict=True)}


def check_splits(table: pd.DataFrame) -> list[str]:
    """Problems that would make training or selection meaningless."""
    problems = []
    present = {split: set(table.loc[table["split"] == split, "label"]) for split in SPLITS}
    for split in ("train", "valid"):
        if not present[split]:
            problems.append(
                f"no labelled video is in split '{split}'; name videos for it in column 'split' "
                "or under data.splits"
            )
    if present["train"]:
        for label in sorted((present["valid"] | present["test"]) - present["train"]):
            where = [split for split in ("valid", "test") if label in present[split]]
            problems.append(
                f"class '{label}' is in {' and '.join(where)} but not in train, so it can't be "
                "learnt; move a video that shows it to train"
            )
        if len(present["train"]) == 1 and len(set(table["label"])) == 1:
            problems.append(
                f"there is one class only, '{next(iter(present['train']))}'; a classifier needs two"
            )
    return problems
