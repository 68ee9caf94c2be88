"""Files that are read wrongly, or not at all, by those who trust what a file says of itself."""

from __future__ import annotations

import csv
import struct
from pathlib import Path

import av
import numpy as np
import pytest

from data.errors import VideoError
from data.videos.decode import measure, probe, read_frames
from tests.conftest import FOLDER, encode

HARD = FOLDER / "hard_videos"
NAMES = [
    *("24_pixels_wide.avi", "avi_h264_with_gaps.avi", "avi_half_of_frames.avi"),
    *("begins_between_keyframes.flv", "begins_between_keyframes.mp4", "cut_between_keyframes.avi"),
    *("latin1_tag.avi", "length_in_header_absurd.avi", "open_gop_start.mkv", "padded.flv"),
    *("program_stream.mpg", "rest_after_damage.mkv", "vp8_hidden_frames.webm"),
]


def test_a_header_that_promises_two_thousand_million_frames(tmp_path: Path):
    """Who made room for them would end the process."""
    path = encode(tmp_path / "a.avi", 20)
    content = bytearray(path.read_bytes())
    for mark, place in ((b"avih", 24), (b"strh", 40)):  # dwTotalFrames, dwLength
        struct.pack_into("<I", content, content.index(mark) + place, 2**31 - 1)
    path.write_bytes(content)
    info = probe(path)
    assert (len(info), info.damage) == (20, "")
    assert sum(1 for _ in read_frames(info)) == 20


@pytest.mark.skipif(not HARD.is_dir(), reason="the shared hard videos are absent")
@pytest.mark.parametrize("name", NAMES)
def test_hard_files_give_the_frames_that_a_player_shows(name: str):
    with (HARD / "manifest.csv").open(encoding="utf-8") as file:
        rows = {row["file"]: row for row in csv.DictReader(file)}
    info = probe(HARD / name)
    frames = []
    try:
        frames = list(read_frames(info))
    except VideoError:  # what its packets promise is not there
        assert not info.measured
        info = measure(info)
        frames = list(read_frames(info))
    assert len(frames) == len(info) == int(rows[name]["frames_pyav"])
    with av.open(str(HARD / name), metadata_errors="ignore") as container:
        container.streams.video[0].codec_context.thread_count = 1  # else memory shines through
        for ours, theirs in zip(frames, container.decode(video=0), strict=True):
            assert np.array_equal(ours, theirs.to_ndarray(format="rgb24"))
    assert info.times[0] == 0 and np.all(np.diff(info.times) > 0)


@pytest.mark.skipif(not HARD.is_dir(), reason="the shared hard videos are absent")
@pytest.mark.parametrize(
    ("name", "seconds"),  # of some frames, by their number
    [
        ("avi_h264_with_gaps.avi", {0: 0, 3: 0.5, 14: 2.3}),
        ("avi_half_of_frames.avi", {0: 0, 1: 0.08, 49: 3.88}),
        ("latin1_tag.avi", {0: 0, 1: 0.04, 59: 2.36}),
        ("begins_between_keyframes.mp4", {1: 0.1, 29: 2.9}),
    ],
)
def test_hard_files_show_their_frames_at_the_right_times(name: str, seconds: dict[int, float]):
    times = probe(HARD / name).times
    assert {number: times[number] for number in seconds} == pytest.approx(seconds, abs=1e-3)


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
