"""Colours are those that FFmpeg's own conversion gives, whatever the pixels in the file are like."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from data.videos.decode import read_frames
from data.videos.decoding.pictures import Pictures
from data.videos.video import open_video

COLOURS = np.array([[230, 30, 30], [30, 230, 30], [30, 30, 230], [240, 240, 240]], np.uint8)

INNER = [place for place in range(128) if 4 <= place % 32 < 28]  # edges depend on the interpolation


@pytest.mark.parametrize(
    ("codec", "pixels", "ending"),
    [
        ("msvideo1", "rgb555le", "avi"),
        ("libx265", "yuv420p10le", "mkv"),
        ("ffv1", "yuv444p16le", "mkv"),
        ("mjpeg", "yuvj422p", "avi"),
    ],
)
def test_colours_are_those_of_ffmpeg(codec: str, pixels: str, ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"v.{ending}"
    options = {"x265-params": "log-level=none"} if codec == "libx265" else {}
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=10, options=options)
        stream.width, stream.height, stream.pix_fmt = 128, 64, pixels
        for number in range(8):
            image = np.repeat(np.repeat(np.roll(COLOURS, number, 0)[None], 32, 1), 64, 0)
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            container.mux(stream.encode(frame.reformat(format=pixels)))
        container.mux(stream.encode())
    with av.open(str(path)) as container:
        expected = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    video = open_video("v", path, None)
    found = [frame.copy() for frame in read_frames(video.info, np.ones(len(video.info), bool))]
    assert len(found) == len(expected) == 8
    for number, (frame, other) in enumerate(zip(found, expected, strict=True)):
        assert np.abs(frame.astype(int) - other)[:, INNER].max() <= 2  # rounding
        middles = frame[32, 16::32].astype(int)
        assert np.abs(middles - np.roll(COLOURS, number, 0)).max() < 40


@pytest.mark.parametrize("size", [(64, 48), (106, 60), (130, 36), (96, 54), (66, 62)])
@pytest.mark.parametrize(("codec", "ending"), [("libx264", "mp4"), ("mjpeg", "avi")])
def test_pictures_are_the_same_from_either_process(
    size: tuple[int, int], codec: str, ending: str, tmp_path: Path
) -> None:
    """Planes are handed over where RGB would be twice as much, of rows that are padded or not."""
    width, height = size
    path, draw = tmp_path / f"v.{ending}", np.random.default_rng(0)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=10)
        stream.width, stream.height = width, height
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.codec_context.colorspace = 1  # BT.709: not the one that is taken where none is said
        for _ in range(40):
            image = draw.integers(0, 255, (height, width, 3), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    picture = Pictures()
    with av.open(str(path)) as container:
        expected = [picture(frame).copy() for frame in container.decode(video=0)]
    video = open_video("v", path, None)
    held = list(read_frames(video.info))  # each is good as long as anybody holds it
    assert len(held) == len(expected) == 40
    for frame, other in zip(held, expected, strict=True):
        assert np.array_equal(frame, other)
