"""Splits: named and drawn by video, and what would make training or selection meaningless."""

from __future__ import annotations

import pandas as pd
import pytest

from data.labels.splits import check_splits, named_splits

VIDEOS = {video: video for video in "abcd"}


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
    (problem,) = check_splits(table)
    for words in (
        "2 classes are not in train",
        "'w' in test, 'z' in valid and test",
        "move videos",
    ):
        assert words in problem
    (problem,) = check_splits(_table(*GOOD, ("c", "w", "test")))
    assert "class 'w' is in test but not in train" in problem
    assert "move a video that shows it to train" in problem


def test_one_class_only() -> None:
    (problem,) = check_splits(_table(("a", "x", "train"), ("b", "x", "valid")))
    assert "one class only, 'x'" in problem
    assert "needs two" in problem


def test_all_problems_at_once() -> None:
    problems = check_splits(_table(("a", "x", "train"), ("b", "y", "test")))
    assert len(problems) == 2
    for words in ("split 'valid'", "class 'y'"):
        assert sum(words in problem for problem in problems) == 1, words
