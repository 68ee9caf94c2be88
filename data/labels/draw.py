"""Splits and folds that are drawn: stratified by class, and never a group of videos in two of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain

import numpy as np
import pandas as pd

from data.errors import DataError
from data.labels.splits import SPLITS

_DRAWS = 500
_MANY = 20  # groups, from which on chance alone seldom finds a good draw
_ROWS = 5000  # that stand for all labelled frames when folds are made; more are slower, not better
_TRAIN, _VALID, _TEST = range(3)


def draw_splits(
    counts: Mapping[str, Mapping[str, int]],
    valid: float,
    test: float,
    seed: int,
    groups: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Draw splits by group, so that the classes have about the same shares in each split.

    It draws 500 times and takes the draw whose class counts are nearest to the wanted shares (summed
    absolute differences; rare classes weigh as much as common ones). All classes are in train, if need
    be at the cost of an empty test or valid split; as many as possible are in valid, then in test. From
    20 groups on, folds of scikit-learn's StratifiedGroupKFold are among the draws: there they are
    nearer than chance, and with few groups mostly further, as they are made for equal folds.

    Args:
        counts: video to class to number of labelled frames.
        valid, test: shares of all frames.
        groups: video to group; None: each video is one, and draws are those of earlier versions, whose
            searches are evaluated on the same test videos.
    """
    of = {video: video for video in counts} if groups is None else groups
    table = _by_group(counts, of)
    amounts = table.to_numpy(float)
    share = amounts / amounts.sum(axis=0, keepdims=True)
    wanted = np.array([1 - valid - test, valid, test])
    best = None
    if groups is None:
        draws = _random(len(table), wanted, np.random.default_rng(seed))
        best = _nearest(draws, share, wanted, lacking=(10, 0, 0))
    if best is None or not share[best == _TRAIN].sum(axis=0).all():
        rng = np.random.default_rng(seed)
        draws = _random(len(table), wanted, rng)
        if len(table) >= _MANY:
            draws = chain(draws, _folded(amounts, wanted, rng))
        best = _nearest(_mended(draws, share), share, wanted, lacking=(10, 2, 1))
    if best is None:  # each group is the only one of some class
        best = np.zeros(len(table), int)
    split = {group: SPLITS[index] for group, index in zip(table.index, best, strict=True)}
    return {video: split[of[video]] for video in sorted(counts)}


def class_counts(table: pd.DataFrame) -> dict[str, dict[str, int]]:
    """Video to class to number of rows, of a label table."""
    counts: dict[str, dict[str, int]] = {}
    for (video, label), count in table.groupby(["video", "label"], observed=True).size().items():
        counts.setdefault(str(video), {})[str(label)] = int(count)
    return counts


def mended(
    splits: Mapping[str, str], table: pd.DataFrame, groups: Mapping[str, str]
) -> dict[str, str]:
    """Splits with every class in train, as the largest group of one that is missing moves there.

    A split that this empties gets another group, one that train can spare and that is as large.

    Args:
        table: ``video, label``, of the videos that there are.
        groups: video to group.
    """
    by_group = _by_group(class_counts(table), groups)
    split_of = {groups[video]: SPLITS.index(split) for video, split in splits.items()}
    draw, amounts = (
        np.array([split_of[group] for group in by_group.index]),
        by_group.to_numpy(float),
    )
    (made,) = _mended([draw.copy()], amounts)
    for index in (_VALID, _TEST):
        if (draw == index).any() and not (made == index).any():
            _spare(made, index, amounts, amounts[draw == index].sum())
    split = {group: SPLITS[index] for group, index in zip(by_group.index, made, strict=True)}
    return {video: split[groups[video]] for video in splits if groups[video] in split}


def _spare(draw: np.ndarray, split: int, amounts: np.ndarray, wanted: float) -> None:
    """Move the group that is nearest to `wanted` in size, of those that train can spare, to a split."""
    found = [
        group
        for group in np.flatnonzero(draw == _TRAIN)
        if np.delete(amounts, group, axis=0)[np.delete(draw, group) == _TRAIN].any(axis=0).all()
    ]
    if found:
        draw[min(found, key=lambda group: abs(amounts[group].sum() - wanted))] = split


def _by_group(counts: Mapping[str, Mapping[str, int]], groups: Mapping[str, str]) -> pd.DataFrame:
    """Labelled frames by group (rows, sorted) and class (columns, sorted)."""
    table = pd.DataFrame(counts).fillna(0).T.sort_index().sort_index(axis=1)
    return table.groupby(table.index.map(groups)).sum()


def _random(groups: int, wanted: np.ndarray, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Draws by chance, int ``[groups]`` of indices of `SPLITS`."""
    needed = [index for index in range(3) if wanted[index] > 0]
    for _ in range(_DRAWS):
        draw = rng.choice(3, size=groups, p=wanted / wanted.sum())
        order = rng.permutation(groups)
        count = min(len(needed), groups)
        draw[order[:count]] = needed[:count]  # every wanted split gets a group
        yield draw


def _folded(
    amounts: np.ndarray, wanted: np.ndarray, rng: np.random.Generator
) -> Iterator[np.ndarray]:
    """Draws made of the folds of StratifiedGroupKFold, as of `_random`."""
    smallest = min(share for share in wanted if share > 0)
    count = int(np.clip(round(1 / smallest), 3, 20))
    sizes = [max(1, round(share * count)) if share else 0 for share in wanted[1:]]
    for _ in range(2):
        folds = stratified(amounts, count, int(rng.integers(2**31)))
        for _ in range(_DRAWS // 10):
            order = rng.permutation(count)
            split = np.zeros(count, int)
            split[order[: sizes[0]]] = _VALID
            split[order[sizes[0] : sum(sizes)]] = _TEST
            yield split[folds]


def _mended(draws: Iterable[np.ndarray], share: np.ndarray) -> Iterator[np.ndarray]:
    """Draws whose classes are all in train, as the largest group of one that is missing moves there."""
    for draw in draws:
        for label in range(share.shape[1]):
            if not share[draw == _TRAIN, label].any():
                draw[np.argmax(share[:, label])] = _TRAIN
        yield draw


def _nearest(
    draws: Iterable[np.ndarray],
    share: np.ndarray,
    wanted: np.ndarray,
    lacking: tuple[float, float, float],
) -> np.ndarray | None:
    """The draw with the least cost; None if all leave valid empty although it is wanted.

    Args:
        share: of each class, ``[groups, classes]``; a class sums to one.
        lacking: what a class that a split lacks costs.
    """
    best, best_cost = None, np.inf
    weights = np.where(wanted > 0, lacking, 0)
    for draw in draws:
        if wanted[_VALID] > 0 and not (draw == _VALID).any():
            continue
        got = np.stack([share[draw == index].sum(axis=0) for index in range(3)])
        cost = np.abs(got - wanted[:, None]).sum() + weights @ np.sum(got == 0, axis=1)
        if cost < best_cost:
            best, best_cost = draw, cost
    return best


def stratified(amounts: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """The fold of each group, int ``[groups]``, by scikit-learn's StratifiedGroupKFold.

    Args:
        amounts: labelled frames or videos, ``[groups, classes]``.
        folds: at most as many as groups.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    rows = np.ceil(amounts * min(1, _ROWS / amounts.sum())).astype(int)
    rows *= -(-folds // rows.sum(axis=0).min())  # it wants a row of each class for each fold
    of, labels = (np.repeat(index.ravel(), rows.ravel()) for index in np.indices(rows.shape))
    made = np.zeros(len(amounts), int)
    kind = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    for index, (_, held) in enumerate(kind.split(labels, labels, of)):
        made[of[held]] = index
    return made


def fold_splits(
    table: pd.DataFrame, groups: Mapping[str, str], folds: int, seed: int
) -> list[dict[str, str]]:
    """Folds for cross-validation, over all videos that are not in the test split.

    Of several draws of StratifiedGroupKFold it takes the one in which the fewest classes are missing
    from train, then from valid, and class counts are most even. A class of one group alone is missing
    from train where that group is in valid.

    Args:
        table: ``video, label, split``, one row a labelled frame or video.
        groups: video to group; a group is never parted.

    Returns:
        for each fold, video to ``train`` or ``valid``; each video is in valid once.

    Raises:
        DataError: there are fewer groups than folds.
    """
    used = table[table["split"] != "test"]
    counted = used.groupby(["video", "label"]).size().unstack(fill_value=0)
    counts = {str(video): row.to_dict() for video, row in counted.iterrows()}
    by_group = _by_group(counts, groups)
    if not 2 <= folds <= len(by_group):
        few = len(by_group) < folds
        raise DataError(
            [
                f"{folds} folds need as many groups of videos, and outside test there are "
                f"{len(by_group)}; ask for fewer folds, or split by something finer (data.splits.by)"
                if few
                else f"{folds} is no number of folds; cross-validation takes 2 or more"
            ]
        )
    amounts = by_group.to_numpy(float)
    share = amounts / amounts.sum(axis=0, keepdims=True)
    rng = np.random.default_rng(seed)
    best, best_cost = np.zeros(len(amounts), int), np.inf
    for _ in range(5):
        made = filled(stratified(amounts, folds, int(rng.integers(2**31))), amounts, folds)
        held = np.stack([share[made == fold].sum(axis=0) for fold in range(folds)])
        without = np.isclose(held, 1).sum() * 10 + (held == 0).sum()
        cost = without + np.abs(held - 1 / folds).sum()
        if cost < best_cost:
            best, best_cost = made, cost
    fold_of = dict(zip(by_group.index, best, strict=True))
    return [
        {video: "valid" if fold_of[groups[video]] == fold else "train" for video in sorted(counts)}
        for fold in range(folds)
    ]


def filled(made: np.ndarray, amounts: np.ndarray, folds: int) -> np.ndarray:
    """Folds without an empty one, as the fullest ones give their smallest groups.

    StratifiedGroupKFold leaves one empty where rounding decides between folds that are as good.
    """
    for fold in range(folds):
        while not (made == fold).any():
            fullest = np.bincount(made, minlength=folds).argmax()
            groups = np.flatnonzero(made == fullest)
            made[groups[amounts[groups].sum(axis=1).argmin()]] = fold
    return made
