"""From a configuration to a checked data set on this machine: read, opened, decoded, in the stores."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path

import data
from data.sample import make_sample
from data.store import default_folder
from data.video import VideoError
from data.videos import Reject, Video
from models.config import ModelConfig
from tuner.config import DataConfig

Bar = Callable[[str, int], AbstractContextManager[Callable[[], None]]]


def load_dataset(config: DataConfig, bar: Bar) -> data.Dataset:
    """Read the labels and open every labelled video.

    Args:
        bar: shows progress, as `tuner.cli.progress`.

    Raises:
        DataError: everything that is wrong with the labels, at once.
    """
    videos, labels = config.videos, config.labels
    if videos == "sample":
        folder = default_folder() / "sample"
        labels = str(make_sample(folder))
        videos = str(folder)
    assert labels is not None  # says DataConfig
    splits = config.splits
    with bar("opening videos", 0) as advance:
        return data.load(
            Path(videos).expanduser(),
            Path(labels).expanduser(),
            fps=config.fps,
            valid=None if splits is None else splits.valid,
            test=None if splits is None else splits.test,
            seed=0 if splits is None else splits.seed,
            on_open=lambda count: advance,
        )


def decode(
    videos: Iterable[Video], sizes: list[tuple[int, int]], config: DataConfig, bar: Bar
) -> list[Reject]:
    """Bring the frames of all videos into the frame store, each video decoded once.

    Returns:
        the videos that don't decode to their end, with the reason.
    """
    store = data.FrameStore(limit_bytes=config.limit_bytes)
    videos = list(videos)

    def attempt(video: Video) -> Reject | None:
        try:
            store.ensure(video, sizes)
        except VideoError as error:
            return Reject(video.name, video.info.path, str(error))
        finally:
            advance()
        return None

    with bar("decoding videos", len(videos)) as advance, ThreadPoolExecutor(os.cpu_count()) as pool:
        return [reject for reject in pool.map(attempt, videos) if reject]


def write_rejects(rejects: list[Reject], folder: Path) -> Path | None:
    """``rejects.csv``: every video that was left out and why; None, and no file, if there is none."""
    path = folder / "rejects.csv"
    if not rejects:
        path.unlink(missing_ok=True)
        return None
    folder.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["video", "path", "reason"])
        writer.writerows([r.video, r.path, r.reason] for r in rejects)
    return path


def frame_sizes(configs: Iterable[ModelConfig]) -> list[tuple[int, int]]:
    """The distinct frame sizes that models need."""
    import models

    return list(dict.fromkeys(models.frame_size(config) for config in configs))
