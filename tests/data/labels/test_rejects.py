"""Videos that do not open: they are left out, with the reason, and the others remain."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from data import DataError, Reject
from tests.data.labels.reading import GOOD, load_text, problems_of

BAD = {  # file to what the reason says
    "zero_bytes.mp4": "the file is empty (0 bytes)",
    "text_not_video.mp4": "can't be opened as a video",
    "truncated_half.mp4": "can't be opened as a video",
    "bipbop_audioinit.mp4": "no video stream",
}


def test_videos_that_do_not_open_are_rejects_and_the_others_remain(
    videos: Path, damaged_videos: Path
) -> None:
    text = GOOD
    for name in BAD:
        shutil.copy(damaged_videos / name, videos / name)
        text += f"{Path(name).stem},0,x,train\n"
    dataset = load_text(videos, text)
    assert sorted(dataset.videos) == ["a", "b", "c"]
    assert len(dataset.table) == 4
    assert {reject.path.name for reject in dataset.rejects} == set(BAD)
    for reject in dataset.rejects:
        assert BAD[reject.path.name] in reject.reason
        assert reject.video == reject.path.stem


def test_a_class_of_rejects_alone_is_no_class(videos: Path) -> None:
    (videos / "bad.mp4").write_text("no video")
    dataset = load_text(videos, GOOD + "bad,0,whale,train\n")
    assert dataset.classes == ["x", "y"]
    assert [reject.video for reject in dataset.rejects] == ["bad"]


def test_a_split_of_rejects_alone_is_an_error_that_names_them(videos: Path) -> None:
    (videos / "b.avi").write_text("no video")
    problems = problems_of(videos, GOOD)
    assert "no labelled video is in split 'valid'" in problems[0]
    assert "left out because they don't decode: b (it can't be opened as a video" in problems[-1]


def test_no_video_opens(videos: Path) -> None:
    for path in videos.rglob("*.*"):
        path.write_text("no video")
    problems = problems_of(videos, GOOD)
    for name in "abc":
        assert f"{name} (it can't be opened" in problems[-1]


def test_rejects_found_later_leave_the_data_set_too(drawn: Path) -> None:
    dataset = load_text(drawn, GOOD)
    reject = Reject("c", dataset.videos["c"].info.path, "damaged")
    rest = dataset.without([reject])
    assert sorted(rest.videos) == ["a", "b"]
    assert sorted(set(rest.table["video"])) == ["a", "b"]
    assert rest.rejects == [reject]
    assert rest.table.index.tolist() == [0, 1, 2]
    assert sorted(dataset.videos) == ["a", "b", "c"]  # which itself stays as it was


def test_a_class_that_only_rejects_showed_goes_with_them(drawn: Path) -> None:
    text = GOOD.replace("c,0,y,test", "c,0,whale,train")
    dataset = load_text(drawn, text)
    assert dataset.classes == ["whale", "x", "y"]
    rest = dataset.without([Reject("c", dataset.videos["c"].info.path, "damaged")])
    assert rest.classes == ["x", "y"]


def test_rejects_found_later_that_empty_a_split_are_named(drawn: Path) -> None:
    dataset = load_text(drawn, GOOD)
    with pytest.raises(DataError) as caught:
        dataset.without([Reject("a", dataset.videos["a"].info.path, "damaged: half of it")])
    assert "split 'train'" in caught.value.problems[0]
    assert "a (damaged: half of it)" in caught.value.problems[-1]
