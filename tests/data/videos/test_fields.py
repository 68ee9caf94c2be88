"""Frames that are stored as two pictures, a field each, are neither taken for two nor repeated."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from data.videos.decode import read_frames
from data.videos.video import open_video
from tests.conftest import read_number
from tests.data.videos.fields import RATE, SIZE, shown, stream, write

FRAMES = 12
KINDS: dict[str, dict[str, bool]] = {
    "plain": {},
    "bottom first": {"bottom_first": True},
    "out of order": {"out_of_order": True},
    "some whole": {"some_whole": True},
}
FILES = [(".h264", False)] + [
    (suffix, together)
    for suffix in (".ts", ".mts", ".mp4", ".mov", ".mkv")
    for together in (False, True)
]


def is_picture_of(frame: np.ndarray, number: int) -> bool:
    """Whether a frame has this number, and its upper and lower lines where they belong."""
    return frame.shape == (*SIZE, 3) and bool(np.abs(frame - shown(number)).max() <= 2)


@pytest.mark.parametrize("kind", KINDS)
def test_the_bitstream_is_one_of_fields(tmp_path: Path, kind: str) -> None:
    pictures = stream(FRAMES, **KINDS[kind])
    with av.open(str(write(tmp_path / "a.h264", pictures))) as container:
        video = container.streams.video[0]
        order = int(video.codec_context.field_order)  # of FFmpeg's AVFieldOrder
        assert order == (3 if kind == "bottom first" else 2)
        packets = [packet for packet in container.demux(video) if packet.size]
        frames = [frame for packet in [*packets, None] for frame in video.decode(packet)]
    assert len(packets) == len(pictures)
    assert len(pictures) == 2 * FRAMES - (FRAMES // 3 if kind == "some whole" else 0)
    assert len(frames) == FRAMES
    for number, frame in enumerate(frames):
        assert frame.interlaced_frame and not frame.is_corrupt
        assert is_picture_of(frame.to_ndarray(format="rgb24"), number)


@pytest.mark.parametrize(("suffix", "together"), FILES)
@pytest.mark.parametrize("kind", KINDS)
def test_each_frame_comes_once_at_its_time(
    tmp_path: Path, kind: str, suffix: str, together: bool
) -> None:
    path = write(tmp_path / f"a{suffix}", stream(FRAMES, **KINDS[kind]), together=together)
    info = open_video("a", path, None).info
    assert (len(info), info.damage, info.height, info.width) == (FRAMES, "", *SIZE)
    assert info.fps == pytest.approx(RATE)
    assert info.times == pytest.approx(np.arange(FRAMES) / RATE, abs=1e-3)
    frames = [frame.copy() for frame in read_frames(info)]
    assert [read_number(frame) for frame in frames] == list(range(FRAMES))
    assert all(is_picture_of(frame, number) for number, frame in enumerate(frames))
