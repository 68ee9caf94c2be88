"""Splits: named and drawn by video, and what would make training or selection meaningless."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from data.labels.splits import check_splits, draw_splits, named_splits

VIDEOS = ["a", "b", "c", "d"]


def _table(*rows: tuple[str, str, str]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["video", "label", "split"])


GOOD = [("a", "x", "train"), ("a", "y", "train"), ("b", "x", "valid"), ("c", "y", "test")]


# Named


def test_videos_that_are_not_named_are_for_training() -> None:
    splits, problems = named_splits(VIDEOS, ["d"], ["b"])
    assert splits == {"a": "train", "b": "test", "c": "train", "d": "valid"}
    assert problems == []


def test_named_videos_that_no_label_is_of() -> None:
    _, problems = named_splits(VIDEOS, ["e"], ["f", "a"])
    assert len(problems) == 2
    for words in ("data.splits", "'e'", "valid"):
        assert words in problems[0]
    for words in ("data.splits", "'f'", "test"):
        assert words in problems[1]


def test_a_video_named_twice() -> None:
    _, problems = named_splits(VIDEOS, ["a", "b"], ["b"])
    assert len(problems) == 1
    for words in ("data.splits", "'b'", "both valid and test"):
        assert words in problems[0]


# Drawn


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


# Checked


def test_nothing_to_say() -> None:
    assert check_splits(_table(*GOOD)) == []


def test_test_may_be_missing() -> None:
    assert check_splits(_table(*GOOD[:3])) == []


@pytest.mark.parametrize("split", ["train", "valid"])
def test_an_empty_split(split: str) -> None:
    problems = check_splits(_table(*(row for row in GOOD if row[2] != split)))
    assert f"no labelled video is in split '{split}'" in problems[0]
    assert "column 'split' or under data.splits" in problems[0]


def test_a_class_missing_from_train() -> None:
    table = _table(*GOOD, ("b", "z", "valid"), ("c", "z", "test"), ("c", "w", "test"))
    problems = check_splits(table)
    assert len(problems) == 2
    assert "class 'w' is in test but not in train" in problems[0]
    assert "class 'z' is in valid and test but not in train" in problems[1]
    assert "move a video that shows it to train" in problems[1]


def test_one_class_only() -> None:
    (problem,) = check_splits(_table(("a", "x", "train"), ("b", "x", "valid")))
    assert "one class only, 'x'" in problem
    assert "needs two" in problem


def test_all_problems_at_once() -> None:
    problems = check_splits(_table(("a", "x", "train"), ("b", "y", "test")))
    assert len(problems) == 2
    for words in ("split 'valid'", "class 'y'"):
        assert sum(words in problem for problem in problems) == 1, words
