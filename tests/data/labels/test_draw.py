"""Splits and folds that are drawn: by video, by group, near the wanted shares, with all classes."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd
import pytest

from data import DataError
from data.labels.draw import draw_splits, filled, fold_splits, stratified

Counts = dict[str, dict[str, int]]


def _counts(videos: int, classes: int = 2, seed: int = 0) -> dict[str, dict[str, int]]:
    rng = np.random.default_rng(seed)
    return {
        f"v{index}": {f"c{label}": int(rng.integers(20, 80)) for label in range(classes)}
        for index in range(videos)
    }


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_same_seed_draws_the_same(seed: int) -> None:
    counts = _counts(20)
    backwards = dict(reversed(counts.items()))
    drawn = draw_splits(counts, 0.15, 0.15, seed)
    assert drawn == draw_splits(backwards, 0.15, 0.15, seed)


def test_another_seed_draws_otherwise() -> None:
    counts = _counts(20)
    drawn = {tuple(draw_splits(counts, 0.15, 0.15, seed).values()) for seed in range(3)}
    assert len(drawn) == 3


def test_every_video_is_in_one_split() -> None:
    counts = _counts(12)
    splits = draw_splits(counts, 0.2, 0.2, 0)
    assert sorted(splits) == sorted(counts)
    assert set(splits.values()) == {"train", "valid", "test"}


@pytest.mark.parametrize("seed", range(5))
def test_shares_of_the_frames_are_near_the_wanted(seed: int) -> None:
    counts = _counts(30, classes=3)
    splits = draw_splits(counts, 0.2, 0.1, seed)
    for label in ("c0", "c1", "c2"):
        total = sum(own[label] for own in counts.values())
        for split, share in (("train", 0.7), ("valid", 0.2), ("test", 0.1)):
            got = sum(own[label] for video, own in counts.items() if splits[video] == split)
            assert got / total == pytest.approx(share, abs=0.06)


@pytest.mark.parametrize("seed", range(5))
def test_every_class_is_in_train(seed: int) -> None:
    counts = {f"v{index}": {"common": 100} for index in range(10)}
    counts["v3"] = {"rare": 5}  # one video alone shows it
    assert draw_splits(counts, 0.5, 0.2, seed)["v3"] == "train"


def test_no_test_split_where_none_is_wanted() -> None:
    assert set(draw_splits(_counts(10), 0.2, 0, 0).values()) == {"train", "valid"}


@pytest.mark.parametrize("seed", range(5))
def test_of_two_videos_one_trains_and_one_validates(seed: int) -> None:
    assert sorted(draw_splits(_counts(2), 0.15, 0.15, seed).values()) == ["train", "valid"]


@pytest.mark.parametrize("seed", range(5))
def test_of_three_videos_each_split_gets_one(seed: int) -> None:
    assert sorted(draw_splits(_counts(3), 0.15, 0.15, seed).values()) == ["test", "train", "valid"]


# By group


def _sites(sites: int, seed: int, *, classes: int = 4, videos: int = 6) -> tuple[Counts, dict]:
    """Videos of one class each, the later classes rarer, and each site with classes of its own taste."""
    rng = np.random.default_rng(seed)
    counts, groups = {}, {}
    for site in range(sites):
        taste = rng.dirichlet(4 / np.arange(1, classes + 1))
        for video in range(int(rng.integers(2, 2 * videos))):
            name = f"s{site}v{video}"
            counts[name] = {f"c{rng.choice(classes, p=taste)}": 1}
            groups[name] = f"site{site}"
    return counts, groups


def _splits_of_groups(splits: dict[str, str], groups: dict[str, str]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for video, split in splits.items():
        found.setdefault(groups[video], set()).add(split)
    return found


def _classes(counts: Counts, splits: dict[str, str], split: str) -> set[str]:
    return {label for video, own in counts.items() if splits[video] == split for label in own}


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("sites", [3, 5, 9, 30])
def test_no_group_is_in_two_splits_and_train_has_every_class(sites: int, seed: int) -> None:
    counts, groups = _sites(sites, seed)
    splits = draw_splits(counts, 0.15, 0.15, seed, groups)
    found = _splits_of_groups(splits, groups)
    assert all(len(names) == 1 for names in found.values())
    assert _classes(counts, splits, "train") == {label for own in counts.values() for label in own}
    sites_of: dict[str, set[str]] = {}
    for video, own in counts.items():
        sites_of.setdefault(next(iter(own)), set()).add(groups[video])
    needed = {site for places in sites_of.values() if len(places) == 1 for site in places}
    assert ("valid" in splits.values()) == (needed != set(groups.values()))


@pytest.mark.parametrize("seed", range(5))
def test_of_five_sites_with_all_classes_each_split_gets_whole_ones(seed: int) -> None:
    counts = {
        f"s{s}v{v}": {"fox": 1 + v % 2, "deer": 2 - v % 2} for s in range(5) for v in range(8)
    }
    groups = {video: video[:2] for video in counts}
    drawn = Counter(
        next(iter(names))
        for names in _splits_of_groups(
            draw_splits(counts, 0.15, 0.15, seed, groups), groups
        ).values()
    )
    assert drawn == {"train": 3, "valid": 1, "test": 1}


@pytest.mark.parametrize("seed", range(5))
def test_of_two_sites_one_trains_and_one_validates(seed: int) -> None:
    counts = {f"s{s}v{v}": {"fox": 1, "deer": 1} for s in range(2) for v in range(3)}
    groups = {video: video[:2] for video in counts}
    assert sorted(set(draw_splits(counts, 0.15, 0.15, seed, groups).values())) == ["train", "valid"]


@pytest.mark.parametrize("seed", range(5))
def test_the_site_with_the_only_video_of_a_class_is_for_training(seed: int) -> None:
    counts, groups = _sites(6, seed, classes=2)
    counts["s4v0"] = {"lynx": 1}
    splits = draw_splits(counts, 0.3, 0.3, seed, groups)
    assert {splits[video] for video in counts if groups[video] == "site4"} == {"train"}


@pytest.mark.parametrize("seed", range(5))
def test_many_classes_of_a_single_video_are_all_trained_on(seed: int) -> None:
    counts = {f"v{index}": {f"c{min(index, 20)}": 1} for index in range(40)}
    splits = draw_splits(counts, 0.3, 0.3, seed, {video: video for video in counts})
    assert all(splits[f"v{index}"] == "train" for index in range(20))
    assert set(splits.values()) == {"train", "valid", "test"}


def test_test_is_left_empty_before_train_lacks_a_class() -> None:
    counts = {"a": {"x": 1}, "b": {"y": 1}, "c": {"x": 1}}
    splits = draw_splits(counts, 0.2, 0.2, 0, {video: video for video in counts})
    assert splits["b"] == "train"
    assert sorted([splits["a"], splits["c"]]) == ["train", "valid"]


def test_nothing_is_left_to_validate_on_where_every_group_has_a_class_of_its_own() -> None:
    counts = {"a": {"x": 1}, "b": {"y": 1}}
    for groups in (None, {"a": "a", "b": "b"}):
        assert draw_splits(counts, 0.2, 0.2, 0, groups) == {"a": "train", "b": "train"}


@pytest.mark.parametrize("seed", range(5))
def test_a_class_of_few_videos_is_in_valid_and_test_too(seed: int) -> None:
    counts = {f"v{index}": {"common": 1} for index in range(40)}
    counts |= {f"r{index}": {"rare": 1} for index in range(4)}
    splits = draw_splits(counts, 0.15, 0.15, seed, {video: video for video in counts})
    rare = Counter(splits[f"r{index}"] for index in range(4))
    assert rare == {"train": 2, "valid": 1, "test": 1}


@pytest.mark.parametrize("seed", range(3))
def test_many_groups_are_nearer_to_the_shares_than_chance(seed: int) -> None:
    counts, groups = _sites(60, seed)
    splits = draw_splits(counts, 0.15, 0.15, seed, groups)
    for label in ("c0", "c1", "c2", "c3"):
        own = Counter(splits[video] for video, of in counts.items() if label in of)
        assert own["valid"] / own.total() == pytest.approx(0.15, abs=0.05)
        assert own["test"] / own.total() == pytest.approx(0.15, abs=0.05)


def test_the_same_seed_draws_the_same_groups() -> None:
    counts, groups = _sites(30, 0)
    backwards = dict(reversed(counts.items()))
    assert draw_splits(counts, 0.2, 0.2, 3, groups) == draw_splits(backwards, 0.2, 0.2, 3, groups)
    assert draw_splits(counts, 0.2, 0.2, 3, groups) != draw_splits(counts, 0.2, 0.2, 4, groups)


def test_many_frames_stand_for_their_shares() -> None:
    amounts = np.array([[400_000, 1], [400_000, 0], [0, 90_000], [0, 90_000]], float)
    made = stratified(amounts, 2, 0)
    assert made[0] != made[1]
    assert made[2] != made[3]


# Folds


def _labelled(counts: Counts, test: set[str] = frozenset()) -> pd.DataFrame:
    rows = [
        (video, label, "test" if video in test else "train")
        for video, own in counts.items()
        for label, count in own.items()
        for _ in range(count)
    ]
    return pd.DataFrame(rows, columns=["video", "label", "split"])


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("sites", "folds"), [(5, 5), (8, 3), (30, 5)])
def test_each_video_is_held_out_once_with_its_whole_group(
    sites: int, folds: int, seed: int
) -> None:
    counts, groups = _sites(sites, seed)
    made = fold_splits(_labelled(counts), groups, folds, seed)
    assert len(made) == folds
    held = [{video for video, split in fold.items() if split == "valid"} for fold in made]
    assert sorted(video for names in held for video in names) == sorted(counts)
    for fold, names in zip(made, held, strict=True):
        assert names and fold.keys() == counts.keys()
        assert all(len(splits) == 1 for splits in _splits_of_groups(fold, groups).values())


def test_folds_leave_the_test_videos_out() -> None:
    counts, groups = _sites(6, 0)
    test = {video for video in counts if groups[video] == "site2"}
    for fold in fold_splits(_labelled(counts, test), groups, 3, 0):
        assert fold.keys() == counts.keys() - test


def test_folds_hold_out_each_class_alike() -> None:
    counts = {f"v{index}": {"rare" if index < 5 else "common": 1} for index in range(50)}
    for fold in fold_splits(_labelled(counts), {video: video for video in counts}, 5, 0):
        held = Counter(next(iter(counts[v])) for v, split in fold.items() if split == "valid")
        assert held == {"rare": 1, "common": 9}


def test_the_same_seed_makes_the_same_folds() -> None:
    counts, groups = _sites(12, 0)
    first, again, other = (fold_splits(_labelled(counts), groups, 4, seed) for seed in (0, 0, 1))
    assert first == again
    assert first != other


def test_one_large_group_leaves_no_fold_empty() -> None:
    counts = {f"v{index}": {"x": 1, "y": 1} for index in range(100)}
    groups = dict.fromkeys(counts, "large") | {f"v{index}": f"g{index}" for index in range(3)}
    for fold in fold_splits(_labelled(counts), groups, 4, 0):
        assert set(fold.values()) == {"train", "valid"}


def test_empty_folds_are_filled_with_the_smallest_groups_of_the_fullest() -> None:
    amounts = np.array([[5.0], [2], [9], [3], [4]])
    assert filled(np.array([0, 0, 0, 0, 3]), amounts, 4).tolist() == [0, 1, 0, 2, 3]


@pytest.mark.filterwarnings("error")
def test_classes_with_fewer_videos_than_folds() -> None:
    counts = {f"v{index}": {f"c{index // 2}": 1} for index in range(8)}
    folds = fold_splits(_labelled(counts), {video: video for video in counts}, 4, 0)
    assert [Counter(fold.values())["valid"] for fold in folds] == [2, 2, 2, 2]


def test_more_folds_than_groups() -> None:
    counts, groups = _sites(3, 0)
    with pytest.raises(DataError, match=r"5 folds .* there are 3; ask for fewer folds"):
        fold_splits(_labelled(counts), groups, 5, 0)


def test_one_fold_is_no_cross_validation() -> None:
    counts, groups = _sites(3, 0)
    with pytest.raises(DataError, match="1 is no number of folds"):
        fold_splits(_labelled(counts), groups, 1, 0)
