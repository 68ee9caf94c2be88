"""Frame numbers are those of the file, also where fewer frames a second are sampled, and said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data.labels.numbering import Numbers
from data.labels.table import expand, read_labels
from data.videos.info import VideoInfo
from data.videos.video import Video
from tests.data.labels.reading import load_text, problems_of, video_of


def table_of(
    labels: Path, rows: str, *videos: Video, numbers: Numbers = "file"
) -> tuple[pd.DataFrame, list[str]]:
    labels.write_text("video,frame,label\n" + rows)
    table, problems, warnings = expand(
        read_labels(labels), {video.name: video for video in videos}, numbers=numbers
    )
    assert problems == []
    return table, warnings


def dense(frames: int, name: str = "v") -> str:
    return "".join(f"{name},{number},f{number}\n" for number in range(frames))


def pairs(table: pd.DataFrame) -> list[tuple[int, str]]:
    return list(zip(table["frame"], table["label"], strict=True))


def test_each_sampled_frame_has_the_label_of_the_files_frame_that_it_shows(labels: Path) -> None:
    video = video_of(frames=20, rate=10, fps=2.5)
    table, _ = table_of(labels, dense(20), video)
    assert pairs(table) == [(k, f"f{frame}") for k, frame in enumerate(video.indices)]
    assert table["time"].tolist() == pytest.approx([0, 0.4, 0.8, 1.2, 1.6])


@pytest.mark.parametrize("fps", [1, 3, 7.3, 10, 12.5, 29.97])
@pytest.mark.parametrize("rate", [10, 25, 30000 / 1001])
def test_labels_stay_at_their_time(labels: Path, rate: float, fps: float) -> None:
    video = video_of(frames=90, rate=rate, fps=fps)
    table, _ = table_of(labels, dense(90), video)
    assert table["frame"].tolist() == list(range(len(video)))  # every sampled frame has one
    shown = table["label"].str.removeprefix("f").astype(int).to_numpy()
    assert (shown == video.indices).all()
    assert np.abs(video.info.times[shown] - table["time"]).max() <= 1 / rate + 1e-6


def test_a_variable_rate(labels: Path) -> None:
    times = np.array([0, 0.1, 0.2, 1.0, 1.1, 2.0])
    video = Video("v", VideoInfo(Path("v.mp4"), times, 3.0, 64, 48, "pyav"), 1, "identity")
    table, _ = table_of(labels, dense(6), video)
    assert pairs(table) == [(0, "f0"), (1, "f3"), (2, "f5")]


def test_sparse_labels_go_to_the_nearest_sampled_frame(labels: Path) -> None:
    video = video_of(frames=40, rate=10, fps=1)  # shows 0, 10, 20, 30
    table, _ = table_of(labels, "v,2,a\nv,4,b\nv,11,c\nv,19,d\nv,20,e\nv,27,g\nv,33,h\n", video)
    # 2 is nearer than 4 to 0; 20 is shown itself, whatever 19 says; 27 and 33 are as near: the later.
    assert pairs(table) == [(0, "a"), (1, "c"), (2, "e"), (3, "h")]


def test_more_frames_than_the_file_has_repeat_their_labels(labels: Path) -> None:
    video = video_of(frames=4, rate=2, fps=4)
    table, _ = table_of(labels, "v,1,a\nv,2,b\n", video)
    assert pairs(table) == [
        (k, "ab"[frame - 1]) for k, frame in enumerate(video.indices) if frame in (1, 2)
    ]
    assert len(table) == 4


def test_it_is_said_where_fewer_frames_are_sampled(labels: Path) -> None:
    _, (warning,) = table_of(labels, dense(20), video_of(frames=20, rate=10, fps=5))
    for words in (
        "data.frame_numbers: file",
        "20 labels become those of the 10 frames",
        "at 5 a sec",
    ):
        assert words in warning
    assert "no number is beyond" not in warning
    _, (warning,) = table_of(labels, dense(10), video_of(frames=20, rate=10, fps=5))
    assert "no number is beyond the frames that are sampled" in warning
    assert "--set data.frame_numbers=sampled" in warning


@pytest.mark.parametrize("fps", [None, 10])
def test_nothing_is_said_where_all_frames_are_taken(labels: Path, fps: float | None) -> None:
    table, warnings = table_of(labels, dense(20), video_of(frames=20, rate=10, fps=fps))
    assert (len(table), warnings) == (20, [])


def test_numbers_of_sampled_frames(labels: Path) -> None:
    video = video_of(frames=100, rate=10, fps=2)
    table, warnings = table_of(labels, "v,3,a\n", video, numbers="sampled")
    assert (table["frame"].tolist(), table["time"].tolist(), warnings) == ([3], [1.5], [])


def test_videos_of_several_rates(labels: Path) -> None:
    slow, fast = video_of("a", frames=10, rate=5, fps=5), video_of("b", frames=20, rate=10, fps=5)
    table, _ = table_of(labels, dense(20, "b") + dense(10, "a"), slow, fast)
    of = {name: pairs(rows) for name, rows in table.groupby("video", observed=True)}
    assert of["a"] == [(k, f"f{k}") for k in range(10)]
    assert of["b"] == [(k, f"f{frame}") for k, frame in enumerate(fast.indices)]


# Beyond the end


def test_beyond_the_files_last_frame(drawn: Path) -> None:
    rows = "video,frame,label,split\na,19,x,train\na,0,y,train\nb,20,x,valid\nc,3,y,test\n"
    (problem,) = problems_of(drawn, rows, fps=5)
    assert "row 4: frame 20 is beyond video 'b', which has 20 frames (0 to 19)" in problem


def test_numbers_of_the_file_where_sampled_ones_are_said(drawn: Path) -> None:
    rows = "video,frame,label,split\na,19,x,train\na,0,y,train\nb,2,x,valid\nc,3,y,test\n"
    (problem,) = problems_of(drawn, rows, fps=5, frame_numbers="sampled")
    for words in (
        "frame 19 is beyond video 'a', which has 10 frames (0 to 9 at 5 frames/s)",
        "those of the file, which are 20, --set data.frame_numbers=file",
    ):
        assert words in problem


def test_sampled_numbers_beyond_the_file(drawn: Path) -> None:
    rows = "video,frame,label,split\na,39,x,train\na,0,y,train\nb,2,x,valid\nc,3,y,test\n"
    (problem,) = problems_of(drawn, rows, fps=20)
    for words in ("has 20 frames (0 to 19)", "are 40, --set data.frame_numbers=sampled"):
        assert words in problem
    dataset = load_text(drawn, rows, fps=20, frame_numbers="sampled")
    assert dataset.table["frame"].tolist() == [0, 39, 2, 3]
