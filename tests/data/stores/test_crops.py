"""Crops: the box around what moves, steady in time, cut out of the frames of the file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

import data.stores.frames
from data import FrameStore, Video
from data.clips.transforms import resize
from data.errors import VideoError
from data.stores.boxes import boxes, video_boxes
from data.stores.crops import CroppedStore
from data.stores.motion import background
from data.videos.decode import read_frames
from data.videos.video import open_video

MakeVideo = Callable[..., Path]

HEIGHT, WIDTH, SIDE = 90, 160, 9
SHAPE = (540, 960)  # of the file; boxes are in its pixels, six times as many
WHOLE = (0, 0, *SHAPE)


def scene(count: int, seed: int = 0) -> np.ndarray:
    """A textured picture with fresh noise in each frame, uint8 ``[count, 90, 160, 3]``."""
    random = np.random.default_rng(seed)
    still = random.integers(60, 120, (HEIGHT // 5, WIDTH // 5, 3)).repeat(5, 0).repeat(5, 1)
    noise = random.normal(0, 3, (count, HEIGHT, WIDTH, 3))
    return (still + noise).astype(np.uint8)


def crossing(count: int = 40, speed: int = 3) -> np.ndarray:
    """A bright square that crosses the scene from left to right."""
    frames = scene(count)
    for number in range(count):
        left = speed * number
        frames[number, 40 : 40 + SIDE, left : left + SIDE] += 60
    return frames


def found(frames: np.ndarray, **options: int) -> np.ndarray:
    result = boxes(frames, background(frames), SHAPE, **options)
    assert result.dtype == np.int64 and result.shape == (len(frames), 4)
    assert (result[:, :2] >= 0).all() and (result[:, 2:] <= SHAPE).all()
    assert (result[:, 2:] > result[:, :2]).all()
    return result


@pytest.mark.parametrize("speed", [1, 3])
def test_the_box_is_around_what_moves_with_a_margin(speed: int) -> None:
    result = found(crossing(speed=speed))
    for number in range(2, 38):
        top, left, bottom, right = result[number] / 6
        assert top < 40 - 1 and bottom > 40 + SIDE + 1
        assert left <= max(0, speed * number - 1) and right >= speed * number + SIDE + 1
        height, width = result[number][2:] - result[number][:2]
        assert height == width < 30 * 6  # a square in the file's pixels


def test_it_is_steady() -> None:
    result = found(crossing())
    steps = np.diff(result[2:-2], axis=0) / 6
    assert (steps[:, 0] == 0).mean() > 0.6 and np.abs(steps).max() <= 5
    assert np.ptp(result[2:-2, 2] - result[2:-2, 0]) <= 12


def test_a_frame_in_which_it_is_not_seen_has_the_box_of_its_neighbours() -> None:
    frames = crossing()
    frames[20] = scene(1)[0]
    result = found(frames)
    assert abs(result[20] - result[19]).max() < 60
    assert tuple(found(frames, radius=0)[20]) == WHOLE


def test_a_still_video_is_left_whole() -> None:
    assert (found(scene(30)) == WHOLE).all()
    assert (found(np.repeat(scene(1), 5, axis=0)) == WHOLE).all()
    assert (found(scene(1)) == WHOLE).all()


def test_it_is_whole_again_when_the_animal_has_gone() -> None:
    frames = scene(60)
    frames[:20] = crossing(20)
    result = found(frames)
    assert (result[25:] == WHOLE).all() and not (result[:20] == WHOLE).all(axis=1).any()


def test_other_light_is_no_motion() -> None:
    frames = crossing()
    frames[10:20] += 30
    assert np.abs(found(frames) - found(crossing()))[2:-2].max() <= 12


def test_what_always_flickers_is_no_motion() -> None:
    frames = crossing()
    random = np.random.default_rng(1)
    water = random.normal(0, 12, (40, 20, WIDTH, 1))
    frames[:, 70:] = (frames[:, 70:] + water).clip(0, 255).astype(np.uint8)
    assert (found(frames)[:, 2] < 70 * 6).all()


def test_specks_and_thin_things_do_not_widen_the_box() -> None:
    frames, random = crossing(), np.random.default_rng(1)
    for frame in frames:
        row, column = random.integers(0, 80), random.integers(0, 150)
        frame[row, column] = 255  # a speck
        frame[row : row + 3, column : column + 3] = 255  # a leaf
    plain, spoiled = found(crossing()), found(frames)
    assert np.abs(plain - spoiled)[2:-2].max() <= 18


def test_a_camera_that_moves_gives_whole_frames() -> None:
    still = scene(1)[0]
    frames = np.stack([np.roll(still, 7 * number, axis=1) for number in range(20)])
    assert (found(frames) == WHOLE).mean() > 0.8


@pytest.mark.parametrize("count", [1, 63, 64, 65, 130])
def test_frames_at_a_time_give_the_same(count: int) -> None:
    frames = crossing(130, speed=1)
    still = background(frames)
    if count == 130:
        small = boxes(frames, still, (HEIGHT, WIDTH))
        assert np.abs(small * 6 - boxes(frames, still, SHAPE)).max() <= 12
    assert boxes(frames[:count], still, SHAPE).shape == (count, 4)


# Stored

LARGE = (360, 640)
FIELDS = (np.indices((24, 24)) // 2).sum(axis=0) % 2  # a chequerboard, two pixels a field


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory) -> Video:
    """A small chequered thing that crosses a large still frame, kept without loss."""
    path = tmp_path_factory.mktemp("far") / "far.avi"
    still = np.random.default_rng(0).integers(60, 120, (36, 64, 3), dtype=np.uint8)
    still = still.repeat(10, 0).repeat(10, 1)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=10)
        stream.width, stream.height, stream.pix_fmt = LARGE[1], LARGE[0], "bgr0"
        for number in range(25):
            image = still.copy()
            if number < 15:
                image[100:124, 24 * number : 24 * number + 24] = 70 + 180 * FIELDS[..., None]
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return open_video("far", path, None)


def legible(image: np.ndarray) -> bool:
    """Whether the dark fields of the chequerboard, and its bright ones, are seen."""
    grey = image.mean(axis=2)
    return bool((grey < 75).sum() > 100 and (grey > 240).sum() > 100)


def test_a_far_thing_is_legible_in_its_crop_alone(far: Video) -> None:
    size = (90, 90)  # as large as the crops: a quarter of 360
    store = CroppedStore()
    crops, small = store.open(far, size), FrameStore().open(far, size)
    assert (crops.dtype, crops.shape) == (np.uint8, (25, *size, 3))
    assert not any(legible(frame) for frame in small)
    found = video_boxes(FrameStore(), far, size)
    for number, frame in enumerate(read_frames(far.info)):
        top, left, bottom, right = found[number]
        expected = resize(frame[None, top:bottom, left:right], size)[0]
        assert np.array_equal(crops[number], expected)
        if 3 <= number < 12:
            assert bottom - top == 90 and legible(crops[number])
    assert np.array_equal(crops[-1], small[-1])  # where nothing moves


def test_a_video_is_decoded_once_more_for_all_sizes(
    far: Video, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes, decoded = [(48, 48), (32, 64)], []

    def counted(info, wanted):
        decoded.append(info.path)
        return read_frames(info, wanted)

    monkeypatch.setattr(data.stores.frames, "read_frames", counted)
    FrameStore().ensure(far, sizes)
    CroppedStore().ensure(far, sizes)
    assert len(decoded) == 2
    assert [CroppedStore().open(far, size).shape for size in sizes] == [
        (25, *size, 3) for size in sizes
    ]
    assert len(decoded) == 2


def test_only_sampled_frames_are_cropped(far: Video) -> None:
    some = open_video("far", Path(str(far.info.path)), 5, most=4)
    crops = CroppedStore().open(some, (48, 48))
    boxes_of = video_boxes(FrameStore(), some, (48, 48))
    frames = list(read_frames(some.info))
    for crop, index, (top, left, bottom, right) in zip(crops, some.indices, boxes_of, strict=True):
        expected = resize(frames[index][None, top:bottom, left:right], (48, 48))[0]
        assert np.array_equal(crop, expected)


def test_a_changed_video_gets_its_own_crops(video: Video, make_video: MakeVideo) -> None:
    store = CroppedStore()
    before = np.array(store.open(video, (8, 8)))
    make_video(video.info.path, colour=(255, 0, 0))
    after = store.open(open_video("v", video.info.path, None), (8, 8))
    assert not np.array_equal(before, after)


def test_a_damaged_video_has_no_crops(damaged_videos: Path) -> None:
    video = open_video("v", damaged_videos / "bitflips_middle.mp4", None)
    store = CroppedStore()
    with pytest.raises(VideoError, match="does not decode to its end"):
        store.open(video, (8, 8))
    assert not list(store.store.folder.glob("*.npy"))
