"""Labels that go on after the end of their video, or after what of it decodes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from data.labels.numbering import Numbers, lasting
from data.videos.video import Video

_HALF = 0.5  # of a video: with less of it, what a label of the whole says may not be seen


def up_to_end(
    rows: pd.DataFrame, videos: Mapping[str, Video], *, cut: bool
) -> tuple[pd.DataFrame, int]:
    """Ranges with the end of their video in place of an infinite one; how many others were cut there.

    A range that begins after its video is left as it is: it is somebody's mistake.

    Args:
        cut: whether ranges may go on after their video.
    """
    known = {
        name: max(video.info.ends, video.duration) if video.info.damage else video.duration
        for name, video in videos.items()
    }
    ends = rows["video"].astype(object).map(known).astype(float)
    inside = rows["time_start"] < ends
    open_ = inside & np.isinf(rows["time_end"])
    over = inside & ~open_ & (rows["time_end"] > ends) & cut
    return rows.assign(time_end=rows["time_end"].mask(open_ | over, ends)), int(over.sum())


def within(
    form: str, rows: pd.DataFrame, videos: Mapping[str, Video], numbers: Numbers = "file"
) -> tuple[pd.DataFrame, list[str]]:
    """The rows of a label file without what lies beyond the damage of a video; and what is said of it.

    What lies beyond the end that the video promises is left as it is: it is somebody's mistake.

    Args:
        form: of the label file.
        numbers: what frames it numbers.
    """
    warnings: list[str] = []
    for name in sorted(name for name, video in videos.items() if video.info.damage):
        of_video, video = (rows["video"] == name).to_numpy(), videos[name]
        if not of_video.any():
            continue
        if form == "frame":
            frame = rows["frame"].to_numpy()
            lost = (
                of_video & (frame >= lasting(video, numbers)) & (frame < _promised(video, numbers))
            )
        elif form == "range":
            ends = max(video.info.ends, video.duration) + _step(video)
            known = of_video & (rows["time_end"] <= ends).to_numpy()
            lost = known & (rows["time_start"] >= video.duration).to_numpy()
            over = known & ~lost & (rows["time_end"] > video.duration).to_numpy()
            if over.any():
                shorter = rows["time_end"].where(~over, video.duration)
                rows = rows.assign(time_end=shorter)
                warnings.append(_said(video, int(over.sum()), "are used as far as it decodes"))
        else:
            lost = np.zeros(len(rows), bool)
            if len(video.info) < _HALF * video.info.declared:
                warnings.append(
                    f"video '{name}' has a label of the whole, and {len(video.info)} of its "
                    f"{video.info.declared} frames decode: what the label says may not be seen in them"
                )
        if lost.any():
            warnings.append(_said(video, int(lost.sum()), "lie beyond its damage and are left out"))
            rows = rows[~lost]
    return rows, warnings


def _promised(video: Video, numbers: Numbers) -> int:
    """Frames that labels could number if the video were whole."""
    if numbers == "file" or video.fps is None:
        return max(video.info.declared, len(video.info))
    return max(int(np.ceil(video.info.ends * video.fps)), len(video))


def _step(video: Video) -> float:
    return 1 / (video.fps or video.info.fps)


def _said(video: Video, count: int, what: str) -> str:
    return (
        f"video '{video.name}' ({video.info.damage}, {video.duration:.2f} seconds): {count} rows of its "
        f"labels {what}"
    )
