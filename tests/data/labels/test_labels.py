"""Labels from a spreadsheet: the three forms, what frames they mean, and what is said of mistakes."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pandas as pd
import pytest

from data import DataError, Video, load
from data.labels.table import expand, parse_time, read_labels
from data.videos.info import VideoInfo
from data.videos.video import open_video


def _video(name: str = "v", frames: int = 10, rate: float = 10, fps: float | None = None) -> Video:
    """A video of `frames` frames at `rate` a second that exists as a description alone."""
    times = np.arange(frames) / rate
    info = VideoInfo(Path(f"{name}.mp4"), times, rate, 128, 32, "decord")
    return Video(name, info, fps, "identity")


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    return tmp_path / "labels.csv"


def _table(path: Path, text: str, *videos: Video) -> pd.DataFrame:
    path.write_text(text, encoding="utf-8")
    file = read_labels(path)
    table, problems, _ = expand(file, {video.name: video for video in videos or [_video()]})
    assert file.problems + problems == []
    return table


def _rows(path: Path, text: str, *videos: Video) -> list[tuple[str, int, str]]:
    table = _table(path, text, *videos)
    return list(table[["video", "frame", "label"]].itertuples(index=False, name=None))


def _problems(path: Path, text: str, *videos: Video) -> list[str]:
    path.write_text(text, encoding="utf-8")
    try:
        file = read_labels(path)
    except DataError as error:
        return error.problems
    return file.problems + expand(file, {v.name: v for v in videos or [_video()]})[1]


def _one(path: Path, text: str, *videos: Video) -> str:
    (problem,) = _problems(path, text, *videos)
    return problem


# A frame a row


def test_frame_numbers_count_from_0(labels: Path) -> None:
    table = _table(labels, "video,frame,label,split\nv,0,a,train\nv,9,b,train\n")
    assert list(table.columns) == ["video", "frame", "time", "label", "split"]
    assert table.values.tolist() == [["v", 0, 0.0, "a", "train"], ["v", 9, 0.9, "b", "train"]]


def test_image_names_count_from_1(labels: Path) -> None:
    text = "video,frame,label\nv,video_1_00001.jpg,a\nv,video_1_00010.jpeg,b\nv,img-7,b\n"
    assert _rows(labels, text) == [("v", 0, "a"), ("v", 6, "b"), ("v", 9, "b")]


def test_image_names_count_from_0_where_one_is_number_0(labels: Path) -> None:
    text = "video,frame,label\nv,f_0000.png,a\nv,f_0001.png,b\n"
    assert _rows(labels, text) == [("v", 0, "a"), ("v", 1, "b")]


def test_digits_of_an_ending_are_no_frame_number(labels: Path) -> None:
    assert _rows(labels, "video,frame,label\nv,f_0003.jp2,a\n") == [("v", 2, "a")]


def test_a_spreadsheets_decimals_are_whole_frames(labels: Path) -> None:
    assert _rows(labels, "video,frame,label\nv,3.0,a\n") == [("v", 3, "a")]


def test_rows_in_any_order_and_with_gaps_keep_their_frames(labels: Path) -> None:
    videos = _video("v1"), _video("v2")
    text = "video,frame,label\nv2,7,c\nv1,9,b\nv2,0,d\nv1,2,a\n"
    assert _rows(labels, text, *videos) == [
        ("v1", 2, "a"),
        ("v1", 9, "b"),
        ("v2", 0, "d"),
        ("v2", 7, "c"),
    ]


def test_frames_of_names_are_matched_by_number_not_position(labels: Path) -> None:
    names = [f"v_{number:05d}.jpg" for number in (8, 3, 5)]
    text = "video,frame,label\n" + "".join(f"v,{name},{name[5:7]}\n" for name in names)
    assert _rows(labels, text) == [("v", 2, "03"), ("v", 4, "05"), ("v", 7, "08")]


def test_frames_are_sampled_frames(labels: Path) -> None:
    table = _table(labels, "video,frame,label\nv,3,a\n", _video(frames=100, rate=10, fps=2))
    assert table["time"].tolist() == [1.5]


def test_the_same_row_twice_is_counted_once_with_a_warning(labels: Path) -> None:
    labels.write_text("video,frame,label\nv,1,a\nv,1,a\n")
    table, problems, warnings = expand(read_labels(labels), {"v": _video()})
    assert (len(table), problems) == (1, [])
    assert "1 frames are labelled twice" in warnings[0]


# A time range a row


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("01:20:05", 4805),
        ("1:20:05", 4805),
        ("00:00:02.391", 2.391),
        ("00:00:02,391", 2.391),
        ("20:05", 1205),
        ("20:05.5", 1205.5),
        ("100:00:00", 360000),
        ("4805", 4805),
        ("2.391", 2.391),
        (".5", 0.5),
        ("0", 0),
    ],
)
def test_times(text: str, seconds: float) -> None:
    assert parse_time(text) == pytest.approx(seconds, abs=1e-9)


@pytest.mark.parametrize(
    "text", ["", "noon", "1h", "25:61:00", "00:00:60", "00:75", "-1", "1:2:3:4"]
)
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no time|minutes|seconds"):
        parse_time(text)


def test_ranges_end_before_their_end(labels: Path) -> None:
    text = "video,time_start,time_end,label\nv,00:00:00,00:00:00.3,a\nv,00:00:00.3,00:00:00.5,b\n"
    rows = _rows(labels, text)
    assert rows == [("v", 0, "a"), ("v", 1, "a"), ("v", 2, "a"), ("v", 3, "b"), ("v", 4, "b")]


def test_hours_count(labels: Path) -> None:
    video = _video(frames=9700, rate=2)
    text = "video,time_start,time_end,label\nv,01:20:05,01:20:06,a\n"
    table = _table(labels, text, video)
    assert table["time"].tolist() == [4805.0, 4805.5]
    assert table["frame"].tolist() == [9610, 9611]


def test_gaps_do_not_shift_later_frames(labels: Path) -> None:
    text = "video,time_start,time_end,label\nv,0.1,0.2,a\nv,0.5,0.7,b\n"
    assert _rows(labels, text) == [("v", 1, "a"), ("v", 5, "b"), ("v", 6, "b")]


def test_a_fractional_rate_does_not_shift_late_frames(labels: Path) -> None:
    video = _video(frames=30_000, rate=29.97)
    start, end = 20_000 / 29.97, 20_003 / 29.97
    text = f"video,time_start,time_end,label\nv,{start:.3f},{end:.3f},a\n"
    assert _table(labels, text, video)["frame"].tolist() == [20_000, 20_001, 20_002]


def test_no_frame_is_lost_after_the_101st(labels: Path) -> None:
    table = _table(labels, "video,time_start,time_end,label\nv,0,50,a\n", _video(frames=500))
    assert table["frame"].tolist() == list(range(500))


@pytest.mark.parametrize(
    ("start", "end", "frames"),
    [
        (0.24, 0.46, [2, 3, 4]),
        (0.26, 0.44, [3]),
        (0.2401, 0.3601, [2, 3]),
        (0.9, 1.0, [9]),
        (0.9, 1.09, [9]),  # the last frame ends at 1.0; a tenth more is rounding
    ],
)
def test_bounds_round_to_the_nearest_frame(
    labels: Path, start: float, end: float, frames: list[int]
) -> None:
    text = f"video,time_start,time_end,label\nv,{start},{end},a\n"
    assert _table(labels, text)["frame"].tolist() == frames


def test_bounds_round_to_the_nearest_sampled_frame(labels: Path) -> None:
    video = _video(frames=100, rate=10, fps=2.5)  # sampled at 0, 0.4, 0.8...
    text = "video,time_start,time_end,label\nv,0.5,1.5,a\n"
    table = _table(labels, text, video)
    assert table["time"].tolist() == pytest.approx([0.4, 0.8, 1.2])
    assert table["frame"].tolist() == [1, 2, 3]


def test_bounds_round_to_the_nearest_frame_of_a_variable_rate(
    labels: Path, damaged_videos: Path
) -> None:
    path = damaged_videos / "h264_vfr.mp4"
    with av.open(str(path)) as container:
        shown = np.array([float(frame.time) for frame in container.decode(video=0)])
    gaps = np.diff(shown)
    assert gaps.max() > 1.5 * gaps.min()  # or it would show nothing
    ranges = [(3, 10), (10, 11), (50, 99)]
    text = "video,time_start,time_end,label\n" + "".join(
        f"v,{shown[first] + 0.4 * gaps[first]:.4f},{shown[end] - 0.4 * gaps[end - 1]:.4f},{first}\n"
        for first, end in ranges
    )
    table = _table(labels, text, open_video("v", path, None))
    wanted = [(frame, str(first)) for first, end in ranges for frame in range(first, end)]
    assert list(zip(table["frame"], table["label"], strict=True)) == wanted
    assert table["time"].to_numpy() == pytest.approx(shown[table["frame"]] - shown[0], abs=1e-3)


# A video a row


def test_a_videos_label_is_all_its_frames(labels: Path) -> None:
    text = "video,label,split\nv2,b,valid\nv1,a,train\n"
    table = _table(labels, text, _video("v1", 3), _video("v2", 200))
    assert table.groupby("video").size().to_dict() == {"v1": 3, "v2": 200}
    assert table[table["video"] == "v2"]["frame"].tolist() == list(range(200))
    assert set(zip(table["video"], table["label"], table["split"], strict=True)) == {
        ("v1", "a", "train"),
        ("v2", "b", "valid"),
    }


def test_a_video_with_two_labels(labels: Path) -> None:
    problem = _one(labels, "video,label\nv,a\nv,b\n")
    for words in (str(labels), "rows 2, 3", "'v'", "2 labels: a, b"):
        assert words in problem


# The file


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_separators_line_ends_and_byte_order_mark(
    labels: Path, separator: str, newline: str, encoding: str
) -> None:
    lines = ["Video, Frame ,LABEL", "v,1, grüne ", "v,2,b", ""]
    text = newline.join(lines).replace(",", separator)
    labels.write_bytes(text.encode(encoding))
    rows = read_labels(labels).rows
    assert rows[["video", "frame", "label"]].values.tolist() == [["v", 1, "grüne"], ["v", 2, "b"]]


def test_what_an_older_excel_writes(labels: Path) -> None:
    labels.write_bytes("video;frame;label\nv;1;Möwe\n".encode("cp1252"))
    assert read_labels(labels).rows["label"].tolist() == ["Möwe"]


def test_quotes_and_empty_lines(labels: Path) -> None:
    text = 'video,frame,label\n\nv,1,"a, b"\n,,\nv,2,c\n'
    labels.write_text(text)
    rows = read_labels(labels).rows
    assert rows["label"].tolist() == ["a, b", "c"]
    assert rows["row"].tolist() == [3, 5]  # what a spreadsheet calls them


@pytest.mark.parametrize(
    "text",
    [
        "video,frame,label\nv,1,a,\nv,2,b,\n",
        "video,frame,label,\nv,1,a,\nv,2,b,\n",
        "video,frame,label,,\nv,1,a\nv,2,b,,,\n",
        "\n,,\nvideo,frame,label\nv,1,a\nv,2,b\n",
        "video,frame,label\r\rv,1,a\rv,2,b",
    ],
    ids=["a cell too many", "separators at the end", "uneven", "empty lines first", "old Mac"],
)
def test_empty_cells_beyond_the_table_and_empty_lines_before_it(labels: Path, text: str) -> None:
    assert _rows(labels, text) == [("v", 1, "a"), ("v", 2, "b")]


def test_rows_are_numbered_as_in_the_file_after_empty_lines(labels: Path) -> None:
    assert f"{labels}, row 5: " in _one(labels, "\n;;\nvideo;frame;label\nv;1;a\nv;two;a\n")


def test_na_is_a_label(labels: Path) -> None:
    assert _rows(labels, "video,frame,label\nv,1,NA\nv,2,None\n") == [
        ("v", 1, "NA"),
        ("v", 2, "None"),
    ]


@pytest.mark.parametrize("written", ["valid", "Valid", "val", "validation"])
def test_spellings_of_valid(labels: Path, written: str) -> None:
    table = _table(labels, f"video,frame,label,split\nv,1,a,{written}\n")
    assert table["split"].tolist() == ["valid"]


# Mistakes


def test_missing_file(labels: Path) -> None:
    with pytest.raises(DataError, match="can't read") as caught:
        read_labels(labels)
    assert str(labels) in str(caught.value)
    assert "No such file" in str(caught.value)


def test_empty_file(labels: Path) -> None:
    problem = _one(labels, "")
    assert str(labels) in problem
    assert "not a table of labels" in problem


@pytest.mark.parametrize("text", ["\n \n", ",,\n,,\n"])
def test_a_file_of_empty_lines(labels: Path, text: str) -> None:
    assert f"{labels}: not a table of labels: it is empty" in _one(labels, text)


def test_a_quote_that_does_not_end(labels: Path) -> None:
    problem = _one(labels, 'video,frame,label\nv,1,"a\nv,2,b\n')
    for words in (str(labels), "not a table of labels"):
        assert words in problem


def test_cells_beyond_the_header(labels: Path) -> None:
    problem = _one(labels, "video,frame,label,split\nv,1,a,train\nv,2,grey, seal,train\n")
    for words in (f"{labels}, row 3", "more cells than the header", "'train'", "put quotes around"):
        assert words in problem


def test_header_alone(labels: Path) -> None:
    problem = _one(labels, "video,frame,label\n\n")
    assert str(labels) in problem
    assert "no rows" in problem


def test_spreadsheet(tmp_path: Path) -> None:
    path = tmp_path / "labels.xlsx"
    path.write_bytes(b"PK\x03\x04\xff\xfe")
    with pytest.raises(DataError, match="save it as CSV"):
        read_labels(path)


def test_unknown_columns_are_all_named_with_the_right_ones(labels: Path) -> None:
    first, second = _problems(labels, "vidio,frame,label,splitt\nv,1,a,train\n")
    assert str(labels) in first
    assert "'vidio' (did you mean 'video'?)" in first
    assert "video, time_start, time_end, label" in first
    assert "'splitt' (did you mean 'split'?)" in second


def test_columns_of_no_form(labels: Path) -> None:
    problem = _one(labels, "video,time_start,label\nv,1,a\n")
    for words in (str(labels), "video, time_start, label are of no form", "video, frame, label"):
        assert words in problem


def test_frame_beyond_the_video(labels: Path) -> None:
    problem = _one(labels, "video,frame,label\nv,9,a\nv,10,a\n")
    for words in (f"{labels}, row 3", "frame 10", "'v'", "10 frames (0 to 9)"):
        assert words in problem


def test_frame_beyond_the_video_names_the_sampling_rate(labels: Path) -> None:
    problem = _one(labels, "video,frame,label\nv,5,a\nv,6,a\n", _video(fps=5))
    for words in ("rows 2, 3", "frame 5", "0 to 4 at 5 frames/s"):
        assert words in problem


def test_frame_with_two_labels(labels: Path) -> None:
    problem = _one(labels, "video,frame,label\nv,4,a\nv,5,a\nv,4,b\n")
    for words in (f"{labels}, rows 2, 4", "frame 4", "'v'", "2 labels: a, b"):
        assert words in problem


def test_many_frames_with_two_labels_are_counted(labels: Path) -> None:
    rows = "".join(f"v,{frame},{label}\n" for label in "ab" for frame in range(8))
    problems = _problems(labels, "video,frame,label\n" + rows)
    assert len(problems) == 6
    assert "3 more frames of video 'v'" in problems[-1]


def test_frame_that_is_none(labels: Path) -> None:
    problem = _one(labels, "video,frame,label\nv,1,a\nv,last,a\n")
    for words in (f"{labels}, row 3", "'last' is no frame", "video_1_00001.jpg"):
        assert words in problem


@pytest.mark.parametrize("frame", ["-1", "1.5", "1e3", '"1,5"', "+1", "99999999999999999999", "٣"])
def test_numbers_that_are_no_frame(labels: Path, frame: str) -> None:
    problem = _one(labels, f"video,frame,label\nv,{frame},a\n")
    assert "'{}' is no frame".format(frame.strip('"')) in problem


@pytest.mark.parametrize(
    ("column", "row"),
    [("time_start", "v,25:61:00,26:00:00,a"), ("time_end", "v,00:00:00,25:61:00,a")],
)
def test_time_that_is_none(labels: Path, column: str, row: str) -> None:
    problem = _one(labels, f"video,time_start,time_end,label\n{row}\n")
    for words in (f"{labels}, row 2", column, "'25:61:00'", "61 minutes", "0 to 59"):
        assert words in problem


@pytest.mark.parametrize("end", ["00:00:00.5", "00:00:00.2"])
def test_range_upside_down(labels: Path, end: str) -> None:
    problem = _one(labels, f"video,time_start,time_end,label\nv,00:00:00.5,{end},a\n")
    for words in (f"{labels}, row 2", f"ends at {end}", "start at 00:00:00.5"):
        assert words in problem


def test_overlapping_ranges(labels: Path) -> None:
    text = "video,time_start,time_end,label\nv,0.4,0.9,b\nv,0,0.5,a\nw,0,0.5,a\n"
    problem = _one(labels, text, _video("v"), _video("w"))
    for words in (str(labels), "rows 3 and 2", "'v'", "0 to 0.5 'a'", "0.4 to 0.9 'b'"):
        assert words in problem


def test_a_range_within_a_longer_one_overlaps(labels: Path) -> None:
    text = "video,time_start,time_end,label\nv,0,0.9,a\nv,0.1,0.2,b\nv,0.5,0.6,b\n"
    problems = _problems(labels, text)
    assert len(problems) == 2
    assert "rows 2 and 3" in problems[0]
    assert "rows 2 and 4" in problems[1]


def test_range_beyond_the_video(labels: Path) -> None:
    problem = _one(labels, "video,time_start,time_end,label\nv,0.5,00:00:20,a\n")
    for words in (f"{labels}, row 2", "00:00:20", "'v'", "1.000 seconds (10 frames)"):
        assert words in problem


def test_ranges_beyond_their_videos_leave_the_others(labels: Path) -> None:
    text = "video,time_start,time_end,label,split\nv,0.5,20,a,train\nw,0,0.2,b,train\n"
    labels.write_text(text)
    table, problems, _ = expand(read_labels(labels), {"v": _video("v"), "w": _video("w")})
    assert table[["video", "frame", "split"]].values.tolist() == [
        ["w", 0, "train"],
        ["w", 1, "train"],
    ]
    assert len(problems) == 1


def test_range_between_two_frames(labels: Path) -> None:
    problem = _one(labels, "video,time_start,time_end,label\nv,0.31,0.34,a\n")
    for words in (f"{labels}, row 2", "0.31 to 0.34", "no sampled frame", "'v'", "0.1 seconds"):
        assert words in problem


def test_empty_cells(labels: Path) -> None:
    problems = _problems(labels, "video,frame,label\nv,1,\nv,2,a\n,3,a\nv,4,  \n")
    assert len(problems) == 2
    assert f"{labels}, row 4: 1 with no 'video'" in problems[0]
    assert f"{labels}, rows 2, 5: 2 with no 'label'" in problems[1]
    assert "unlabelled" in problems[1]


def test_every_empty_cell_of_a_row_is_told(labels: Path) -> None:
    problems = _problems(labels, "video,frame,label\nv,,\nv,1,a\n,2,\n")
    assert len(problems) == 3
    for words in ("row 4: 1 with no 'video'", "row 2: 1 with no 'frame'", "rows 2, 4: 2 with no '"):
        assert sum(words in problem for problem in problems) == 1, words


def test_short_rows_are_empty_cells(labels: Path) -> None:
    assert "row 3: 1 with no 'label'" in _one(labels, "video,frame,label\nv,1,a\nv,2\n")


def test_unknown_split(labels: Path) -> None:
    text = "video,frame,label,split\nv,1,a,train\nv,2,a,tset\nv,3,a,tset\n"
    problem = _one(labels, text)
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
    problems = _problems(labels, text)
    assert len(problems) == 5
    for words in ("frame 99", "'first'", "no 'label'", "'trian'", "2 labels"):
        assert sum(words in problem for problem in problems) == 1, words


# The real sample


def _seals(folder: Path, name: str, **splits: list[str]) -> pd.DataFrame:
    return load(folder, folder / name, **splits).table


def test_both_tables_of_the_seals_are_one(seals: Path) -> None:
    frames = _seals(seals, "labels.csv")
    ranges = _seals(seals, "labels_intervals.csv", valid=["s27-8212"], test=["s28-20"])
    assert len(frames) == 725
    pd.testing.assert_frame_equal(frames, ranges, check_dtype=False)


def test_every_row_of_the_seals_has_its_frame(seals: Path) -> None:
    raw = pd.read_csv(seals / "labels.csv", dtype=str)
    wanted = {
        (video, int(image.removesuffix(".jpeg").rsplit("-", 1)[1]) - 1, label, split)
        for video, image, label, split in raw.itertuples(index=False, name=None)
    }
    table = _seals(seals, "labels.csv")
    columns = ["video", "frame", "label", "split"]
    assert set(table[columns].itertuples(index=False, name=None)) == wanted
    assert len(wanted) == len(table) == 725


def test_shuffled_rows_of_the_seals_give_the_same_table(seals: Path, labels: Path) -> None:
    lines = (seals / "labels.csv").read_text().splitlines()
    shuffled = [lines[0], *np.random.default_rng(0).permutation(lines[1:])]
    labels.write_text("\n".join(shuffled))
    pd.testing.assert_frame_equal(load(seals, labels).table, _seals(seals, "labels.csv"))
