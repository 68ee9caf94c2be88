"""Clips by index: which frames end at a labelled one, and that they are indices, not copies."""

from __future__ import annotations

import numpy as np
import pytest

from data.clips.index import clip_indices


@pytest.mark.parametrize(
    ("frame", "length", "stride", "clip"),
    [
        (0, 1, 1, [0]),
        (7, 1, 3, [7]),
        (0, 3, 1, [0, 0, 0]),
        (1, 3, 1, [0, 0, 1]),
        (2, 3, 1, [0, 1, 2]),
        (5, 3, 1, [3, 4, 5]),
        (5, 3, 2, [1, 3, 5]),
        (3, 3, 2, [0, 1, 3]),
        (2, 4, 5, [0, 0, 0, 2]),
        (100, 4, 10, [70, 80, 90, 100]),
    ],
)
def test_worked_examples(frame: int, length: int, stride: int, clip: list[int]) -> None:
    assert clip_indices(np.array([frame]), length, stride).tolist() == [clip]


def test_each_labelled_frame_has_one_clip_in_the_order_given() -> None:
    clips = clip_indices(np.array([9, 0, 4, 4]), 2)
    assert clips.tolist() == [[8, 9], [0, 0], [3, 4], [3, 4]]
    assert clips.dtype == np.int64


def test_no_labelled_frames_no_clips() -> None:
    assert clip_indices(np.array([], np.int64), 5).shape == (0, 5)


@pytest.mark.parametrize("stride", [1, 2, 7])
@pytest.mark.parametrize("length", [1, 2, 20])
def test_clips_stay_within_the_video(length: int, stride: int) -> None:
    frames = np.arange(50)
    clips = clip_indices(frames, length, stride)
    assert clips.shape == (50, length)
    assert clips.min() == 0  # never -1, which numpy would take for another video's last frame
    assert (clips[:, -1] == frames).all()
    steps = np.diff(clips, axis=1)
    assert ((steps >= 0) & (steps <= stride)).all()
    begun = frames >= (length - 1) * stride
    assert (steps[begun] == stride).all()


def test_unsigned_frame_numbers_do_not_wrap_around() -> None:
    assert clip_indices(np.array([1], np.uint32), 4).tolist() == [[0, 0, 0, 1]]


@pytest.mark.parametrize(
    ("frame", "length", "stride", "after", "clip"),
    [
        (5, 3, 1, 1, [4, 5, 6]),
        (0, 3, 1, 1, [0, 0, 1]),
        (9, 3, 1, 1, [8, 9, 9]),
        (5, 4, 2, 1, [1, 3, 5, 7]),
        (8, 5, 3, 2, [2, 5, 8, 9, 9]),
    ],
)
def test_clips_around_a_frame(
    frame: int, length: int, stride: int, after: int, clip: list[int]
) -> None:
    found = clip_indices(np.array([frame]), length, stride, after=after, count=10)
    assert found.tolist() == [clip]
