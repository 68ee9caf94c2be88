"""Labels from a spreadsheet: the three forms, what frames they mean, and the real sample."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pandas as pd
import pytest

from data import load
from data.labels.table import expand, parse_time, read_labels
from data.videos.video import open_video
from tests.data.labels.reading import problem_in, read_rows, read_table, video_of

# A frame a row


def test_frame_numbers_count_from_0(labels: Path) -> None:
    table = read_table(labels, "video,frame,label,split\nv,0,a,train\nv,9,b,train\n")
    assert list(table.columns) == ["video", "frame", "time", "label", "split"]
    assert table.values.tolist() == [["v", 0, 0.0, "a", "train"], ["v", 9, 0.9, "b", "train"]]


def test_image_names_count_from_1(labels: Path) -> None:
    text = "video,frame,label\nv,video_1_00001.jpg,a\nv,video_1_00010.jpeg,b\nv,img-7,b\n"
    assert read_rows(labels, text) == [("v", 0, "a"), ("v", 6, "b"), ("v", 9, "b")]


def test_image_names_count_from_0_where_one_is_number_0(labels: Path) -> None:
    text = "video,frame,label\nv,f_0000.png,a\nv,f_0001.png,b\n"
    assert read_rows(labels, text) == [("v", 0, "a"), ("v", 1, "b")]


def test_digits_of_an_ending_are_no_frame_number(labels: Path) -> None:
    assert read_rows(labels, "video,frame,label\nv,f_0003.jp2,a\n") == [("v", 2, "a")]


def test_a_spreadsheets_decimals_are_whole_frames(labels: Path) -> None:
    assert read_rows(labels, "video,frame,label\nv,3.0,a\n") == [("v", 3, "a")]


def test_rows_in_any_order_and_with_gaps_keep_their_frames(labels: Path) -> None:
    videos = video_of("v1"), video_of("v2")
    text = "video,frame,label\nv2,7,c\nv1,9,b\nv2,0,d\nv1,2,a\n"
    assert read_rows(labels, text, *videos) == [
        ("v1", 2, "a"),
        ("v1", 9, "b"),
        ("v2", 0, "d"),
        ("v2", 7, "c"),
    ]


def test_frames_of_names_are_matched_by_number_not_position(labels: Path) -> None:
    names = [f"v_{number:05d}.jpg" for number in (8, 3, 5)]
    text = "video,frame,label\n" + "".join(f"v,{name},{name[5:7]}\n" for name in names)
    assert read_rows(labels, text) == [("v", 2, "03"), ("v", 4, "05"), ("v", 7, "08")]


def test_the_same_row_twice_is_counted_once_with_a_warning(labels: Path) -> None:
    labels.write_text("video,frame,label\nv,1,a\nv,1,a\n")
    table, problems, warnings = expand(read_labels(labels), {"v": video_of()})
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
    with pytest.raises(ValueError, match=r"is not a time|minutes|seconds"):
        parse_time(text)


def test_ranges_end_before_their_end(labels: Path) -> None:
    text = "video,time_start,time_end,label\nv,00:00:00,00:00:00.3,a\nv,00:00:00.3,00:00:00.5,b\n"
    rows = read_rows(labels, text)
    assert rows == [("v", 0, "a"), ("v", 1, "a"), ("v", 2, "a"), ("v", 3, "b"), ("v", 4, "b")]


def test_hours_count(labels: Path) -> None:
    video = video_of(frames=9700, rate=2)
    text = "video,time_start,time_end,label\nv,01:20:05,01:20:06,a\n"
    table = read_table(labels, text, video)
    assert table["time"].tolist() == [4805.0, 4805.5]
    assert table["frame"].tolist() == [9610, 9611]


def test_the_end_of_a_video_has_a_word(labels: Path) -> None:
    text = "video,time_start,time_end,label\nv,0,0.4,a\nv,0.8,end,b\nw,0:00,End,a\n"
    rows = read_rows(labels, text, video_of(), video_of("w", frames=3))
    assert rows == [
        *(("v", frame, "a") for frame in range(4)),
        *(("v", frame, "b") for frame in (8, 9)),
        *(("w", frame, "a") for frame in range(3)),
    ]
    late = "video,time_start,time_end,label\nv,1.5,end,a\n"
    assert "begins at 1.5, beyond video 'v', which lasts 1.000" in problem_in(labels, late)
    assert "time_start 'end' is not a time" in problem_in(labels, late.replace("1.5", "end"))
    overlap = text.replace("0.4", "end")
    both = video_of(), video_of("w")
    assert "overlap (0 to end 'a', 0.8 to end 'b')" in problem_in(labels, overlap, *both)


def test_gaps_do_not_shift_later_frames(labels: Path) -> None:
    text = "video,time_start,time_end,label\nv,0.1,0.2,a\nv,0.5,0.7,b\n"
    assert read_rows(labels, text) == [("v", 1, "a"), ("v", 5, "b"), ("v", 6, "b")]


def test_a_fractional_rate_does_not_shift_late_frames(labels: Path) -> None:
    video = video_of(frames=30_000, rate=29.97)
    start, end = 20_000 / 29.97, 20_003 / 29.97
    text = f"video,time_start,time_end,label\nv,{start:.3f},{end:.3f},a\n"
    assert read_table(labels, text, video)["frame"].tolist() == [20_000, 20_001, 20_002]


def test_no_frame_is_lost_after_the_101st(labels: Path) -> None:
    table = read_table(labels, "video,time_start,time_end,label\nv,0,50,a\n", video_of(frames=500))
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
    assert read_table(labels, text)["frame"].tolist() == frames


def test_bounds_round_to_the_nearest_sampled_frame(labels: Path) -> None:
    video = video_of(frames=100, rate=10, fps=2.5)  # sampled at 0, 0.4, 0.8...
    text = "video,time_start,time_end,label\nv,0.5,1.5,a\n"
    table = read_table(labels, text, video)
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
    table = read_table(labels, text, open_video("v", path, None))
    wanted = [(frame, str(first)) for first, end in ranges for frame in range(first, end)]
    assert list(zip(table["frame"], table["label"], strict=True)) == wanted
    assert table["time"].to_numpy() == pytest.approx(shown[table["frame"]] - shown[0], abs=1e-3)


# A video a row


def test_a_videos_label_is_all_its_frames(labels: Path) -> None:
    text = "video,label,split\nv2,b,valid\nv1,a,train\n"
    table = read_table(labels, text, video_of("v1", 3), video_of("v2", 200))
    assert table.groupby("video").size().to_dict() == {"v1": 3, "v2": 200}
    assert table[table["video"] == "v2"]["frame"].tolist() == list(range(200))
    assert set(zip(table["video"], table["label"], table["split"], strict=True)) == {
        ("v1", "a", "train"),
        ("v2", "b", "valid"),
    }


def test_a_video_with_two_labels(labels: Path) -> None:
    problem = problem_in(labels, "video,label\nv,a\nv,b\n")
    for words in (str(labels), "rows 2, 3", "'v'", "2 labels: a, b"):
        assert words in problem


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


def test_a_range_without_length_labels_the_frame_that_is_shown_then(labels: Path) -> None:
    text = "video,time_start,time_end,label\nv,0.31,0.31,a\nv,0.46,0.46,b\nv,1.0,1.0,c\n"
    assert read_rows(labels, text) == [("v", 3, "a"), ("v", 5, "b"), ("v", 9, "c")]


def test_points_of_two_classes_on_one_sampled_frame_are_told(labels: Path) -> None:
    text = "video,time_start,time_end,label\nv,0.31,0.31,a\nv,0.46,0.46,b\nv,0.9,0.9,b\n"
    problem = problem_in(labels, text, video_of(fps=2))
    assert "frame 1 of video 'v' at 2 frames/s is labelled a, b; a higher data.fps" in problem
