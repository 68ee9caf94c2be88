"""A trained model in its file, which can predict videos without the search that made it."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

import models
from data.console import Output, for_python
from data.errors import DataError
from tuner.analysis.ensemble import Ensemble
from tuner.analysis.evaluation import MODEL, Trained
from tuner.analysis.new_videos import NewPredictions, predict_new
from tuner.config.sections import DataConfig
from tuner.training.run import BEST


def load_model(source: str | Path | Trained | Ensemble) -> TrainedModel:
    """A model that predicts videos: ``load_model("model.pt").predict("new_videos/")``.

    Args:
        source: a ``model.pt`` or ``best.pt``, wherever it is; a model's folder; what a search left; or
            several of these that predict together.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is not a model's; or the temperature of several is not known.
    """
    if isinstance(source, Ensemble):
        return _together(source)
    if isinstance(source, Trained):
        source.fetch()
    path = source.folder if isinstance(source, Trained) else Path(source).expanduser()
    if path.is_dir():
        path = next((path / name for name in (MODEL, BEST) if (path / name).is_file()), path / BEST)
    model = TrainedModel(path)
    if isinstance(source, Trained):  # a file of an earlier version lacks what its search knows
        model.network.extra.setdefault("fps", source.fps)
    return model


def _together(ensemble: Ensemble) -> TrainedModel:
    first, *others = [load_model(member) for member in ensemble.members]
    if others:
        if ensemble.temperature is None:
            raise ValueError("the temperature of these models together is not known")
        first.others = [other.network for other in others]
        first.weights, first.temperature = ensemble.weights, ensemble.temperature
        first.thresholds = ensemble.thresholds
    return first


class TrainedModel:
    """A model that was read from its file alone, by `load_model`.

    Attributes:
        path: of its file.
        network: what was read from it.
        temperature: that its probabilities are brought to, so that they mean something; 1 in files of
            earlier versions.
        thresholds: from which probability on a class is decided to be shown, by class; None: the one
            most probable class is decided.
        others: the rest of an ensemble, of which it is the first.
        weights: of the members of that ensemble.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.network = path, models.load(path)
        self.temperature: float = self.network.extra.get("temperature", 1.0)
        self.thresholds: Mapping[str, float] | None = self.network.extra.get("thresholds")
        self.others: Sequence[models.VideoClassifier] = ()
        self.weights: Sequence[float] = (1,)

    @property
    def classes(self) -> list[str]:
        return self.network.classes

    @property
    def fps(self) -> float | None:
        """Frames a second that it was trained at; None: each file's own rate, or not known."""
        return self.network.extra.get("fps")

    @property
    def knows_fps(self) -> bool:
        """Whether its file says what it was trained at; files of earlier versions don't."""
        return "fps" in self.network.extra

    def predict(
        self, videos: str | Path | Sequence[str | Path], output: Output | None = None
    ) -> pd.DataFrame:
        """Predict every frame of videos, sampled as those that it was trained on.

        Args:
            videos: files, or folders of them, here or on S3.
            output: where progress is shown; None: in a notebook, and nowhere else.

        Returns:
            a column a class with its probability, ``prediction``, ``video``, ``frame`` (from 0) and
            ``time`` (seconds).

        Warns:
            UserWarning: of each video that does not decode to its end; and if the model's
                file does not say at what rate its videos were sampled: every frame is taken.

        Raises:
            DataError: there are no videos, or none of them decodes.
        """
        if not self.knows_fps:
            warnings.warn(f"{self.path} does not say its fps: every frame is taken", stacklevel=2)
        predictions = self.predict_all(videos, output)
        if predictions.table.empty:
            raise DataError([f"{one.path}: {one.reason}" for one in predictions.rejects])
        for reject in [*predictions.rejects, *predictions.damaged]:
            warnings.warn(reject.told, stacklevel=2)
        return predictions.table

    def predict_all(
        self, videos: str | Path | Sequence[str | Path], output: Output | None = None
    ) -> NewPredictions:
        """As `predict`, with the videos that don't decode beside the table."""
        paths = [videos] if isinstance(videos, str | Path) else videos
        config = DataConfig(fps=self.fps, max_frames=self.network.extra.get("max_frames"))
        return predict_new(
            [self.network, *self.others],
            [str(path) for path in paths],
            config,
            output or for_python(),
            weights=self.weights,
            temperature=self.temperature,
            thresholds=self.thresholds,
        )
