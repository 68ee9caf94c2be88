"""What tests of labels share: a place for the file, and drawn videos."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

MakeVideo = Callable[..., Path]


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    return tmp_path / "labels.csv"


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory, make_video: MakeVideo) -> Path:
    """Three videos of 20 frames at 10 a second, in three containers."""
    folder = tmp_path_factory.mktemp("drawn")
    for name in ("a.mp4", "b.avi", "sub/c.wmv"):
        make_video(folder / name)
    return folder


@pytest.fixture
def videos(drawn: Path, tmp_path: Path) -> Path:
    """A copy of them, to add to."""
    return Path(shutil.copytree(drawn, tmp_path / "videos"))
