"""Files that ended the process, or every command that met them."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from data.errors import VideoError
from data.videos.decode import probe, read_frames
from tests.conftest import FOLDER, encode

HARD = FOLDER / "hard_videos"


def test_a_header_that_promises_two_thousand_million_frames(tmp_path: Path):
    """decord would make room for them, and end the process."""
    path = encode(tmp_path / "a.avi", 20)
    content = bytearray(path.read_bytes())
    for mark, place in ((b"avih", 24), (b"strh", 40)):  # dwTotalFrames, dwLength
        struct.pack_into("<I", content, content.index(mark) + place, 2**31 - 1)
    path.write_bytes(content)
    info = probe(path)
    assert (info.decoder, len(info)) == ("pyav", 20)
    assert sum(1 for _ in read_frames(info)) == 20


@pytest.mark.skipif(not HARD.is_dir(), reason="the shared hard videos are absent")
@pytest.mark.parametrize(
    ("name", "frames"), [("length_in_header_absurd.avi", 60), ("24_pixels_wide.avi", 10)]
)
def test_hard_files_that_are_read(name: str, frames: int):
    info = probe(HARD / name)
    assert len(info) == sum(1 for _ in read_frames(info)) == frames


@pytest.mark.skipif(not HARD.is_dir(), reason="the shared hard videos are absent")
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("unknown_codec.avi", "no decoder for its codec"),
        ("promises_frames_has_none.mkv", "no frames"),
    ],
)
def test_hard_files_that_are_refused(name: str, words: str):
    with pytest.raises(VideoError, match=words):
        probe(HARD / name)
