"""Videos and labels together: what is loaded, the table, the splits, and what is told."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import pytest

from data import DataError, load
from tests.data.labels.reading import GOOD, load_text, problems_of, splits_of

MakeVideo = Callable[..., Path]

# Loaded


def test_table_videos_and_classes(drawn: Path) -> None:
    dataset = load_text(drawn, GOOD)
    assert dataset.table.values.tolist() == [
        ["a", 0, 0.0, "x", "train"],
        ["a", 1, 0.1, "y", "train"],
        ["b", 0, 0.0, "x", "valid"],
        ["c", 0, 0.0, "y", "test"],
    ]
    assert {name: v.info.path.name for name, v in dataset.videos.items()} == {
        "a": "a.mp4",
        "b": "b.avi",
        "c": "c.wmv",
    }
    assert dataset.classes == ["x", "y"]
    assert dataset.rejects == []
    assert (dataset.by, dataset.groups) == ("video", {"a": "a", "b": "b", "c": "c"})


def test_summary_counts_frames_and_videos_by_split(drawn: Path) -> None:
    summary = load_text(drawn, GOOD).summary()
    assert list(summary.index) == ["train", "valid", "test"]
    assert list(summary.columns) == ["videos", "x", "y"]
    assert summary.values.tolist() == [
        [1, "1 (1)", "1 (1)"],
        [1, "1 (1)", "0 (0)"],
        [1, "0 (0)", "1 (1)"],
    ]


def test_sampling_rate_goes_for_videos_and_labels(drawn: Path) -> None:
    text = "video,time_start,time_end,label,split\na,0,2,x,train\nb,0,1,y,train\nc,1,2,x,valid\n"
    dataset = load_text(drawn, text, fps=2)
    assert dataset.table.groupby("video")["frame"].agg(list).to_dict() == {
        "a": [0, 1, 2, 3],
        "b": [0, 1],
        "c": [2, 3],
    }
    assert dataset.table["time"].tolist() == [0, 0.5, 1, 1.5, 0, 0.5, 1, 1.5]
    assert {len(video) for video in dataset.videos.values()} == {4}


def test_videos_without_labels_are_counted_and_left_out(drawn: Path) -> None:
    dataset = load_text(drawn, GOOD.replace("c,0,y,test\n", ""))
    assert sorted(dataset.videos) == ["a", "b"]
    assert dataset.warnings[0] == "1 of 3 videos have no labels and are left out: c.wmv"


def test_each_opened_video_is_told(drawn: Path) -> None:
    told: list[int] = []

    def on_open(count: int) -> Callable[[], None]:
        told.append(count)
        return lambda: told.append(1)

    load_text(drawn, GOOD, on_open=on_open)
    assert told == [3, 1, 1, 1]


def test_problems_come_from_another_process_as_they_were() -> None:
    error = DataError(["one", "other"])
    assert pickle.loads(pickle.dumps(error)).problems == ["one", "other"]


# Splits


VIDEO_ROWS = "video,label\na,x\nb,y\nc,x\n"


def test_named_splits(drawn: Path) -> None:
    text = "video,time_start,time_end,label\n" + "".join(
        f"{video},0,1,x\n{video},1,2,y\n" for video in "abc"
    )
    assert splits_of(load_text(drawn, text, valid=["c"], test=[])) == {
        "a": "train",
        "b": "train",
        "c": "valid",
    }


def test_misnamed_splits(drawn: Path) -> None:
    first, second = problems_of(drawn, VIDEO_ROWS, valid=["d"], test=["c", "e"])[:2]
    assert "data.splits: 'd' is named for valid" in first
    assert "data.splits: 'e' is named for test" in second


@pytest.mark.parametrize("split", ["valid", "test"])
def test_a_named_video_that_does_not_open_is_a_reject(split: str, videos: Path) -> None:
    (videos / "bad.mp4").write_text("no video")
    names = {"valid": ["c"], "test": []}
    names[split] = [*names[split], "bad"]
    text = "video,frame,label\na,0,x\na,1,y\nb,0,y\nc,0,x\nbad,0,x\n"
    dataset = load_text(videos, text, **names)
    assert splits_of(dataset) == {"a": "train", "b": "train", "c": "valid"}
    assert [reject.video for reject in dataset.rejects] == ["bad"]


def test_rejects_are_named_where_too_few_videos_are_left_to_draw_from(videos: Path) -> None:
    (videos / "bad.mp4").write_text("no video")
    problems = problems_of(videos, "video,label\na,x\nbad,y\n")
    assert not any("has one labelled video" in problem for problem in problems)
    assert "left out because they don't decode: bad (" in problems[-1]


@pytest.mark.parametrize("names", [{}, {"valid": ["d"], "test": []}], ids=["drawn", "named"])
def test_a_misspelt_video_is_one_problem(names: dict[str, list[str]], drawn: Path) -> None:
    (problem,) = problems_of(drawn, "video,frame,label\na,0,x\nd,1,y\n", **names)
    assert "video 'd' is not among" in problem


def test_a_video_without_a_good_row_may_be_named(drawn: Path) -> None:
    (problem,) = problems_of(drawn, "video,frame,label\na,0,x\nc,two,y\n", valid=["c"], test=[])
    assert "'two' is not a frame" in problem


def test_drawn_splits_are_said(videos: Path, make_video: MakeVideo) -> None:
    text = "video,frame,label\n"
    for name in "abcdefgh":
        if name > "c":
            make_video(videos / f"{name}.mp4", frames=2)
        text += f"{name},0,x\n{name},1,y\n"
    first, again, other = (load_text(videos, text, seed=seed) for seed in (0, 0, 1))
    assert splits_of(first) == splits_of(again)
    assert splits_of(first) != splits_of(other)
    assert set(splits_of(first).values()) == {"train", "valid", "test"}
    warning = first.warnings[0]
    (held,) = [name for name, split in splits_of(first).items() if split == "valid"]
    assert "drawn by video" in warning
    assert f"valid {held};" in warning


def test_drawn_shares(drawn: Path) -> None:
    text = "video,frame,label\n" + "".join(f"{v},0,x\n{v},1,y\n" for v in "abc")
    splits = splits_of(load_text(drawn, text, valid=0.4, test=0.0))
    assert sorted(splits.values()) == ["train", "train", "valid"]


def test_splits_given_twice(drawn: Path) -> None:
    (problem,) = problems_of(drawn, GOOD, valid=["c"])
    assert "column 'split' and data.splits is set too; set one of them" in problem


def test_names_and_shares_do_not_mix(drawn: Path) -> None:
    problems = problems_of(drawn, VIDEO_ROWS, valid=["c"], test=0.2)
    assert "valid and test must both be names or both be shares" in problems[0]


def test_one_labelled_video_is_too_few(drawn: Path) -> None:
    problems = problems_of(drawn, "video,frame,label\na,0,x\na,1,y\n")
    assert len(problems) == 1
    for words in (f"{drawn.name}.csv", "one labelled video", "at least two"):
        assert words in problems[0]


# The real sample


def test_the_seals_load(seals: Path) -> None:
    dataset = load(seals, seals / "labels.csv")
    assert dataset.classes == ["noseal", "seal"]
    assert {name: len(video) for name, video in dataset.videos.items()} == (
        dataset.table.groupby("video").size().to_dict()
    )
    assert splits_of(dataset) == {"s26-8164": "train", "s27-8212": "valid", "s28-20": "test"}
    assert dataset.rejects == []
    (warning,) = dataset.warnings
    assert "fewer than 3 videos" in warning
