"""A file's identity: by its content, wherever it lies."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from data.files.store import identity

MakeVideo = Callable[..., Path]
FrameNumber = Callable[[np.ndarray], int]


def test_identity_changes_with_the_content(tmp_path: Path, make_video: MakeVideo) -> None:
    path = make_video(tmp_path / "v.mp4")
    first = identity(path)
    assert identity(path) == first
    make_video(path, numbers=list(range(19, -1, -1)))
    assert identity(path) != first


@pytest.mark.parametrize(
    ("size", "position"),
    [
        *((10_000_000, position) for position in (0, 1_000_000, 5_000_000, 9_999_999)),
        *((180_000, position) for position in (0, 70_000, 179_999)),
        *((20_000_000, position) for position in (0, 10_000_000, 19_999_999)),  # samples
    ],
)
def test_identity_notices_a_byte_though_the_time_stays(
    tmp_path: Path, size: int, position: int
) -> None:
    path = tmp_path / "v.mp4"
    content = bytearray(size)
    path.write_bytes(content)
    first, stat = identity(path), path.stat()
    content[position] = 1
    path.write_bytes(content)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert identity(path) != first


def test_identity_does_not_depend_on_the_place(tmp_path: Path, make_video: MakeVideo) -> None:
    path = make_video(tmp_path / "v.mp4")
    first = identity(path)
    assert identity(path.rename(tmp_path / "w.mp4")) == first
