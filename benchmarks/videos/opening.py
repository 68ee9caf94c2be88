"""Opening many short videos for the first time and again, against a plain loop of PyAV.

The peer does what is needed at least to know a video's frames and size: it opens the file, reads its
packets, and decodes one frame; in as many threads, and in this process, which a damaged file may end.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import tempfile
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from benchmarks.report import report
from data.videos.video import open_videos

_KINDS = (("mp4", "libx264"), ("avi", "mpeg4"), ("mov", "libx264"), ("avi", "mjpeg"))
_SIZE, _FPS, _FRAMES = (640, 360), 15, 75
_DRAWN = 16  # the others are copies with other bytes at their ends


def main(videos: int = 2_000) -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TUNER_CACHE"] = f"{folder}/cache"
        paths = _draw(Path(folder), videos)
        parts = [paths[start::10] for start in range(10)]
        first, again, plain = 0.0, 0.0, 0.0
        for part in parts:  # in turn, so that a busy machine slows both
            first += _seconds(lambda part=part: _open(part))
            again += _seconds(lambda part=part: _open(part))
            plain += _seconds(lambda part=part: _plain(part))
    report(
        "opening",
        {
            "rate / plain loop of PyAV": (plain / first, "0.8 or more"),
            "again / plain loop of PyAV": (plain / again, "5 or more"),
        },
        {
            "videos": videos,
            "videos/s": videos / first,
            "again, videos/s": videos / again,
            "plain, videos/s": videos / plain,
        },
    )


def _seconds(action: Callable[[], object]) -> float:
    begin = time.perf_counter()
    action()
    return time.perf_counter() - begin


def _open(paths: Iterable[Path]) -> None:
    videos, rejects = open_videos({path.stem: path for path in paths}, None)
    assert videos and not rejects


def _plain(paths: Iterable[Path]) -> None:
    def opened(path: Path) -> int:
        with av.open(str(path)) as container:
            stream, first, count = container.streams.video[0], None, 0
            for packet in container.demux(stream):
                if first is None:
                    first = next(iter(packet.decode()), None)
                count += packet.size > 0
            return count

    with ThreadPoolExecutor(min(max(os.cpu_count() or 1, 4), 16)) as pool:
        list(pool.map(opened, paths))


def _draw(folder: Path, count: int) -> list[Path]:
    """Clips as of a camera trap: a still scene, and something that walks through it."""
    rng, paths = np.random.default_rng(0), list[Path]()
    for number in range(_DRAWN):
        ending, codec = _KINDS[number % len(_KINDS)]
        path = folder / f"v{number:05d}.{ending}"
        with contextlib.closing(av.open(str(path), "w")) as container:
            stream = container.add_stream(codec, rate=Fraction(_FPS))
            (stream.width, stream.height), stream.pix_fmt = _SIZE, "yuv420p"
            if codec == "mjpeg":
                stream.pix_fmt = "yuvj420p"
            scene = rng.integers(60, 190, (_SIZE[1] // 8, _SIZE[0] // 8, 3), np.uint8)
            scene = np.kron(scene, np.ones((8, 8, 1), np.uint8))
            for step in range(_FRAMES):
                image = scene + rng.integers(0, 8, scene.shape, np.uint8)
                image[100:200, 6 * step : 6 * step + 80] = 30
                frame = av.VideoFrame.from_ndarray(image, format="rgb24")
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
        paths.append(path)
    for number in range(_DRAWN, count):
        like = paths[number % _DRAWN]
        copy = like.with_stem(f"v{number:05d}")
        copy.write_bytes(like.read_bytes() + b"\0\0\0\x10free" + number.to_bytes(8, "big"))
        paths.append(copy)
    return paths


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--videos", type=int, default=2_000)
    main(parser.parse_args().videos)
