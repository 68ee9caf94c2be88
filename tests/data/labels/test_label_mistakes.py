"""What is said of mistakes in the rows of labels: where they are, what they are, what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from data.labels.table import expand, read_labels
from tests.data.labels.reading import problem_in, problems_in, video_of


def test_frame_beyond_the_video(labels: Path) -> None:
    problem = problem_in(labels, "video,frame,label\nv,9,a\nv,10,a\n")
    for words in (f"{labels}, row 3", "frame 10", "'v'", "10 frames (0 to 9)"):
        assert words in problem


def test_frame_beyond_the_video_names_the_sampling_rate(labels: Path) -> None:
    labels.write_text("video,frame,label\nv,5,a\nv,6,a\n")
    _, (problem,), _ = expand(read_labels(labels), {"v": video_of(fps=5)}, numbers="sampled")
    for words in ("rows 2, 3", "frame 5", "0 to 4 at 5 frames/s"):
        assert words in problem


def test_frame_with_two_labels(labels: Path) -> None:
    problem = problem_in(labels, "video,frame,label\nv,4,a\nv,5,a\nv,4,b\n")
    for words in (f"{labels}, rows 2, 4", "frame 4", "'v'", "2 labels: a, b"):
        assert words in problem


def test_many_frames_with_two_labels_are_counted(labels: Path) -> None:
    rows = "".join(f"v,{frame},{label}\n" for label in "ab" for frame in range(8))
    problem = problem_in(labels, "video,frame,label\n" + rows)
    for words in (
        "rows 2, 10: frame 0 of video 'v' has 2 labels: a, b; 7 more like this",
        "rows 3, 11, 4, 12, 5 and 9 more",
    ):
        assert words in problem


def test_frame_that_is_none(labels: Path) -> None:
    problem = problem_in(labels, "video,frame,label\nv,1,a\nv,last,a\n")
    for words in (f"{labels}, row 3", "'last' is not a frame", "video_1_00001.jpg"):
        assert words in problem


@pytest.mark.parametrize("frame", ["-1", "1.5", "1e3", '"1,5"', "+1", "99999999999999999999", "٣"])
def test_numbers_that_are_no_frame(labels: Path, frame: str) -> None:
    problem = problem_in(labels, f"video,frame,label\nv,{frame},a\n")
    assert "'{}' is not a frame".format(frame.strip('"')) in problem


@pytest.mark.parametrize(
    ("column", "row"),
    [("time_start", "v,25:61:00,26:00:00,a"), ("time_end", "v,00:00:00,25:61:00,a")],
)
def test_time_that_is_none(labels: Path, column: str, row: str) -> None:
    problem = problem_in(labels, f"video,time_start,time_end,label\n{row}\n")
    for words in (f"{labels}, row 2", column, "'25:61:00'", "61 minutes", "0 to 59"):
        assert words in problem


def test_range_upside_down(labels: Path) -> None:
    problem = problem_in(labels, "video,time_start,time_end,label\nv,00:00:00.5,00:00:00.2,a\n")
    for words in (f"{labels}, row 2", "ends at 00:00:00.2", "start at 00:00:00.5"):
        assert words in problem


def test_overlapping_ranges(labels: Path) -> None:
    text = "video,time_start,time_end,label\nv,0.4,0.9,b\nv,0,0.5,a\nw,0,0.5,a\n"
    problem = problem_in(labels, text, video_of("v"), video_of("w"))
    for words in (str(labels), "rows 3, 2:", "'v'", "0 to 0.5 'a'", "0.4 to 0.9 'b'"):
        assert words in problem


def test_a_range_within_a_longer_one_overlaps(labels: Path) -> None:
    text = "video,time_start,time_end,label\nv,0,0.9,a\nv,0.1,0.2,b\nv,0.5,0.6,b\n"
    problem = problem_in(labels, text)
    assert f"{labels}, rows 2, 3: " in problem
    assert "1 more like this: rows 2, 4" in problem


def test_many_ranges_with_one_mistake_are_one_line_a_kind(labels: Path) -> None:
    rows = "".join(f"v,{n},{n + 2},{'ab'[n % 2]}\n" for n in range(300))
    rows += "v,400,x,a\nv,401,y,a\nv,500,450,a\nv,501,450,a\n"
    problems = problems_in(labels, "video,time_start,time_end,label\n" + rows, video_of(frames=20))
    told = [
        "row 302: time_end 'x' is not a time",
        "row 304: ends at 450, not after its start at 500; 1 more like this: row 305",
        "rows 2, 3: ranges of video 'v' overlap",
        "row 3: ends at 3, beyond video 'v', which lasts 2.000 seconds (20 frames); 298 more like",
    ]
    assert len(problems) == len(told)
    for line, words in zip(problems, told, strict=True):
        assert words in line and len(line) < 300, words


def test_many_splits_that_are_none_are_one_line(labels: Path) -> None:
    rows = "".join(f"v,{n},a,split{n}\n" for n in range(9))
    problem = problem_in(labels, "video,frame,label,split\n" + rows)
    assert "row 2: split 'split0' is not one of train, valid, test" in problem
    assert "8 more like this: rows 3, 4, 5, 6, 7 and 3 more" in problem


def test_points_and_ranges_of_other_classes_share_no_frame(labels: Path) -> None:
    text = "video,time_start,time_end,label\nv,0.4,0.4,b\nv,0.4,0.9,a\nv,0.1,0.1,b\nv,0.1,0.1,c\n"
    problem = problem_in(labels, text)
    assert "rows 4, 5: ranges of video 'v' overlap (0.1 to 0.1 'b'" in problem
    assert "1 more like this: rows 2, 3" in problem


def test_range_beyond_the_video(labels: Path) -> None:
    problem = problem_in(labels, "video,time_start,time_end,label\nv,0.5,00:00:20,a\n")
    for words in (f"{labels}, row 2", "00:00:20", "'v'", "1.000 seconds (10 frames)"):
        assert words in problem


def test_ranges_beyond_their_videos_leave_the_others(labels: Path) -> None:
    text = "video,time_start,time_end,label,split\nv,0.5,20,a,train\nw,0,0.2,b,train\n"
    labels.write_text(text)
    table, problems, _ = expand(read_labels(labels), {"v": video_of("v"), "w": video_of("w")})
    assert table[["video", "frame", "split"]].values.tolist() == [
        ["w", 0, "train"],
        ["w", 1, "train"],
    ]
    assert len(problems) == 1


def test_range_between_two_frames(labels: Path) -> None:
    problem = problem_in(labels, "video,time_start,time_end,label\nv,0.31,0.34,a\n")
    for words in (f"{labels}, row 2", "0.31 to 0.34", "no sampled frame", "'v'", "0.1 seconds"):
        assert words in problem


def test_empty_cells(labels: Path) -> None:
    problems = problems_in(labels, "video,frame,label\nv,1,\nv,2,a\n,3,a\nv,4,  \n")
    assert len(problems) == 2
    assert f"{labels}, row 4: 1 with no 'video'" in problems[0]
    assert f"{labels}, rows 2, 5: 2 with no 'label'" in problems[1]
    assert "unlabelled" in problems[1]


def test_every_empty_cell_of_a_row_is_told(labels: Path) -> None:
    problems = problems_in(labels, "video,frame,label\nv,,\nv,1,a\n,2,\n")
    assert len(problems) == 3
    for words in ("row 4: 1 with no 'video'", "row 2: 1 with no 'frame'", "rows 2, 4: 2 with no '"):
        assert sum(words in problem for problem in problems) == 1, words


def test_short_rows_are_empty_cells(labels: Path) -> None:
    assert "row 3: 1 with no 'label'" in problem_in(labels, "video,frame,label\nv,1,a\nv,2\n")


def test_unknown_split(labels: Path) -> None:
    text = "video,frame,label,split\nv,1,a,train\nv,2,a,tset\nv,3,a,tset\n"
    problem = problem_in(labels, text)
    for words in (f"{labels}, rows 3, 4", "'tset'", "train, valid, test", "did you mean 'test'?"):
        assert words in problem


def test_all_problems_of_a_file_at_once(labels: Path) -> None:
    text = (
        "video,frame,label,split\n"
        "v,99,a,train\n"
        "v,first,a,train\n"
        "v,2,,train\n"
        "v,3,a,trian\n"
        "v,4,a,train\n"
        "v,4,b,train\n"
    )
    problems = problems_in(labels, text)
    assert len(problems) == 5
    for words in ("frame 99", "'first'", "no 'label'", "'trian'", "2 labels"):
        assert sum(words in problem for problem in problems) == 1, words
