"""What is said of videos and labels that do not go together."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from data import DataError, load
from tests.data.labels.reading import GOOD, problems_of

MakeVideo = Callable[..., Path]


def test_a_video_in_two_splits(drawn: Path) -> None:
    (problem,) = problems_of(drawn, GOOD + "a,5,x,test\na,6,x,test\n")
    for words in (
        f"{drawn.name}.csv, rows 2, 6",
        "'a'",
        "2 splits (test, train)",
        "put each video in one",
    ):
        assert words in problem


@pytest.mark.parametrize(
    "text",
    [
        "video,label,split\na,x,train\na,x,test\nb,y,train\nc,x,valid\n",
        "video,frame,label,split\na,0,x,train\na,0,x,test\nb,1,y,train\nc,0,x,valid\n",
    ],
    ids=["video", "frame"],
)
def test_the_same_video_or_frame_in_two_splits(text: str, drawn: Path) -> None:
    (problem,) = problems_of(drawn, text)
    assert "rows 2, 3: video 'a' is in 2 splits" in problem


def test_two_splits_come_with_the_other_problems(drawn: Path) -> None:
    text = "video,frame,label,split\na,0,x,train\na,1,y,test\na,99,x,train\nc,0,x,valid\n"
    problems = problems_of(drawn, text)
    assert len(problems) == 2
    for words in ("rows 2, 3: video 'a' is in 2 splits", "row 4: frame 99 is beyond"):
        assert sum(f"{drawn.name}.csv, {words}" in problem for problem in problems) == 1, words


def test_no_range_is_of_the_video(drawn: Path) -> None:
    (problem,) = problems_of(drawn, "video,time_start,time_end,label,split\na,50,60,x,train\n")
    assert "row 2: ends at 60, beyond video 'a'" in problem


def test_a_label_whose_video_is_not_there(drawn: Path) -> None:
    (problem,) = problems_of(drawn, GOOD + "seal-1,5,x,train\nseal-1,6,x,train\n")
    for words in (f"{drawn.name}.csv: video 'seal-1'", "3 videos", str(drawn)):
        assert words in problem


def test_a_misspelt_video_gets_the_nearest_name(videos: Path, make_video: MakeVideo) -> None:
    make_video(videos / "seal-01.mp4", frames=2)
    (problem,) = problems_of(videos, GOOD + "sela-01,0,x,train\n")
    assert "video 'sela-01' is not among the 4 videos" in problem
    assert "did you mean 'seal-01'?" in problem


def test_an_ambiguous_video(videos: Path) -> None:
    for folder in ("more", "sub"):
        (videos / folder).mkdir(exist_ok=True)
        shutil.copy(videos / "b.avi", videos / folder / "d.avi")
    (problem,) = problems_of(videos, GOOD.replace("b,0", "d,0"))
    for words in ("'d'", "more/d.avi", "sub/d.avi", "write it with its folder, as 'more/d'"):
        assert words in problem


def test_a_class_missing_from_train(drawn: Path) -> None:
    (problem,) = problems_of(drawn, GOOD + "b,3,whale,valid\n")
    assert "class 'whale' is in valid but not in train" in problem


def test_one_class(drawn: Path) -> None:
    (problem,) = problems_of(drawn, "video,frame,label,split\na,0,x,train\nb,0,x,valid\n")
    assert "one class only, 'x'" in problem


def test_no_videos(tmp_path: Path) -> None:
    (folder := tmp_path / "videos").mkdir()
    (problem,) = problems_of(folder, GOOD)
    assert "no videos under" in problem
    assert str(folder) in problem


def test_no_label_file(drawn: Path) -> None:
    with pytest.raises(DataError, match=r"data\.labels: can't read"):
        load(drawn, drawn / "labels.csv")


def test_problems_of_the_file_and_of_the_videos_come_together(drawn: Path) -> None:
    text = GOOD + "a,99,x,train\na,two,x,train\nd,0,x,train\nc,5,,test\nb,7,x,vaild\n"
    problems = problems_of(drawn, text)
    assert len(problems) == 5
    for words in (
        "row 6: frame 99 is beyond video 'a', which has 20 frames",
        "row 7: 'two' is not a frame",
        "video 'd' is not among",
        "row 9: 1 with no 'label'",
        "row 10: split 'vaild'",
    ):
        assert sum(words in problem for problem in problems) == 1, words
