"""Frames sampled in time: each is the nearest, and a video knows which it has."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from data.videos.decode import read_frames
from data.videos.times import nearest_frames, sample_indices
from data.videos.video import open_video

MakeVideo = Callable[..., Path]
FrameNumber = Callable[[np.ndarray], int]


@pytest.mark.parametrize(
    ("count", "rate", "fps", "indices"),
    [
        (4, 10, None, [0, 1, 2, 3]),
        (4, 10, 5, [0, 2]),
        (5, 10, 5, [0, 2, 4]),
        (10, 10, 2.5, [0, 4, 8]),
        (10, 10, 3, [0, 3, 7]),
        (4, 10, 20, [0, 1, 1, 2, 2, 3, 3, 3]),
        (3, 10, 0.1, [0]),
        (3, 10, 10, [0, 1, 2]),
        (1, 25, 4, [0]),
    ],
)
def test_sampled_frames(count: int, rate: float, fps: float | None, indices: list[int]) -> None:
    times = np.arange(count) / rate
    assert sample_indices(times, times[-1] + 1 / rate, fps).tolist() == indices


@pytest.mark.parametrize("fps", [1, 2.5, 7.3, 9.2, 29.97])
def test_each_sample_is_the_frame_nearest_in_time(fps: float) -> None:
    times = np.cumsum(np.r_[0, np.random.default_rng(0).uniform(0.01, 0.2, 199)])
    indices = sample_indices(times, times[-1] + 0.05, fps)
    wanted = np.arange(len(indices)) / fps
    distance = np.abs(times[:, None] - wanted)
    assert np.abs(times[indices] - wanted) == pytest.approx(distance.min(axis=0), abs=1e-5)
    assert wanted[-1] < times[-1] + 0.05 <= len(indices) / fps


def test_sampling_the_files_own_rate_keeps_every_frame_of_an_hour() -> None:
    times = np.arange(36_000) / 9.2
    assert (sample_indices(times, 36_000 / 9.2, 9.2) == np.arange(36_000)).all()


def test_a_sampled_video_knows_its_frames_and_times(
    tmp_path: Path, make_video: MakeVideo, frame_number: FrameNumber
) -> None:
    video = open_video("v", make_video(tmp_path / "v.mp4", frames=25, fps=10), 2.5)
    assert video.times == pytest.approx([0, 0.4, 0.8, 1.2, 1.6, 2.0, 2.4])
    assert len(video) == 7
    frames = [frame_number(frame) for frame in read_frames(video.info)]
    assert [frames[index] for index in video.indices] == [0, 4, 8, 12, 16, 20, 24]


def test_nearest_frames_takes_the_later_of_two_as_near() -> None:
    times = np.array([0.0, 1.0, 2.0, 10.0])
    wanted = np.array([-5, 0.4, 0.5, 1.7, 5.9, 6.1, 99])
    assert nearest_frames(times, wanted).tolist() == [0, 0, 1, 2, 2, 3, 3]
