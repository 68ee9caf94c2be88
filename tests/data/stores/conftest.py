"""What tests of stores share: a drawn video."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from data import Video
from data.videos.video import open_video

MakeVideo = Callable[..., Path]


@pytest.fixture
def video(tmp_path: Path, make_video: MakeVideo) -> Video:
    return open_video("v", make_video(tmp_path / "v.mp4", frames=20), None)
