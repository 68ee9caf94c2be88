"""Splits: named and drawn by video, and what would make training or selection meaningless."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from data.labels.splits import check_splits, named_splits
from tests.data.labels.reading import load_text, problems_of, splits_of

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


# Named for train and test alone

SITES = {name: f"s{number // 2}" for number, name in enumerate("abcdefgh")}
TESTED = {name: "test" if name in "ab" else "train" for name in SITES}


@pytest.fixture
def eight(videos: Path, make_video: Callable[..., Path]) -> Path:
    """Videos a to h, of four sites of two videos."""
    for name in "defgh":
        make_video(videos / f"{name}.mp4", frames=2)
    return videos


def rows(header: str, ends: dict[str, str]) -> str:
    """Labels of two frames a video, and a column more."""
    lines = [f"{video},{frame},{'xy'[frame]},{ends[video]}" for video in SITES for frame in (0, 1)]
    return "\n".join([f"video,frame,label,{header}", *lines])


@pytest.mark.parametrize("how", ["column", "names", "list"])
def test_valid_is_drawn_from_train_where_test_alone_is_named(how, eight, tmp_path):
    text = rows("site", SITES)
    options: dict[str, object] = {"test": ["s0"]}
    if how == "column":
        text = rows("site,split", {video: f"{SITES[video]},{TESTED[video]}" for video in SITES})
        options = {}
    elif how == "list":
        (tmp_path / "list.csv").write_text(
            "\n".join(["video,split", *map(",".join, TESTED.items())])
        )
        options = {"splits": tmp_path / "list.csv"}
    dataset = load_text(eight, text, **options)
    splits = splits_of(dataset)
    assert {video for video, split in splits.items() if split == "test"} == {"a", "b"}
    held = sorted(video for video, split in splits.items() if split == "valid")
    assert held in (["c", "d"], ["e", "f"], ["g", "h"])  # a site, whole
    drawn = "no video is named for valid, so a part of train was drawn for it, by site"
    assert f"{drawn}: {SITES[held[0]]}" in " ".join(dataset.warnings)


def test_what_was_drawn_from_train_is_the_same_again(eight):
    text = rows("split", TESTED)
    first, again = (splits_of(load_text(eight, text, seed=3)) for _ in "12")
    assert first == again and set(first.values()) == {"train", "valid", "test"}
    assert {video for video, split in first.items() if split == "test"} == {"a", "b"}


@pytest.mark.parametrize("how", ["column", "names"])
def test_a_valid_split_that_does_not_decode_is_not_drawn_anew(how, eight):
    (eight / "h.mp4").write_text("no video")
    options: dict[str, object] = {"valid": ["h"], "test": ["a", "b"]}
    text = rows("place", SITES)
    if how == "column":
        text, options = rows("split", TESTED | {"h": "valid"}), {}
    problems = problems_of(eight, text, **options)
    assert "no labelled video is in split 'valid'" in problems[0] and "h (it can't" in problems[-1]
