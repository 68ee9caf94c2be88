"""Predictions of videos that validated by folds: each by the models that were not trained on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

from data import Dataset, Video
from models import Mixture, VideoClassifier, members
from tuner.analysis.prediction import Predictions, answers, predict
from tuner.config.sections import DataConfig


def folds_done(networks: Sequence[VideoClassifier]) -> int:
    """How many folds all of these models have been trained for."""
    return min(len(members(network)) for network in networks)


def held_out(
    networks: Sequence[VideoClassifier], dataset: Dataset, folds: Mapping[str, int]
) -> Dataset:
    """The data set with those videos in the valid split that `predict_held_out` predicts as such.

    A trial that was stopped early has not validated the later folds: these videos are in train.

    Args:
        folds: video to the fold that it validates, from 1; empty: the data set is as it was.
    """
    done = folds_done(networks)
    return dataset.with_splits(
        {video: "valid" if fold <= done else "train" for video, fold in folds.items()}
    )


def as_one_fold(
    networks: Sequence[VideoClassifier], dataset: Dataset, folds: Mapping[str, int]
) -> Mapping[str, int]:
    """The folds; where none are, but models were trained on the valid split at last, it is one."""
    if folds or not any(isinstance(network, Mixture) for network in networks):
        return folds
    table = dataset.table
    return dict.fromkeys(table.loc[table["split"] == "valid", "video"].unique(), 1)


def answers_held_out(
    networks: Sequence[VideoClassifier],
    videos: Sequence[Video],
    config: DataConfig,
    folds: Mapping[str, int],
    on_frames: Callable[[int], None],
) -> np.ndarray:
    """As `answers`; a video that validated is answered by the members that were not trained on it."""
    place = {video.name: number for number, video in enumerate(videos)}
    found = np.empty((len(networks), len(videos), len(networks[0].classes)))
    for fold, own in _by_fold(videos, folds, folds_done(networks)).items():
        said = answers(_asked(networks, fold), own, config, on_frames)
        found[:, [place[video.name] for video in own]] = said
    return found


def _asked(networks: Sequence[VideoClassifier], fold: int) -> list[VideoClassifier]:
    """Those of the networks' members that were not trained on a fold; 0: the networks themselves."""
    return [members(network)[fold - 1] for network in networks] if fold else list(networks)


def _by_fold(
    videos: Sequence[Video], folds: Mapping[str, int], done: int
) -> dict[int, list[Video]]:
    """Videos by the fold that they validate; 0: none of those that are done."""
    of: dict[int, list[Video]] = {}
    for video in videos:
        fold = folds.get(video.name, 0)
        of.setdefault(fold if fold <= done else 0, []).append(video)
    return of


def predict_held_out(
    networks: Sequence[VideoClassifier],
    videos: Sequence[Video],
    config: DataConfig,
    folds: Mapping[str, int],
    *,
    weights: Sequence[float] | None = None,
    on_frames: Callable[[int], None] = lambda count: None,
) -> Predictions:
    """As `predict`; a video that validated is predicted by the members that were not trained on it.

    Args:
        folds: as of `held_out`; all other videos are predicted as each network does by itself.
    """
    parts = []
    of = _by_fold(videos, folds, folds_done(networks))
    for fold, own in of.items():
        asked = _asked(networks, fold)
        parts.append(predict(asked, own, config, weights=weights, on_frames=on_frames))
    if len(parts) == 1:
        return parts[0]
    place = {video.name: number for number, video in enumerate(videos)}

    def joined(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
        table = pd.concat(tables, ignore_index=True)
        order = table["video"].map(place)
        return table.loc[order.sort_values(kind="stable").index].reset_index(drop=True)

    return Predictions(
        joined([part.frames for part in parts]),
        joined([part.videos for part in parts]),
        parts[0].whole,
    )
