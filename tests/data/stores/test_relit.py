"""Frames in the light of the still scene: light is no motion, what comes by is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from data.stores.crops import CroppedMotion, CroppedStore
from data.stores.motion import background, difference, motion_frames, relit
from data.videos.video import open_video
from tests.data.stores.test_motion import MakeVideo

HEIGHT, WIDTH = 120, 160


@pytest.fixture
def scene() -> np.ndarray:
    return np.random.default_rng(0).integers(60, 140, (HEIGHT, WIDTH, 3), dtype=np.uint8)


def lit(scene: np.ndarray, strength: float) -> np.ndarray:
    """The scene under a light that is brighter on one side, and tinted."""
    light = 1 + strength * np.sin(np.linspace(-1.5, 1.5, WIDTH))[:, None]
    return np.clip(scene * light * 0.9, 0, 255).astype(np.uint8)


def changed(picture: np.ndarray) -> float:
    return float(np.abs(picture.astype(int) - 128).mean())


@pytest.mark.parametrize("strength", [0.0, 0.3, 0.6])
def test_light_that_changes_smoothly_is_no_motion(scene: np.ndarray, strength: float) -> None:
    frame = lit(scene, strength)
    before, after = difference(frame, scene), difference(relit(frame, scene), scene)
    assert changed(after) < 0.3 * changed(before)


def test_what_comes_by_stays(scene: np.ndarray) -> None:
    frame = lit(scene, 0.5)
    frame[50:60, 70:84] = (160, 90, 40)
    before, after = difference(frame, scene), difference(relit(frame, scene), scene)
    assert changed(after[50:60, 70:84]) > 0.8 * changed(before[50:60, 70:84])
    assert changed(after[:, :40]) < 0.4 * changed(before[:, :40])
    assert changed(after[50:60, 70:84]) > 4 * changed(after[:, :60])


def test_an_equal_frame_is_as_it_was(scene: np.ndarray) -> None:
    dark = np.zeros_like(scene)
    for picture in (scene, dark, 255 - dark, scene[:1, :1], scene[:2, :5]):
        assert np.array_equal(relit(picture, picture), picture)


def test_many_frames_are_what_each_is(scene: np.ndarray) -> None:
    frames = np.stack([lit(scene, strength) for strength in (0.0, 0.2, 0.4, 0.6)])
    before = frames.copy()
    together = relit(frames.reshape(2, 2, *scene.shape), scene)
    assert together.dtype == np.uint8 and together.shape == (2, 2, *scene.shape)
    for one, frame in zip(together.reshape(frames.shape), frames, strict=True):
        assert np.array_equal(one, relit(frame, scene))
    assert np.array_equal(frames, before)
    each = np.stack([scene] * 4)
    assert np.array_equal(relit(frames, each), together.reshape(frames.shape))


def test_motion_is_against_the_background_in_its_light(scene: np.ndarray) -> None:
    frames = np.stack([lit(scene, strength) for strength in (0.0, 0.2, 0.4, 0.6, 0.1)])
    still = background(frames)
    motion = motion_frames(frames, np.array([1, 3]), "relit", still)
    assert np.array_equal(motion, difference(relit(frames[[1, 3]], still), still))
    with pytest.raises(ValueError, match="needs the video's background"):
        motion_frames(frames, np.arange(2), "relit")


def test_crops_are_cut_from_the_same_background(make_video: MakeVideo, tmp_path: Path) -> None:
    video = open_video("v", make_video(tmp_path / "v.avi"), None)
    store, size = CroppedStore(folder=tmp_path / "cache"), (16, 16)
    crops = store.open(video, size)
    still = store.compared("relit").open(video, size)
    assert np.array_equal(still, store.compared("background").open(video, size))
    motion = CroppedMotion(crops, still, light=True)
    assert np.array_equal(motion[2:4], difference(relit(crops[2:4], still[2:4]), still[2:4]))
