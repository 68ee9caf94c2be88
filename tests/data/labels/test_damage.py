"""Labels of videos that decode in part only."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from data import DataError, Video, load
from data.errors import VideoError
from data.labels.table import expand, read_labels
from data.videos.decode import read_frames
from data.videos.video import open_video
from tests.conftest import draw_videos
from tests.damage import spoil
from tests.data.labels.reading import video_of


def cut(fps: float | None = None) -> Video:
    """A video of which one second is left, of three."""
    video = video_of("v", frames=10, rate=10, fps=fps)
    info = replace(video.info, declared=30, ends=3.0, damage="cut off")
    return replace(video, info=info)


def expanded(path: Path, text: str, video: Video, unit: str = "frame"):
    path.write_text(text)
    return expand(read_labels(path), {video.name: video}, unit)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "labels.csv"


def test_frames_beyond_the_damage_are_left_out_and_told(path):
    table, problems, warnings = expanded(path, "video,frame,label\nv,9,x\nv,10,x\nv,29,y\n", cut())
    assert (table["frame"].tolist(), problems) == ([9], [])
    assert "2 rows of its labels lie beyond its damage and are left out" in warnings[0]


def test_frames_beyond_what_the_file_promises_are_mistakes(path):
    _, problems, _ = expanded(path, "video,frame,label\nv,0,x\nv,30,x\n", cut())
    assert "frame 30 is beyond video 'v'" in problems[0]


def test_ranges_are_used_as_far_as_the_video(path):
    text = "video,time_start,time_end,label\nv,0.5,2.5,x\nv,2.5,3,y\n"
    table, problems, warnings = expanded(path, text, cut(fps=5))
    assert (table["frame"].tolist(), problems) == ([3, 4], [])
    assert [warning.partition(": ")[2] for warning in warnings] == [
        "1 rows of its labels are used as far as it decodes",
        "1 rows of its labels lie beyond its damage and are left out",
    ]


def test_a_label_of_the_whole_on_less_than_half_is_told(path):
    for unit in ("video", "frame"):
        table, problems, warnings = expanded(path, "video,label\nv,x\n", cut(), unit)
        assert (set(table["label"]), problems) == ({"x"}, [])
        assert "10 of its 30 frames decode" in warnings[0]


@pytest.fixture
def half(tmp_path: Path) -> Path:
    """Drawn videos, of which one is damaged in its middle."""
    folder = draw_videos(tmp_path / "videos")
    spoil(folder / "a2.avi", 12)
    return folder


def test_a_damaged_video_is_used_or_left_out_as_the_user_says(half):
    video = open_video("a2", half / "a2.avi", None)
    if not video.info.damage:  # as its packets look right
        with pytest.raises(VideoError, match="does not decode") as caught:
            list(read_frames(video.info))
        video.after(caught.value)
    dataset = load(half, half / "labels.csv")
    (told,) = dataset.damaged
    assert (told.video, told.used, told.declared) == ("a2", 12, 24)
    assert (dataset.table["video"] == "a2").sum() == 12
    assert "used in part: a2: damaged at 1.20 seconds" in told.told
    without = load(half, half / "labels.csv", damaged="leave_out")
    assert (without.damaged, [reject.video for reject in without.rejects]) == ([], ["a2"])
    assert "a2" not in set(without.table["video"])


def test_a_mistake_in_the_labels_is_still_one(half):
    labels = half / "labels.csv"
    labels.write_text(labels.read_text() + "a2,24,seal,train\n")
    with pytest.raises(DataError, match="frame 24 is beyond video 'a2'"):
        load(half, labels)
