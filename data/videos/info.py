"""What a video file is: its frames and their times, its rate and size, and its damage."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from data.files.path import File

# Containers that users' cameras write. Other files in the folder, such as labels, are skipped.
EXTENSIONS = frozenset(
    [".mp4", ".m4v", ".mov", ".avi", ".asf", ".wmv", ".mkv", ".webm", ".mpg", ".mpeg", ".ts"]
    + [".mts", ".m2ts", ".flv", ".3gp", ".3g2", ".ogv", ".vob", ".mod", ".tod", ".m2v", ".divx"]
    + [".h264", ".264", ".h265", ".hevc", ".mjpeg", ".mjpg"]
)


@dataclass(frozen=True)
class VideoInfo:
    """The frames of a video stream that can be had.

    Attributes:
        times: ``[N]`` seconds from the first frame at which each frame is shown, increasing.
        fps: frames a second, on average.
        decoder: what reads it, and how the frames are known: ``pyav`` by its packets, each frame being
            compared with them when it is decoded; ``measured`` by having decoded all of them;
            ``images`` of a folder of them.
        declared: frames that the file promises; more than there are if it is damaged.
        ends: seconds at which it promises to end.
        damage: why not all of them are there; empty if nothing is known to be wrong.
        start: the first frame's time in the file, seconds.
        numbers: ``[N]`` those in the names of images, increasing; None: it is a file.
        remarks: what is to be known of it, such as that images are missing.
    """

    path: File
    times: np.ndarray
    fps: float
    width: int
    height: int
    decoder: str = "pyav"
    declared: int = 0
    ends: float = 0.0
    damage: str = ""
    start: float = 0.0
    numbers: np.ndarray | None = None
    remarks: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.times)

    @property
    def duration(self) -> float:
        """Seconds from the start of the first frame to the end of the last."""
        return float(self.times[-1] + 1 / self.fps)

    @property
    def measured(self) -> bool:
        """Whether all of its frames were decoded to know them."""
        return self.decoder == "measured"
