"""Lists of splits: written as they are read, and what is said of lists and of splits that lack much."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from data import DataError
from data.labels.file import read_splits
from data.labels.splits import remarks, write_splits
from tests.data.labels.reading import GOOD, load_text, problems_of, splits_of

ROWS = "video,frame,label\na,0,x\na,1,y\nb,0,x\nc,0,y\n"


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    return tmp_path / "list.csv"


# Lists


def test_a_list_says_the_splits(drawn: Path, listed: Path) -> None:
    listed.write_text("Split;note;VIDEO\nval;dark;c\ntrain;;a\ntest;;b\n")
    splits = splits_of(load_text(drawn, ROWS, splits=listed))
    assert splits == {"a": "train", "b": "test", "c": "valid"}


def test_what_is_written_is_read(drawn: Path, tmp_path: Path) -> None:
    text = "video,frame,label,site\na,0,x,s1\na,1,y,s1\nb,0,x,s2\nc,0,y,s3\n"
    first = load_text(drawn, text, seed=4)
    folder = tmp_path / "new" / "search"
    path = folder / "splits.csv"
    assert write_splits(first.splits(), folder) is None
    lines = path.read_text().splitlines()
    assert lines[0] == "video,split,group"
    assert [line.split(",")[::2] for line in lines[1:]] == [["a", "s1"], ["b", "s2"], ["c", "s3"]]
    again = load_text(drawn, text, splits=path)
    pd.testing.assert_frame_equal(again.table, first.table)


def test_videos_that_have_changed_their_split_are_told(tmp_path: Path) -> None:
    first = pd.DataFrame({"video": ["a", "b"], "split": ["train", "test"], "group": ["s", "t"]})
    assert write_splits(first, tmp_path) is None
    more = pd.DataFrame([("c", "valid", "s")], columns=first.columns)
    assert write_splits(pd.concat([first, more]), tmp_path) is None  # a new video moves none
    told = write_splits(first.assign(split=["valid", "test"]), tmp_path)
    assert told is not None and "1 videos are in another split" in told
    assert "a from train to valid" in told and str(tmp_path / "splits_before.csv") in told
    assert read_splits(tmp_path / "splits_before.csv").videos == ["a", "b", "c"]
    assert read_splits(tmp_path / "splits.csv").rows["split"].tolist() == ["valid", "test"]


def test_all_mistakes_of_a_list_at_once(drawn: Path, listed: Path) -> None:
    listed.write_text("video,split\na,train\nb,vaild\nbb,test\na,test\n,test\n")
    problems = problems_of(drawn, ROWS, splits=listed)
    assert len(problems) == 4
    assert "'bb', and 1 labelled videos are not in it: c; correct the names" in problems[-1]
    for words in (
        "row 3: split 'vaild' is not one of train, valid, test (did you mean 'valid'?)",
        "rows 2, 5: video 'a' is in 2 splits",
        "row 6: 1 with no 'video'; fill it in, or delete the row",
        "1 of its videos have no label in",
    ):
        assert sum(f"{listed}" in p and words in p for p in problems) == 1, words


def test_videos_that_were_labelled_later_are_for_training_and_said(
    drawn: Path, listed: Path
) -> None:
    listed.write_text("video,split\na,train\nb,valid\n")
    dataset = load_text(drawn, ROWS, splits=listed)
    assert splits_of(dataset) == {"a": "train", "b": "valid", "c": "train"}
    (line,) = (line for line in dataset.warnings if "new" in line)
    assert f"{listed}: 1 labelled videos are not in it, and new: train c." in line


def test_a_new_video_is_in_the_split_of_its_site(drawn: Path, listed: Path) -> None:
    listed.write_text("video,split\na,train\nb,valid\n")
    text = "video,frame,label,site\na,0,x,s1\na,1,y,s1\nb,0,x,s2\nc,0,y,s2\n"
    dataset = load_text(drawn, text, splits=listed)
    assert splits_of(dataset) == {"a": "train", "b": "valid", "c": "valid"}
    assert any("new: valid c. A new video is" in line for line in dataset.warnings)


def test_videos_of_a_list_that_have_no_label_any_more_are_said(drawn: Path, listed: Path) -> None:
    listed.write_text("video,split\na,train\nb,valid\nc,test\n")
    dataset = load_text(drawn, ROWS.replace("c,0,y\n", ""), splits=listed)
    assert splits_of(dataset) == {"a": "train", "b": "valid"}
    assert any("1 of its videos have no label, and are left out: c" in w for w in dataset.warnings)


def test_a_misspelt_video_of_a_list_is_not_trained_on(drawn: Path, listed: Path) -> None:
    listed.write_text("video,split\nseal_a,train\nb,valid\nc,test\n")
    (problem,) = problems_of(drawn, ROWS, splits=listed)
    assert "'seal_a'" in problem and "1 labelled videos are not in it: a" in problem


def test_a_video_that_does_not_open_may_be_missing(drawn: Path, listed: Path) -> None:
    (drawn / "bad.mp4").write_text("no video")
    listed.write_text("video,split\na,train\nb,test\nc,valid\n")
    try:
        dataset = load_text(drawn, ROWS + "bad,0,x\n", splits=listed)
    finally:
        (drawn / "bad.mp4").unlink()
    assert [reject.video for reject in dataset.rejects] == ["bad"]


def test_a_list_and_a_column_of_splits(drawn: Path, listed: Path) -> None:
    listed.write_text("video,split\na,train\n")
    (problem,) = problems_of(drawn, GOOD, splits=listed)
    assert "column 'split' and data.splits is set too" in problem


def test_a_list_without_the_columns(listed: Path) -> None:
    listed.write_text("vidoe,split\na,train\n")
    with pytest.raises(DataError, match=r"no column 'video' \(did you mean 'vidoe'\?\)"):
        read_splits(listed)


def test_no_list(listed: Path) -> None:
    with pytest.raises(DataError, match=r"data\.splits\.file: can't read"):
        read_splits(listed)


# Splits that lack much


def said_of(counts: dict[str, tuple[int, int, int]]) -> list[str]:
    """What is said of splits with so many videos of each class in train, valid and test."""
    rows = [
        (f"{label}{split}{video}", label, split)
        for label, of_class in counts.items()
        for split, count in zip(("train", "valid", "test"), of_class, strict=True)
        for video in range(count)
    ]
    table = pd.DataFrame(rows * 2, columns=["video", "label", "split"])
    return remarks(table)


def test_nothing_to_remark() -> None:
    assert said_of({"fox": (3, 3, 3), "deer": (9, 3, 4)}) == []


def test_test_may_be_empty() -> None:
    assert said_of({"fox": (3, 3, 0), "deer": (9, 3, 0)}) == []


def test_few_videos_of_classes_are_one_line() -> None:
    (line,) = said_of({"fox": (9, 3, 3), "deer": (9, 2, 1), "hare": (2, 3, 4)})
    assert "fewer than 3 videos in a split: deer 2 in valid, 1 in test, hare 2 in train;" in line
    assert "fox" not in line


def test_classes_that_valid_or_test_lacks() -> None:
    valid, test = said_of({"fox": (9, 3, 3), "deer": (9, 0, 3), "hare": (9, 3, 0)})
    assert "no video in valid shows 'deer': they play no part in choosing" in valid
    assert "no video in test shows 'hare'" in test


def test_a_class_of_a_single_video() -> None:
    (line,) = said_of({"fox": (9, 3, 3), "lynx": (1, 0, 0)})
    assert "class 'lynx' has a single video, 'lynxtrain0': it is trained on" in line


def test_many_classes_of_a_single_video_are_one_line() -> None:
    lines = said_of({"fox": (9, 3, 3), **{f"rare{n:02}": (1, 0, 0) for n in range(27)}})
    (line,) = lines
    assert line.startswith("27 classes have a single video each (rare00 rare00train0, rare01")
    assert "and 22 more" in line and "trained on" in line


def test_a_single_video_is_trained_on_and_told(drawn: Path) -> None:
    text = ROWS + "b,1,y\nc,1,x\nb,3,lynx\n"
    dataset = load_text(drawn, text)
    assert splits_of(dataset)["b"] == "train"
    assert any("class 'lynx' has a single video, 'b'" in line for line in dataset.warnings)


def test_what_is_left_after_rejects_is_remarked(drawn: Path) -> None:
    from data import Reject

    dataset = load_text(drawn, GOOD + "c,1,x,test\n")
    rest = dataset.without([Reject("c", dataset.videos["c"].info.path, "damaged")])
    assert rest.warnings[: len(dataset.warnings)] == dataset.warnings
    assert any("no video in valid shows 'y'" in line for line in rest.warnings)
