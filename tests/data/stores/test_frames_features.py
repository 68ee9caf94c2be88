"""Stored frames and features: the right ones, made once whoever asks, and never half of them."""

from __future__ import annotations

import inspect
import json
import os
import signal
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest

import data.stores.frames
from data import FeatureStore, FrameStore, Video
from data.clips.index import clip_indices
from data.clips.transforms import resize
from data.errors import VideoError
from data.videos.decode import read_frames
from data.videos.info import VideoInfo
from data.videos.video import open_video

MakeVideo = Callable[..., Path]
FrameNumber = Callable[[np.ndarray], int]

ROOT = Path(__file__).parents[3]
SIZE = (32, 128)  # of the drawn videos too, whose frames are then stored as they are


@pytest.fixture
def video(tmp_path: Path, make_video: MakeVideo) -> Video:
    return open_video("v", make_video(tmp_path / "v.mp4", frames=20), None)


def describe(frames: np.ndarray) -> np.ndarray:
    """In place of a backbone: red, green and blue of the middles of a frame's squares."""
    height, width = frames.shape[1:3]
    rows, columns = [height // 4, 3 * height // 4], [(2 * k + 1) * width // 16 for k in range(8)]
    return frames[:, rows][:, :, columns].reshape(len(frames), -1).astype(np.float32)


class Counting:
    """A backbone that remembers the sizes of its batches, and how often it was made."""

    def __init__(self) -> None:
        self.made = 0
        self.batches: list[int] = []

    def make(self) -> Callable[[np.ndarray], np.ndarray]:
        self.made += 1
        return self.run

    def run(self, frames: np.ndarray) -> np.ndarray:
        self.batches.append(len(frames))
        return describe(frames)


def _features(counting: Counting | None = None, **options: object) -> FeatureStore:
    settings = {"size": SIZE, "backbone_key": "squares", "num_features": 48} | options
    settings.setdefault("backbone", (counting or Counting()).make)
    return FeatureStore(FrameStore(), **settings)


def _files(store: FrameStore | FeatureStore) -> list[str]:
    folder = store.store.folder
    return sorted(path.suffix for path in folder.iterdir() if path.is_file())


# Frames


def test_frames_are_stored_by_number(video: Video, frame_number: FrameNumber) -> None:
    frames = FrameStore().open(video, SIZE)
    assert isinstance(frames, np.memmap)
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
        red, green, blue = frames.reshape(-1, 3).mean(axis=0)
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

    def counted(info: VideoInfo) -> Iterator[np.ndarray]:
        decoded.append(info.path.name)
        return read_frames(info)

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
    def changing(info: VideoInfo) -> Iterator[np.ndarray]:
        for number, frame in enumerate(read_frames(info)):
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
    assert _files(store) == []


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


# Features


def test_features_are_stored_by_frame_number(video: Video) -> None:
    features = _features(batch_size=7).open(video)
    assert isinstance(features, np.memmap)
    assert (features.dtype, features.shape) == (np.float16, (20, 48))
    expected = describe(np.asarray(FrameStore().open(video, SIZE)))
    assert np.array_equal(features, expected.astype(np.float16))
    assert len(np.unique(features, axis=0)) == 20


def test_every_frame_goes_through_the_backbone_once(video: Video) -> None:
    counting = Counting()
    _features(counting, batch_size=7).open(video)
    assert counting.batches == [7, 7, 6]


def test_the_backbone_is_not_even_made_where_features_are_stored(video: Video) -> None:
    _features().open(video)
    counting = Counting()
    store = _features(counting)
    store.ensure([video])
    store.open(video)
    assert (counting.made, counting.batches) == (0, [])


def test_one_backbone_serves_all_videos(tmp_path: Path, make_video: MakeVideo) -> None:
    counting, told = Counting(), []
    videos = [
        open_video(str(n), make_video(tmp_path / f"{n}.mp4", numbers=[n]), None) for n in range(3)
    ]
    _features(counting).ensure(videos, on_video=lambda video: told.append(video.name))
    assert counting.made == 1
    assert told == ["0", "1", "2"]


@pytest.mark.parametrize("option", [{"backbone_key": "other"}, {"size": (16, 64)}])
def test_another_backbone_or_size_has_features_of_its_own(
    option: dict[str, object], video: Video
) -> None:
    _features().open(video)
    counting = Counting()
    _features(counting, **option).open(video)
    assert sum(counting.batches) == 20


def test_a_changed_video_gets_its_own_features(video: Video, make_video: MakeVideo) -> None:
    store = _features()
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


@pytest.mark.parametrize("window", [(1, 1), (3, 1), (5, 2), (7, 30)])
def test_features_of_the_clip_that_ends_at_each_frame(
    window: tuple[int, int], video: Video
) -> None:
    shapes: list[tuple[int, ...]] = []

    def backbone(clips: np.ndarray) -> np.ndarray:
        assert clips.dtype == np.uint8
        shapes.append(clips.shape)
        return describe_clips(clips)

    features = _features(backbone=lambda: backbone, window=window, batch_size=12).open(video)
    frames = np.asarray(FrameStore().open(video, SIZE))
    expected = describe_clips(frames[clip_indices(np.arange(20), *window)])
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

    _features(backbone=lambda: backbone, window=(length, 1), batch_size=8).ensure([video])
    assert seen == batches


def test_clips_are_not_copies_of_the_whole_video(tmp_path: Path, make_video: MakeVideo) -> None:
    size, length = (64, 128), 16
    path = make_video(tmp_path / "v.mp4", frames=200, size=size)
    video = open_video("v", path, None)
    frame_bytes = len(FrameStore().open(video, size)[0].tobytes())
    options = {"size": size, "num_features": 1, "window": (length, 4), "batch_size": 32}
    store = _features(backbone=lambda: lambda clips: clips[:, 0, 0, 0, :1], **options)
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
    keys = {_features(window=window).key(video) for window in windows}
    assert len(keys) == len(windows)


def test_a_failing_backbone_leaves_nothing(video: Video) -> None:
    batches: list[int] = []

    def failing(frames: np.ndarray) -> np.ndarray:
        batches.append(len(frames))
        if len(batches) == 2:
            raise RuntimeError("out of memory")
        return describe(frames)

    store = _features(backbone=lambda: failing, batch_size=8)
    with pytest.raises(RuntimeError, match="out of memory"):
        store.open(video)
    assert _files(store) == []
    assert len(store.open(video)) == 20  # nor is its lock held


def test_features_beyond_float16_stay_finite(video: Video) -> None:
    def large(frames: np.ndarray) -> np.ndarray:
        return np.tile(np.array([1e6, -1e6], np.float32), (len(frames), 1))

    features = _features(backbone=lambda: large, num_features=2).open(video)
    assert np.unique(np.asarray(features), axis=0).tolist() == [[65504, -65504]]


def test_features_of_another_width_are_refused(video: Video) -> None:
    store = _features(num_features=47)
    with pytest.raises(ValueError, match="47"):
        store.open(video)
    assert _files(store) == []


# Several processes

# No frame is resized in a worker, so that it needs no torch, which would take seconds to import.
WORKER = """
import json, os, sys, time, types
from pathlib import Path
sys.modules["torch"] = types.ModuleType("torch")
import numpy as np
import data.stores.frames
from data import FeatureStore, FrameStore
from data.videos.decode import read_frames
from data.videos import open_video

{describe}

task, log, *paths = sys.argv[1:]
calls = 0

def backbone(frames):
    global calls
    calls += 1
    if task == "stop in features" and calls == 2:
        stop()
    number = int((describe(frames[:1])[0, ::3] > 127) @ (1 << np.arange(16)))
    with open(log, "a") as file:
        file.write(f"{{os.getpid()}} {{number}}\\n")
    if task == "share":
        time.sleep(0.2)
    return describe(frames)

def stop():
    for folder in ("frames", "features"):
        print(folder, [p.suffix for p in Path(os.environ["TUNER_CACHE"], folder).glob("*.*")])
    print("half", flush=True)
    time.sleep(60)

def stopping(info):
    for number, frame in enumerate(read_frames(info)):
        if number == 100:
            stop()
        yield frame

if task == "stop in frames":
    data.stores.frames.read_frames = stopping
videos = [open_video(Path(path).stem, Path(path), None) for path in paths]
store = FeatureStore(
    FrameStore(), size=(32, 128), backbone_key="squares", num_features=48,
    backbone=lambda: backbone, batch_size=64,
)
if task == "share":
    print("ready", flush=True)
    sys.stdin.readline()
told = []
store.ensure(videos, on_video=lambda video: told.append(video.name))
sums = [np.asarray(store.open(video), np.float64).sum(axis=0).tolist() for video in videos]
print(json.dumps([told, sums]))
"""


def _start(task: str, log: Path, paths: Iterable[Path]) -> subprocess.Popen[str]:
    script = WORKER.format(describe=inspect.getsource(describe))
    return subprocess.Popen(
        [sys.executable, "-c", script, task, str(log), *map(str, paths)],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("kind", ["frames", "features"])
def test_a_process_killed_half_way_leaves_nothing_that_counts(
    kind: str, tmp_path: Path, make_video: MakeVideo
) -> None:
    path = make_video(tmp_path / "v.mp4", frames=150)
    with _start(f"stop in {kind}", tmp_path / "log", [path]) as worker:
        try:
            assert worker.stdout is not None
            began = dict(line.split(" ", 1) for line in iter(worker.stdout.readline, "half\n"))
        finally:
            worker.send_signal(signal.SIGKILL)
    assert began[kind] == "['.tmp']\n"  # it was in the middle, or this would show nothing
    video = open_video("v", path, None)
    store = _features()
    assert store.store.get(store.key(video)) is None
    frames = np.stack(list(read_frames(video.info)))
    assert np.array_equal(store.open(video), describe(frames).astype(np.float16))
    assert np.array_equal(store.frames.open(video, SIZE), frames)
    assert _files(store) == _files(store.frames) == [".npy"]


def test_two_processes_share_the_videos_and_make_each_once(
    tmp_path: Path, make_video: MakeVideo
) -> None:
    paths = [
        make_video(tmp_path / f"v{n}.mp4", numbers=list(range(100 * n, 100 * n + 10)))
        for n in range(8)
    ]
    log = tmp_path / "log"
    workers = [_start("share", log, paths) for _ in range(2)]
    try:
        for worker in workers:
            assert worker.stdout is not None
            assert worker.stdout.readline() == "ready\n"
        for worker in workers:
            assert worker.stdin is not None
            worker.stdin.write("go\n")
            worker.stdin.flush()
        results = [json.loads(worker.communicate(timeout=30)[0]) for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
    made = [line.split() for line in log.read_text().splitlines()]
    assert sorted(int(number) for _, number in made) == [100 * n for n in range(8)]
    assert len({process for process, _ in made}) == 2  # neither waited for the other to do it all
    for told, sums in results:
        assert sorted(told) == [f"v{n}" for n in range(8)]
        assert sums == results[0][1]
    store = _features()
    for path, total in zip(paths, results[0][1], strict=True):
        video = open_video(path.stem, path, None)
        expected = describe(np.stack(list(read_frames(video.info))))
        assert np.array_equal(store.open(video), expected)
        assert np.asarray(store.open(video), np.float64).sum(axis=0).tolist() == total
