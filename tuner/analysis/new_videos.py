"""Predictions of videos that nobody has labelled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from data.console import Output
from data.errors import printable
from data.files.path import File, place, relative
from data.files.whole import write_table
from data.videos.find import find_files
from data.videos.rejects import Reject, write_rejects
from data.videos.video import open_videos, video_remarks
from models import VideoClassifier, compares_frames
from tuner.analysis.prediction import PREDICTIONS, predict
from tuner.analysis.videos import VIDEO_PREDICTIONS
from tuner.config.sections import DataConfig
from tuner.training.clips.extractor import shared_steps
from tuner.training.task import task_of


@dataclass(frozen=True)
class NewPredictions:
    """What `predict_new` found.

    Attributes:
        table: of frames, as `predict` gives it; without rows if no video decodes.
        videos: one row a video, as `video_table` gives it.
        rejects: the videos that don't decode.
        damaged: those that do in part, and are predicted as far.
    """

    table: pd.DataFrame
    videos: pd.DataFrame
    rejects: list[Reject]
    damaged: list[Reject]

    def write(self, folder: Path) -> Path | None:
        """Write ``frame_predictions.csv``, ``video_predictions.csv`` and ``rejects.csv``.

        Returns:
            the file that lists the videos that don't decode to their end; None if there are none.
        """
        folder.mkdir(parents=True, exist_ok=True)
        write_table(folder / PREDICTIONS, self.table)
        write_table(folder / VIDEO_PREDICTIONS, self.videos)
        return write_rejects([*self.rejects, *self.damaged], folder)


def predict_new(
    models: Sequence[VideoClassifier],
    paths: Sequence[str],
    config: DataConfig,
    output: Output,
    *,
    weights: Sequence[float] | None = None,
    temperature: float,
    thresholds: Mapping[str, float] | None = None,
) -> NewPredictions:
    """Predict new videos, and every frame of them.

    Args:
        models: their probabilities are averaged.
        paths: files, or folders of them, here or on S3.
        config: how frames are read.
        weights: of the models in the average; None: all the same.
        temperature: that the average is brought to.
        thresholds: from which probability on a class is decided to be shown, where several may be.

    Raises:
        DataError: a path holds no videos.
    """
    files: dict[str, File] = {}
    for path in (place(text, limit_bytes=config.limit_bytes) for text in paths):
        for file in find_files(path):
            name = printable(file.name if file == path else str(relative(file, path)))
            name = name if name not in files else printable(str(file))
            while name in files:  # one name has bytes that another shows as they are printed
                name += "'"
            files[name] = file
    videos, rejects = open_videos(files, config.fps, most=config.max_frames)
    for remark in video_remarks(videos):
        output.warn(f"warning: {remark}")
    config = config.model_copy(
        update={"shared_cache": None}
    )  # no other machine needs their features
    # Straight from the file, if that will do: the frames of an hour of video would take 13 GB.
    stored = any(compares_frames(model.config) for model in models)
    config = config.model_copy(update={"frames": "stored" if stored else "direct"})
    opened = list(videos.values())
    with output.bar("predicting", shared_steps(models, opened, config)) as advance:
        found = predict(models, opened, config, weights=weights, on_frames=advance, rejects=rejects)
    task = task_of(models[0].config.task, models[0].classes, thresholds)
    found = found.at_temperature(task, temperature)
    gone = [reject for reject in rejects if not reject.used]
    cut = [reject for reject in rejects if reject.used]
    return NewPredictions(found.frames, found.videos, gone, cut)
