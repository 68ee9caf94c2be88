"""Clips decoded from the file: those of the frame store, in sequence, with few frames in memory."""

from __future__ import annotations

import gc
import weakref
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

import data.clips.direct
from data import FrameStore, Video
from data.clips.direct import read_clips
from data.clips.index import clip_indices
from data.clips.transforms import resize
from data.errors import VideoError
from data.videos.decode import read_frames
from data.videos.find import find_files
from data.videos.info import VideoInfo
from data.videos.video import open_video

MakeVideo = Callable[..., Path]
FrameNumber = Callable[[np.ndarray], int]

SIZE = (32, 128)  # of the drawn videos too
SMALL = (24, 40)


@pytest.fixture
def video(tmp_path: Path, make_video: MakeVideo) -> Video:
    return open_video("v", make_video(tmp_path / "v.mp4", frames=40), None)


class Spy:
    """Counts what `data.clips.direct` decodes and resizes, and which of the resized frames are alive."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.opened = self.closed = self.decoded = self.resized = self.most = 0
        self.alive: weakref.WeakSet[Holder] = weakref.WeakSet()
        monkeypatch.setattr(data.clips.direct, "read_frames", self.read)
        monkeypatch.setattr(data.clips.direct, "resize", self.resize)

    def read(self, info: VideoInfo, wanted: np.ndarray) -> Iterator[np.ndarray]:
        self.opened += 1
        try:
            for frame in read_frames(info, wanted):
                self.decoded += 1
                yield frame
        finally:
            self.closed += 1

    def resize(self, frames: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        self.resized += len(frames)
        result = np.array(resize(frames, size)).view(Holder)
        self.alive.add(result)
        self.most = max(self.most, len(self.alive))
        return result


def clips_at(
    video: Video,
    frames: Sequence[int],
    *,
    length: int,
    stride: int = 1,
    size: tuple[int, int] = SIZE,
) -> Generator[tuple[int, list[np.ndarray]], None, None]:
    """The clips that end at `frames`, each with its frame's number."""
    windows = clip_indices(np.array(frames), length, stride)
    return ((frames[row], clip) for row, clip in read_clips(video, windows, size=size))


class Holder(np.ndarray):
    """Arrays told apart by identity, as weak sets need them."""

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:  # type: ignore[override]
        return self is other


@pytest.mark.shared_cache
@pytest.mark.parametrize(("length", "stride"), [(1, 1), (5, 2)])
def test_real_clips_equal_the_stored_ones(length: int, stride: int, damaged_videos: Path) -> None:
    equal, damaged = [], []
    for path in find_files(damaged_videos):
        try:
            video = open_video(path.stem, path, None)
        except VideoError:
            continue
        numbers = range(len(video))
        clips = clips_at(video, numbers, length=length, stride=stride, size=SMALL)
        try:
            stored = FrameStore().open(video, SMALL)
        except VideoError:
            with pytest.raises(VideoError, match="does not decode to its end"):
                list(clips)
            damaged.append(path.name)
            continue
        windows = clip_indices(np.arange(len(video)), length, stride)
        for number, (frame, clip) in zip(numbers, clips, strict=True):
            assert frame == number
            assert {(image.dtype, image.shape) for image in clip} == {
                (np.dtype(np.uint8), (*SMALL, 3))
            }
            assert len(clip) == length
            assert np.array_equal(clip, stored[windows[number]]), f"{path.name}, frame {number}"
        equal.append(path.name)
    assert sorted(damaged) == ["bitflips_middle.mp4", "corrupted.mp4", "no_timescale.mp4"]
    assert len(equal) == 26


@pytest.mark.parametrize("fps", [None, 0.1, 2.5, 4, 25])
@pytest.mark.parametrize("suffix", [".mp4", ".wmv", ".ts"])  # decord, its ASF, and PyAV
def test_numbers_are_those_of_the_sampling_rate(
    suffix: str, fps: float | None, tmp_path: Path, make_video: MakeVideo
) -> None:
    video = open_video("v", make_video(tmp_path / f"v{suffix}", frames=30), fps)
    stored = FrameStore().open(video, SMALL)
    windows = clip_indices(np.arange(len(video)), 4, 3)
    clips = list(clips_at(video, range(len(video)), length=4, stride=3, size=SMALL))
    assert [frame for frame, _ in clips] == list(range(len(video)))
    for frame, clip in clips:
        assert np.array_equal(clip, stored[windows[frame]])


def test_clips_come_in_the_order_of_their_last_frames_and_as_often_as_wanted(
    video: Video, frame_number: FrameNumber
) -> None:
    clips = list(clips_at(video, [9, 1, 20, 9, 0], length=3, stride=2, size=SIZE))
    assert [frame for frame, _ in clips] == [0, 1, 9, 9, 20]
    assert [[frame_number(frame) for frame in clip] for _, clip in clips] == [
        [0, 0, 0],
        [0, 0, 1],
        [5, 7, 9],
        [5, 7, 9],
        [16, 18, 20],
    ]
    with pytest.raises(ValueError, match="read-only"):
        clips[2][1][0][:] = 0  # another clip's, too


def test_any_windows(video: Video, frame_number: FrameNumber) -> None:
    windows = np.array([[30, 2, 7], [5, 5, 5], [0, 39, 1], [7, 2, 30], [4, 5, 0]])
    clips = list(read_clips(video, windows, size=SIZE))
    assert [row for row, _ in clips] == [1, 4, 0, 3, 2]
    for row, clip in clips:
        assert [frame_number(frame) for frame in clip] == windows[row].tolist()


def test_windows_at_random_equal_the_stored_ones(video: Video) -> None:
    sampled = open_video("v", video.info.path, 25)  # more than the file has: frames repeat
    random = np.random.default_rng(0)
    windows = random.integers(0, len(sampled), (200, 4))
    stored = FrameStore().open(sampled, SMALL)
    rows = []
    for row, clip in read_clips(sampled, windows, size=SMALL):
        assert np.array_equal(clip, stored[windows[row]])
        rows.append(row)
    assert rows == np.argsort(windows.max(axis=1), kind="stable").tolist()


@pytest.mark.parametrize("frames", [[40], [3, -1], [0, 1000]])
def test_a_frame_that_the_video_has_not_is_an_error_at_once(
    frames: list[int], video: Video
) -> None:
    message = f"video 'v' has frames 0 to 39, not {frames[-1]}"
    with pytest.raises(ValueError, match=message):
        read_clips(video, np.array(frames)[:, None], size=SIZE)


def test_nothing_wanted_opens_nothing(video: Video, monkeypatch: pytest.MonkeyPatch) -> None:
    spy = Spy(monkeypatch)
    assert list(read_clips(video, np.empty((0, 3)), size=SIZE)) == []
    assert spy.opened == 0


def test_the_file_is_read_once_in_sequence_and_no_further_than_needed(
    video: Video, monkeypatch: pytest.MonkeyPatch
) -> None:
    spy = Spy(monkeypatch)
    clips = clips_at(video, [25, 4, 25], length=2, stride=3, size=SMALL)
    assert spy.opened == 0  # until the first is asked for
    next(clips)
    assert (spy.opened, spy.decoded) == (1, 2)
    assert len(list(clips)) == 2
    assert (spy.opened, spy.closed, spy.decoded, spy.resized) == (1, 1, 4, 4)


@pytest.mark.parametrize("end", ["close", "forget"])
def test_the_reader_ends_with_the_generator(
    end: str, video: Video, monkeypatch: pytest.MonkeyPatch
) -> None:
    spy = Spy(monkeypatch)
    clips = clips_at(video, range(40), length=2, size=SMALL)
    next(clips)
    if end == "close":
        clips.close()
    else:
        del clips
    gc.collect()
    assert (spy.opened, spy.closed, len(spy.alive)) == (1, 1, 0)


@pytest.mark.parametrize(
    ("length", "stride", "most"), [(1, 1, 1), (5, 1, 5), (4, 3, 10), (2, 10, 11)]
)
def test_memory_holds_a_window_of_frames(
    length: int, stride: int, most: int, video: Video, monkeypatch: pytest.MonkeyPatch
) -> None:
    spy = Spy(monkeypatch)
    for _ in clips_at(video, range(40), length=length, stride=stride, size=SMALL):
        pass
    assert spy.resized == 40
    assert spy.most <= most + 1  # the one that is just let go


def test_frames_between_clips_are_not_kept(video: Video, monkeypatch: pytest.MonkeyPatch) -> None:
    spy = Spy(monkeypatch)
    windows = clip_indices(np.array([10, 20, 30]), 3, 4)
    deque(read_clips(video, windows, size=SMALL), maxlen=0)  # lets each clip go
    assert spy.resized == 9
    assert spy.most <= 4


def test_damage_is_told(damaged_videos: Path) -> None:
    video = open_video("v", damaged_videos / "bitflips_middle.mp4", None)
    with pytest.raises(VideoError, match="does not decode to its end"):
        list(clips_at(video, [len(video) - 1], length=1, size=SMALL))


def test_a_video_shorter_than_declared_is_told(video: Video) -> None:
    info = VideoInfo(video.info.path, np.arange(60) / 10, 10, 128, 32, "pyav")
    longer = Video("v", info, None, video.identity)
    assert len(list(clips_at(longer, range(40), length=2, size=SMALL))) == 40
    with pytest.raises(VideoError, match="only 40 of its 60 frames decode"):
        list(clips_at(longer, [50], length=2, size=SMALL))


def test_a_resolution_that_changes_within_the_file(
    video: Video, monkeypatch: pytest.MonkeyPatch, frame_number: FrameNumber
) -> None:
    def changing(info: VideoInfo, wanted: np.ndarray) -> Iterator[np.ndarray]:
        for number, frame in enumerate(read_frames(info, wanted)):
            yield frame if number < 7 else np.repeat(np.repeat(frame, 2, axis=0), 2, axis=1)

    monkeypatch.setattr(data.clips.direct, "read_frames", changing)
    for frame, clip in clips_at(video, range(5, 12), length=3, size=SIZE):
        assert [frame_number(image) for image in clip] == [frame - 2, frame - 1, frame]
