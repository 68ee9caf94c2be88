"""Stored frames: the right ones, decoded once for all sizes, and none of a damaged video."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import data.stores.frames
from data import FrameStore, Video
from data.clips.transforms import resize
from data.errors import VideoError
from data.files.array import StoredArray
from data.stores.frames import whole_frames
from data.videos.decode import read_frames
from data.videos.info import VideoInfo
from data.videos.video import open_video
from tests.data.stores.squares import SIZE, files_of

MakeVideo = Callable[..., Path]
FrameNumber = Callable[[np.ndarray], int]


def test_frames_are_stored_by_number(video: Video, frame_number: FrameNumber) -> None:
    frames = FrameStore().open(video, SIZE)
    assert isinstance(frames, StoredArray)
    assert (frames.dtype, frames.shape) == (np.uint8, (20, *SIZE, 3))
    assert [frame_number(frame) for frame in frames] == list(range(20))


@pytest.mark.parametrize("suffix", [".mp4", ".avi", ".wmv", ".mpg"])
def test_more_frames_than_are_resized_at_a_time(
    suffix: str, tmp_path: Path, make_video: MakeVideo, frame_number: FrameNumber
) -> None:
    path = make_video(tmp_path / f"v{suffix}", frames=150, fps=25)
    frames = FrameStore().open(open_video("v", path, None), (24, 64))
    assert frames.shape == (150, 24, 64, 3)
    assert [frame_number(frame) for frame in frames] == list(range(150))


@pytest.mark.parametrize(
    ("fps", "numbers"),
    [
        (2.5, [0, 4, 8, 12, 16]),
        (20, [0, *sorted([*range(1, 20), *range(1, 20)]), 19]),
        (0.1, [0]),
    ],
)
def test_sampled_frames(
    fps: float, numbers: list[int], video: Video, frame_number: FrameNumber
) -> None:
    sampled = open_video("v", video.info.path, fps)
    frames = FrameStore().open(sampled, SIZE)
    assert [frame_number(frame) for frame in frames] == numbers
    assert len(frames) == len(sampled)


def test_frames_are_red_green_blue_and_not_normalised(
    tmp_path: Path, make_video: MakeVideo
) -> None:
    path = make_video(tmp_path / "v.mp4", frames=2, colour=(255, 0, 0))
    for size in (SIZE, (20, 20)):
        frames = FrameStore().open(open_video("v", path, None), size)
        red, green, blue = frames[:].reshape(-1, 3).mean(axis=0)
        assert red > 220
        assert max(green, blue) < 40


def test_shrinking_averages() -> None:
    frames = np.zeros((1, 64, 64, 3), np.uint8)
    frames[:, :, ::8] = 255  # thin lines, which fall between the pixels that are kept
    small = resize(frames, (8, 8))
    assert (small.dtype, small.shape) == (np.uint8, (1, 8, 8, 3))
    assert small[:, :, 1:-1].mean() == pytest.approx(255 / 8, abs=2)


def test_height_comes_first() -> None:
    frames = np.zeros((2, 10, 20, 3), np.uint8)
    frames[:, :5] = 255  # the upper half
    assert resize(frames, (4, 6)).shape == (2, 4, 6, 3)
    assert (resize(frames, (2, 6))[:, :, :, 0].mean(axis=(0, 2)) > 127).tolist() == [True, False]


def test_a_video_is_decoded_once_for_all_sizes(
    video: Video, monkeypatch: pytest.MonkeyPatch, frame_number: FrameNumber
) -> None:
    decoded: list[str] = []

    def counted(info: VideoInfo, wanted: np.ndarray) -> Iterator[np.ndarray]:
        decoded.append(info.path.name)
        return read_frames(info, wanted)

    monkeypatch.setattr(data.stores.frames, "read_frames", counted)
    store, sizes = FrameStore(), [SIZE, (16, 64), (64, 64)]
    store.ensure(video, sizes)
    assert decoded == ["v.mp4"]
    for size in sizes:
        frames = store.open(video, size)
        assert frames.shape == (20, *size, 3)
        assert [frame_number(frame) for frame in frames] == list(range(20))
    FrameStore().ensure(video, sizes)
    assert decoded == ["v.mp4"]
    store.ensure(video, [*sizes, (8, 8)])
    assert decoded == ["v.mp4"] * 2


def test_a_resolution_that_changes_within_the_file(
    video: Video, monkeypatch: pytest.MonkeyPatch, frame_number: FrameNumber
) -> None:
    def changing(info: VideoInfo, wanted: np.ndarray) -> Iterator[np.ndarray]:
        for number, frame in enumerate(read_frames(info, wanted)):
            yield frame if number < 7 else np.repeat(np.repeat(frame, 2, axis=0), 2, axis=1)

    monkeypatch.setattr(data.stores.frames, "read_frames", changing)
    frames = FrameStore().open(video, SIZE)
    assert [frame_number(frame) for frame in frames] == list(range(20))


@pytest.mark.parametrize("name", ["bitflips_middle.mp4", "corrupted.mp4"])
def test_a_damaged_video_says_so_and_leaves_nothing(name: str, damaged_videos: Path) -> None:
    video, store = open_video("v", damaged_videos / name, None), FrameStore()
    for _ in range(2):
        with pytest.raises(VideoError, match="does not decode to its end"):
            store.ensure(video, [SIZE, (8, 8)])
    assert files_of(store) == []


def test_a_changed_video_gets_its_own_frames(
    video: Video, make_video: MakeVideo, frame_number: FrameNumber
) -> None:
    store = FrameStore()
    store.open(video, SIZE)
    make_video(video.info.path, numbers=[9, 8, 7])
    changed = open_video("v", video.info.path, None)
    assert [frame_number(frame) for frame in store.open(changed, SIZE)] == [9, 8, 7]


def test_real_frames_equal_the_decoded_ones(seals: Path) -> None:
    video = open_video("v", seals / "s27-8212.avi", None)
    frames = FrameStore().open(video, (48, 64))
    assert len(frames) == len(video)
    for number, frame in enumerate(read_frames(video.info)):
        if number % 25 == 0:
            assert np.array_equal(frames[number], resize(frame[None], (48, 64))[0])


def test_a_video_that_is_replaced_is_not_stored_under_its_former_content(
    tmp_path: Path, make_video
) -> None:
    path = make_video(tmp_path / "v.mp4", frames=20)
    video = open_video("v", path, None)
    frames = whole_frames(video)
    next(frames)
    make_video(path, numbers=list(range(100, 120)))
    with pytest.raises(VideoError, match="it has changed since it was opened"):
        list(frames)
    store = FrameStore()
    with pytest.raises(VideoError, match="it has changed since it was opened"):
        store.open(video, SIZE)
    assert not list(store.store.folder.glob("*.npy"))
    path.unlink()
    with pytest.raises(VideoError, match="it is no longer there"):
        store.open(video, SIZE)
