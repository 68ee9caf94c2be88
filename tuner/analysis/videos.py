"""From predictions of frames to one row a video: what it shows, and when."""

from __future__ import annotations

import pandas as pd
import torch

from tuner.training.task import Task

VIDEO_PREDICTIONS = "video_predictions.csv"
WHEN = ["first_second", "last_second"]


def video_table(
    frames: pd.DataFrame, task: Task, answers: pd.DataFrame | None = None
) -> pd.DataFrame:
    """One row a video, in the order of `frames`.

    Args:
        frames: a column a class with its probability, ``prediction, video, frame, time``.
        answers: of models of whole videos, by video, as of `decided`; None: by the mean probabilities
            of a video's frames.

    Returns:
        a column a class with its probability, ``prediction``, ``video``, ``frames`` (how many were
        seen), and ``first_second, last_second`` (of the frames that show the predicted class by
        themselves; if none does, of the one that shows it most).
    """
    of_frames = frames.groupby("video", sort=False)
    if answers is None:
        answers = decided(task, of_frames[task.columns].mean())
    rows = []
    for video, of_video in of_frames:
        answer = answers.loc[video]
        when = _when(of_video, answer["prediction"], task)
        rows.append([*answer[task.columns], answer["prediction"], video, len(of_video), *when])
    return pd.DataFrame(rows, columns=[*task.columns, "prediction", "video", "frames", *WHEN])


def decided(task: Task, probabilities: pd.DataFrame) -> pd.DataFrame:
    """Probabilities, a column a class, with the ``prediction`` of each row."""
    names = task.decode(task.decide(torch.tensor(probabilities.to_numpy(float))))
    return probabilities.assign(prediction=names)


def _when(frames: pd.DataFrame, prediction: str, task: Task) -> tuple[float, float]:
    shown = frames.loc[task.shown(frames, prediction), "time"]
    if shown.empty:
        shown = frames.loc[[task.strength(frames, prediction).idxmax()], "time"]
    return float(shown.min()), float(shown.max())


def with_video_labels(videos: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """`videos` with ``label, split, error``; empty label and error if a video has several labels.

    Args:
        table: the label table, of frames or of videos.
    """
    labels = table.groupby("video")["label"].agg(["first", "nunique"])
    one = labels["first"].where(labels["nunique"] == 1)
    return with_errors(videos.assign(label=videos["video"].map(one)), table)


def with_errors(predictions: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """Labelled predictions with ``split`` and ``error``, which is empty where there is no label."""
    splits = table.drop_duplicates("video").set_index("video")["split"]
    labelled = predictions["label"].notna()
    errors = (predictions["prediction"] != predictions["label"]).where(labelled)
    if labelled.all():
        errors = errors.astype(bool)
    return predictions.assign(split=predictions["video"].map(splits), error=errors)
