"""What tests of labels share: videos without a file, tables and data sets read from text."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data import DataError, Dataset, Video, load
from data.labels.table import expand, read_labels
from data.videos.info import VideoInfo

GOOD = "video,frame,label,split\na,0,x,train\na,1,y,train\nb,0,x,valid\nc,0,y,test\n"


def video_of(
    name: str = "v", frames: int = 10, rate: float = 10, fps: float | None = None
) -> Video:
    """A video of `frames` frames at `rate` a second that exists as a description alone."""
    times = np.arange(frames) / rate
    info = VideoInfo(Path(f"{name}.mp4"), times, rate, 128, 32, "decord")
    return Video(name, info, fps, "identity")


def read_table(path: Path, text: str, *videos: Video) -> pd.DataFrame:
    path.write_text(text, encoding="utf-8")
    file = read_labels(path)
    table, problems, _ = expand(file, {video.name: video for video in videos or [video_of()]})
    assert file.problems + problems == []
    return table


def read_rows(path: Path, text: str, *videos: Video) -> list[tuple[str, int, str]]:
    table = read_table(path, text, *videos)
    return list(table[["video", "frame", "label"]].itertuples(index=False, name=None))


def problems_in(path: Path, text: str, *videos: Video) -> list[str]:
    path.write_text(text, encoding="utf-8")
    try:
        file = read_labels(path)
    except DataError as error:
        return error.problems
    return file.problems + expand(file, {v.name: v for v in videos or [video_of()]})[1]


def problem_in(path: Path, text: str, *videos: Video) -> str:
    (problem,) = problems_in(path, text, *videos)
    return problem


def load_text(videos: Path, text: str, **options: object) -> Dataset:
    labels = videos.parent / f"{videos.name}.csv"
    labels.write_text(text)
    return load(videos, labels, **options)


def problems_of(videos: Path, text: str, **options: object) -> list[str]:
    with pytest.raises(DataError) as caught:
        load_text(videos, text, **options)
    assert str(caught.value) == "\n".join(caught.value.problems)
    return caught.value.problems


def splits_of(dataset: Dataset) -> dict[str, str]:
    return dict(zip(dataset.table["video"], dataset.table["split"], strict=True))
