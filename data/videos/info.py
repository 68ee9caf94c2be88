"""What a video file is before it is decoded: its times, rate and size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from data.files.path import File

# Containers that users' cameras write. Other files in the folder, such as labels, are skipped.
EXTENSIONS = frozenset(
    [".mp4", ".m4v", ".mov", ".avi", ".asf", ".wmv", ".mkv", ".webm", ".mpg", ".mpeg", ".ts"]
    + [".mts", ".m2ts", ".flv", ".3gp", ".ogv", ".vob"]
)


@dataclass(frozen=True)
class VideoInfo:
    """What a container says of its video stream (the decoded frames may be fewer).

    Attributes:
        times: ``[N]`` seconds from the first frame at which each frame is shown, increasing.
        fps: frames a second, on average.
        decoder: ``decord`` or ``pyav``, whichever reads the file right and in little memory.
    """

    path: File
    times: np.ndarray
    fps: float
    width: int
    height: int
    decoder: str

    def __len__(self) -> int:
        return len(self.times)

    @property
    def duration(self) -> float:
        """Seconds from the start of the first frame to the end of the last."""
        return float(self.times[-1] + 1 / self.fps)
