"""Stored features: the right ones of frames and of clips, made once, and never half of them."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from data import FrameStore, Video
from data.clips.index import clip_indices
from data.files.array import StoredArray
from data.files.patience import telling
from data.stores.features import ensure
from data.videos.video import open_video
from tests.data.stores.squares import SIZE, Counting, describe, feature_store, files_of

MakeVideo = Callable[..., Path]


def test_features_are_stored_by_frame_number(video: Video) -> None:
    features = feature_store(batch_size=7).open(video)
    assert isinstance(features, StoredArray)
    assert (features.dtype, features.shape) == (np.float16, (20, 48))
    expected = describe(np.asarray(FrameStore().open(video, SIZE)))
    assert np.array_equal(features, expected.astype(np.float16))
    assert len(np.unique(features, axis=0)) == 20


@pytest.mark.parametrize("kind", ["frames", "features"])
def test_a_damaged_file_is_made_again(kind: str, video: Video) -> None:
    expected = np.array(feature_store().open(video))
    store = feature_store()
    (path,) = (store if kind == "features" else store.frames).store.folder.glob("*.npy")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    if kind == "frames":
        store.store.path(store.key(video)).unlink()
    said: list[str] = []
    with telling(said.append):
        assert np.array_equal(store.read(video), expected)
    assert said == [f"a damaged file of the cache is made again: {path} (its checksum differs)"]


def test_every_frame_goes_through_the_backbone_once(video: Video) -> None:
    counting = Counting()
    feature_store(counting, batch_size=7).open(video)
    assert counting.batches == [7, 7, 6]


def test_the_backbone_is_not_even_made_where_features_are_stored(video: Video) -> None:
    feature_store().open(video)
    counting = Counting()
    store = feature_store(counting)
    store.ensure([video])
    store.open(video)
    assert (counting.made, counting.batches) == (0, [])


def test_one_backbone_serves_all_videos(tmp_path: Path, make_video: MakeVideo) -> None:
    counting, told = Counting(), []
    videos = [
        open_video(str(n), make_video(tmp_path / f"{n}.mp4", numbers=[n]), None) for n in range(3)
    ]
    feature_store(counting).ensure(videos, on_video=lambda video: told.append(video.name))
    assert counting.made == 1
    assert told == ["0", "1", "2"]


def test_videos_side_by_side_have_the_features_of_each_alone(
    tmp_path: Path, make_video: MakeVideo
) -> None:
    videos = [
        open_video(str(n), make_video(tmp_path / f"{n}.mp4", numbers=[n, n + 9]), None)
        for n in range(6)
    ]
    counting, told = Counting(), []
    store = feature_store(counting)
    ensure([store], videos, on_video=lambda video: told.append(video.name), at_once=4)
    assert (counting.made, told) == (1, list("012345"))
    for video in videos:
        expected = describe(np.asarray(FrameStore().open(video, SIZE)))
        assert np.array_equal(store.read(video), expected.astype(np.float16))


def test_side_by_side_a_failure_is_told_and_no_other_video_begun(
    tmp_path: Path, make_video: MakeVideo
) -> None:
    videos = [
        open_video(str(n), make_video(tmp_path / f"{n}.mp4", numbers=[n]), None) for n in range(9)
    ]
    asked = []

    def failing(frames: np.ndarray) -> np.ndarray:
        asked.append(len(frames))
        raise RuntimeError("no more memory")

    store = feature_store(backbone=lambda outputs: failing)
    with pytest.raises(RuntimeError, match="no more memory"):
        ensure([store], videos, at_once=2)
    assert len(asked) < 9
    assert not files_of(store)


@pytest.mark.parametrize("option", [{"backbone_key": "other"}, {"size": (16, 64)}])
def test_another_backbone_or_size_has_features_of_its_own(
    option: dict[str, object], video: Video
) -> None:
    feature_store().open(video)
    counting = Counting()
    feature_store(counting, **option).open(video)
    assert sum(counting.batches) == 20


def test_a_changed_video_gets_its_own_features(video: Video, make_video: MakeVideo) -> None:
    store = feature_store()
    before = np.array(store.open(video))
    make_video(video.info.path, numbers=list(range(100, 120)))
    after = store.open(open_video("v", video.info.path, None))
    assert after.shape == before.shape
    assert not np.array_equal(after, before)


def describe_clips(clips: np.ndarray) -> np.ndarray:
    """In place of a backbone of videos: `describe` of the mean, and the clip's order by its sum."""
    weights = np.arange(1, clips.shape[1] + 1)
    squares = np.stack([describe(clips[:, step]) for step in range(clips.shape[1])], axis=1)
    return (squares * weights[None, :, None]).mean(axis=1)


@pytest.mark.parametrize("window", [(1, 1), (3, 1), (5, 2), (7, 30), (5, 2, 2)])
def test_features_of_the_clip_of_each_frame(window: tuple[int, ...], video: Video) -> None:
    shapes: list[tuple[int, ...]] = []

    def backbone(clips: np.ndarray) -> np.ndarray:
        assert clips.dtype == np.uint8
        shapes.append(clips.shape)
        return describe_clips(clips)

    features = feature_store(backbone=lambda _: backbone, window=window, batch_size=12).open(video)
    frames = np.asarray(FrameStore().open(video, SIZE))
    length, stride, *after = window
    clips = clip_indices(np.arange(20), length, stride, after=sum(after), count=20)
    expected = describe_clips(frames[clips])
    assert np.array_equal(features, expected.astype(np.float16))
    assert {shape[1:] for shape in shapes} == {(window[0], *SIZE, 3)}
    assert sum(shape[0] for shape in shapes) == 20


@pytest.mark.parametrize(
    ("length", "batches"), [(1, [8, 8, 4]), (3, [2] * 10), (8, [1] * 20), (50, [1] * 20)]
)
def test_a_batch_of_clips_has_no_more_frames_than_one_of_frames(
    length: int, batches: list[int], video: Video
) -> None:
    seen: list[int] = []

    def backbone(clips: np.ndarray) -> np.ndarray:
        seen.append(len(clips))
        return describe_clips(clips)

    feature_store(backbone=lambda _: backbone, window=(length, 1), batch_size=8).ensure([video])
    assert seen == batches


def test_clips_are_not_copies_of_the_whole_video(tmp_path: Path, make_video: MakeVideo) -> None:
    size, length = (64, 128), 16
    path = make_video(tmp_path / "v.mp4", frames=200, size=size)
    video = open_video("v", path, None)
    frame_bytes = len(FrameStore().open(video, size)[0].tobytes())
    options = {"size": size, "num_features": 1, "window": (length, 4), "batch_size": 32}
    store = feature_store(backbone=lambda _: lambda clips: clips[:, 0, 0, 0, :1], **options)
    tracemalloc.start()
    try:
        store.ensure([video])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # Two batches at most (one being gathered, one not yet let go); the clips of all are 3200 frames.
    assert peak < (2 * 32 + 10) * frame_bytes


def test_each_window_has_features_of_its_own(video: Video) -> None:
    windows = [None, (1, 1), (5, 1), (5, 2), (52, 1)]
    keys = {feature_store(window=window).key(video) for window in windows}
    assert len(keys) == len(windows)


def test_a_failing_backbone_leaves_nothing(video: Video) -> None:
    batches: list[int] = []

    def failing(frames: np.ndarray) -> np.ndarray:
        batches.append(len(frames))
        if len(batches) == 2:
            raise RuntimeError("out of memory")
        return describe(frames)

    store = feature_store(backbone=lambda _: failing, batch_size=8)
    with pytest.raises(RuntimeError, match="out of memory"):
        store.open(video)
    assert files_of(store) == []
    assert len(store.open(video)) == 20  # nor is its lock held


def test_features_beyond_float16_stay_finite(video: Video) -> None:
    def large(frames: np.ndarray) -> np.ndarray:
        return np.tile(np.array([1e6, -1e6], np.float32), (len(frames), 1))

    features = feature_store(backbone=lambda _: large, num_features=2).open(video)
    assert np.unique(np.asarray(features), axis=0).tolist() == [[65504, -65504]]


def test_features_of_another_width_are_refused(video: Video) -> None:
    store = feature_store(num_features=47)
    with pytest.raises(ValueError, match="47"):
        store.open(video)
    assert files_of(store) == []


class Several:
    """A backbone with several outputs, which remembers what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[list[object]] = []

    def make(self, outputs: Sequence[object]) -> Callable[[np.ndarray], np.ndarray]:
        self.asked.append(list(outputs))
        return lambda frames: np.concatenate([describe(frames) + o for o in outputs], axis=1)


def test_outputs_of_one_backbone_are_made_in_one_pass(video: Video) -> None:
    backbone = Several()
    stores = [
        feature_store(backbone=backbone.make, backbone_key=f"plus {n}", output=n) for n in range(3)
    ]
    stores[1].ensure([video])
    told: list[str] = []
    ensure(stores, [video], on_video=lambda video: told.append(video.name))
    assert (backbone.asked, told) == ([[1], [0, 2]], ["v"])
    plain = describe(np.asarray(FrameStore().open(video, SIZE)))
    for number, store in enumerate(stores):
        assert np.array_equal(store.open(video), (plain + number).astype(np.float16))


def test_outputs_of_other_pictures_are_made_apart(video: Video) -> None:
    backbone = Several()
    small = feature_store(backbone=backbone.make, output=1, size=(16, 64))
    ensure([feature_store(backbone=backbone.make, output=0), small], [video])
    assert backbone.asked == [[0], [1]]
