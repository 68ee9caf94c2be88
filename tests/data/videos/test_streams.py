"""Which of a file's streams is read, and how its pictures are turned."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from data.errors import VideoError
from data.videos.decode import probe, read_frames
from data.videos.decoding.pictures import _upright
from tests.conftest import draw_number, encode, read_number


def test_of_several_streams_one_is_probed_and_read(tmp_path: Path) -> None:
    path = tmp_path / "two.mkv"
    with av.open(str(path), "w") as container:
        streams = [container.add_stream("libx264", rate=10) for _ in range(2)]
        for stream, (height, width) in zip(streams, [(32, 128), (64, 256)], strict=True):
            stream.height, stream.width, stream.pix_fmt = height, width, "yuv420p"
        for number in range(10):
            for stream, start in zip(streams, (0, 100), strict=True):
                image = draw_number(start + number, (stream.height, stream.width))
                frame = av.VideoFrame.from_ndarray(image, format="rgb24")
                container.mux(stream.encode(frame))
        for stream in streams:
            container.mux(stream.encode())
    info = probe(path)
    frames = [frame.copy() for frame in read_frames(info)]
    assert {frame.shape[:2] for frame in frames} == {(info.height, info.width)}
    start = 0 if info.height == 32 else 100
    assert [read_number(frame) for frame in frames] == list(range(start, start + 10))


@pytest.mark.parametrize(
    ("matrix", "seen"),  # of a picture with the rows 01 and 23
    [
        ([[1, 0], [0, 1]], [[0, 1], [2, 3]]),
        ([[-1, 0], [0, 1]], [[1, 0], [3, 2]]),  # mirrored
        ([[1, 0], [0, -1]], [[2, 3], [0, 1]]),  # upside down, as in a mirror
        ([[-1, 0], [0, -1]], [[3, 2], [1, 0]]),  # half a turn
        ([[0, 1], [-1, 0]], [[2, 0], [3, 1]]),  # a quarter to the right
        ([[0, -1], [1, 0]], [[1, 3], [0, 2]]),  # a quarter to the left
        ([[0, 1], [1, 0]], [[0, 2], [1, 3]]),  # a quarter, and mirrored
    ],
)
def test_pictures_are_turned_and_mirrored_as_players_do(matrix, seen) -> None:
    image = np.repeat(np.arange(4, dtype=np.uint8).reshape(2, 2, 1), 3, axis=2)
    turned = _upright(image, np.array(matrix, np.int32) * 65536)
    assert turned[:, :, 0].tolist() == seen


def test_a_header_that_promises_huge_pictures_is_refused(tmp_path: Path) -> None:
    """What a header says of a picture's size is no reason to make room for it."""
    path = encode(tmp_path / "a.avi", 4, codec="ffv1")
    content = bytearray(path.read_bytes())
    place = content.index(b"strf") + 8 + 4  # biWidth, biHeight
    content[place : place + 8] = (30_000).to_bytes(4, "little") * 2
    path.write_bytes(content)
    with pytest.raises(VideoError):
        probe(path)


def test_files_of_unknown_origin_meet_no_decoder_of_2019() -> None:
    """decord carries one; it is the benchmarks' peer alone."""
    root = Path(__file__).parents[3]
    sources = [
        path for folder in ("data", "models", "tuner") for path in (root / folder).rglob("*.py")
    ]
    assert sources and not [path for path in sources if "import decord" in path.read_text()]
    required = (root / "pyproject.toml").read_text().partition("[project.optional-dependencies]")[0]
    assert "av>=" in required and "decord" not in required
