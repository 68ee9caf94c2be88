"""What tests of S3 share: objects put there, and streams that spoil what is read."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import boto3
import numpy as np

from data.files.path import S3Path
from data.files.store import default_folder, identity
from data.files.video_cache import local

SIZE = 40_000


def put(folder: S3Path, name: str, content: bytes, **more: Any) -> None:
    boto3.client("s3").put_object(Bucket="lab", Key=f"{folder.key}/{name}", Body=content, **more)


def random(seed: int, size: int = SIZE) -> bytes:
    return np.random.default_rng(seed).bytes(size)


def only(folder: S3Path) -> S3Path:
    (file,) = folder.files()
    return file


def kept() -> list[Path]:
    return [p for p in (default_folder() / "videos").iterdir() if p.is_file()]


def read(file: S3Path) -> bytes:
    with local(file) as path:
        return path.read_bytes()


def kept_of(file: S3Path) -> Path:
    return default_folder() / "videos" / f"{identity(file)}{file.suffix}"


def flipped(stream: Any) -> io.BytesIO:
    content = bytearray(stream.read())
    content[len(content) // 2] ^= 1
    return io.BytesIO(content)


class BreaksOff:
    """Half of a stream, and then its connection is lost, or closed as if that were the end."""

    def __init__(self, stream: Any, end: Exception | None) -> None:
        self.left, self.end = io.BytesIO(stream.read()[: SIZE // 2]), end

    def read(self, amount: int) -> bytes:
        chunk = self.left.read(amount)
        if not chunk and self.end:
            raise self.end
        return chunk
