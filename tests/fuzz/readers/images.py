"""Images of a folder that is a video, and the file that says their rate."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from data.errors import VideoError
from tests.fuzz.judge import Reader, Wrong

_WORDS = (
    b"\x89PNG\r\n\x1a\n",
    b"IHDR",
    b"IDAT",
    b"\xff\xd8",
    b"\xff\xda",
    b"\xff\xe1",
    b"Exif",
    b"II*\0",
)


@cache
def _seeds() -> list[bytes]:
    import PIL.Image

    picture = PIL.Image.fromarray(np.arange(32 * 48 * 3, dtype=np.uint8).reshape(32, 48, 3))
    contents = []
    for kind in ("PNG", "JPEG", "TIFF", "BMP", "WEBP", "GIF"):
        for mode in ("RGB", "L"):
            file = io.BytesIO()
            picture.convert(mode).save(file, kind)
            contents.append(file.getvalue())
    return contents


def _make(folder: Path) -> Callable[[bytes], Any]:
    from data.videos.decode import probe, read_frames

    images = folder / "a"
    images.mkdir()
    (images / "a_00001.png").write_bytes(_seeds()[0])
    (images / "fps.txt").write_text("10")

    def read(content: bytes) -> None:
        (images / "a_00002.png").write_bytes(content)
        for place, frame in enumerate(read_frames(probe(images))):
            if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3:
                raise Wrong(f"a frame is {frame.dtype} {frame.shape}")
            if place == 0 and frame.shape != (32, 48, 3):
                raise Wrong("the image before is another one")

    return read


READER = Reader(_make, _seeds, (VideoError,), share=2, words=_WORDS)
