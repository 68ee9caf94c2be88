"""Motion images: what moves is found, what stands still is 128, and backgrounds are made once."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import data.stores.motion
from data import FrameStore, Video
from data.clips.index import clip_indices
from data.errors import VideoError
from data.stores.motion import background, difference, motion_frames, video_background
from data.videos.video import open_video

MakeVideo = Callable[..., Path]

SIDE = 8


@pytest.fixture
def scene() -> np.ndarray:
    """A still picture, uint8 ``[48, 64, 3]``, dark enough for a white square to be seen."""
    return np.random.default_rng(0).integers(0, 100, (48, 64, 3), dtype=np.uint8)


@pytest.fixture
def frames(scene: np.ndarray) -> np.ndarray:
    """A white square that crosses the scene from left to right, 2 pixels a frame."""
    result = np.repeat(scene[None], 28, axis=0)
    for number in range(len(result)):
        result[number, 20 : 20 + SIDE, 2 * number : 2 * number + SIDE] = 255
    return result


def _square(number: int) -> np.ndarray:
    mask = np.zeros((48, 64), bool)
    mask[20 : 20 + SIDE, 2 * number : 2 * number + SIDE] = True
    return mask


# Background


@pytest.mark.parametrize("samples", [9, 16, 28, 64])
def test_the_background_is_the_scene_without_what_moves(
    samples: int, frames: np.ndarray, scene: np.ndarray
) -> None:
    found = background(frames, samples=samples)
    assert (found.dtype, found.shape) == (np.uint8, scene.shape)
    assert np.array_equal(found, scene)


def test_the_background_is_each_pixels_median() -> None:
    frames = np.random.default_rng(0).integers(0, 256, (15, 6, 7, 3), dtype=np.uint8)
    assert np.array_equal(background(frames), np.median(frames, axis=0))
    # For an even number, a value that occurs, not the mean of two.
    assert np.array_equal(background(frames[:4]), np.sort(frames[:4], axis=0)[2])
    assert np.array_equal(background(frames[:1]), frames[0])


@pytest.mark.parametrize(
    ("count", "samples", "picks"),
    [(5, 5, [0, 1, 2, 3, 4]), (9, 3, [1, 4, 7]), (100, 1, [50]), (3, 64, [0, 1, 2])],
)
def test_samples_are_spread_evenly(count: int, samples: int, picks: list[int]) -> None:
    frames = np.arange(count, dtype=np.uint8)[:, None, None, None].repeat(3, axis=3)
    assert background(frames, samples=samples).ravel().tolist() == [picks[len(picks) // 2]] * 3


def test_rows_at_a_time_give_the_same(monkeypatch: pytest.MonkeyPatch, frames: np.ndarray) -> None:
    whole = background(frames)
    monkeypatch.setattr(data.stores.motion, "_CHUNK_BYTES", 7 * 28 * 64 * 3)
    assert np.array_equal(background(frames), whole)
    monkeypatch.setattr(data.stores.motion, "_CHUNK_BYTES", 1)
    assert np.array_equal(background(frames), whole)


def test_the_background_of_a_long_video_takes_little_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = np.lib.format.open_memmap(
        tmp_path / "frames.npy", mode="w+", dtype=np.uint8, shape=(400, 96, 96, 3)
    )
    monkeypatch.setattr(data.stores.motion, "_CHUNK_BYTES", 100_000)
    tracemalloc.start()
    try:
        background(frames)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 500_000  # the 64 samples are 1.8 MB, all frames 11 MB


def test_no_frames_no_background() -> None:
    with pytest.raises(ValueError, match="without frames"):
        background(np.zeros((0, 4, 4, 3), np.uint8))


# Difference


def test_every_pair_of_values() -> None:
    values = np.arange(256, dtype=np.uint8)
    new, old = np.meshgrid(values, values)
    signed = new.astype(int) - old
    result = difference(new, old)
    assert result.dtype == np.uint8
    assert np.array_equal(np.sign(result.astype(int) - 128), np.sign(signed))
    exact = 128 + signed / 2
    assert (np.abs(result - exact) <= 0.5)[signed < 255].all()
    assert (result[signed >= 254] == 255).all()
    assert (np.diff(result.astype(int), axis=1) >= 0).all()


def test_worked_differences() -> None:
    new = np.array([10, 11, 9, 12, 8, 255, 0], np.uint8)
    old = np.array([10, 10, 10, 10, 10, 0, 255], np.uint8)
    assert difference(new, old).tolist() == [128, 129, 127, 129, 127, 255, 0]


def test_a_difference_leaves_its_frames_as_they_are(frames: np.ndarray, scene: np.ndarray) -> None:
    before = frames.copy()
    difference(frames, scene)
    assert np.array_equal(frames, before)


# Frames


def test_the_moving_square_stands_out_from_the_background(
    frames: np.ndarray, scene: np.ndarray
) -> None:
    motion = motion_frames(frames, np.arange(28), "background", background(frames))
    assert (motion.dtype, motion.shape) == (np.uint8, frames.shape)
    for number in range(28):
        square = _square(number)
        assert (motion[number][square] > 128 + 70).all()
        assert (motion[number][~square] == 128).all()


def test_the_frame_before_shows_where_it_came_and_where_it_went(frames: np.ndarray) -> None:
    motion = motion_frames(frames, np.arange(28), "previous")
    assert (motion[0] == 128).all()  # which has none before it
    for number in range(1, 28):
        now, then = _square(number), _square(number - 1)
        assert (motion[number][now & ~then] > 128).all()
        assert (motion[number][then & ~now] < 128).all()
        assert (motion[number][now == then] == 128).all()


@pytest.mark.parametrize("mode", ["background", "previous"])
def test_clips_are_gathered_by_number(mode: str, frames: np.ndarray, scene: np.ndarray) -> None:
    index = clip_indices(np.array([27, 0, 3, 3]), 4, 2)
    motion = motion_frames(frames, index, mode, scene)
    assert motion.shape == (4, 4, *scene.shape)
    assert np.array_equal(motion, motion_frames(frames, np.arange(28), mode, scene)[index])


def test_what_is_compared_with_must_be_known(frames: np.ndarray) -> None:
    with pytest.raises(ValueError, match="not 'next'"):
        motion_frames(frames, np.arange(2), "next")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="needs the video's background"):
        motion_frames(frames, np.arange(2), "background")


# Stored


def test_a_videos_background_is_made_once(video: Video, monkeypatch: pytest.MonkeyPatch) -> None:
    store, size = FrameStore(), (16, 64)
    expected = background(np.asarray(store.open(video, size)))
    made: list[int] = []

    def counted(frames: np.ndarray, *, samples: int) -> np.ndarray:
        made.append(samples)
        return background(frames, samples=samples)

    monkeypatch.setattr(data.stores.motion, "background", counted)
    for _ in range(2):
        found = video_background(store, video, size)
        assert (found.dtype, found.shape) == (np.uint8, (*size, 3))
        assert np.array_equal(found, expected)
    assert made == [64]
    assert video_background(store, video, (8, 8)).shape == (8, 8, 3)
    video_background(store, video, size, samples=5)
    assert made == [64, 64, 5]


def test_backgrounds_are_kept_beside_the_frames(video: Video, tmp_path: Path) -> None:
    video_background(FrameStore(folder=tmp_path / "cache"), video, (8, 8))
    files = [path for path in (tmp_path / "cache" / "backgrounds").iterdir() if path.is_file()]
    assert [path.suffix for path in files] == [".npy"]


def test_a_changed_video_gets_its_own_background(video: Video, make_video: MakeVideo) -> None:
    store = FrameStore()
    before = video_background(store, video, (8, 8))
    make_video(video.info.path, colour=(255, 0, 0))
    after = video_background(store, open_video("v", video.info.path, None), (8, 8))
    assert not np.array_equal(before, after)


def test_a_damaged_video_has_no_background(damaged_videos: Path) -> None:
    video = open_video("v", damaged_videos / "bitflips_middle.mp4", None)
    store = FrameStore()
    with pytest.raises(VideoError, match="does not decode to its end"):
        video_background(store, video, (8, 8))
    assert not [p for p in (store.store.folder.parent / "backgrounds").iterdir() if p.is_file()]
