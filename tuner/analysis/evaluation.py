"""Evaluates a trained model on its data set, test videos included, and writes its folder's files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

import models
from data import Dataset
from data.console import Output
from data.files.storage import Storage
from data.files.whole import write_table
from tuner.analysis import artifacts
from tuner.analysis.folds import as_one_fold, held_out, predict_held_out
from tuner.analysis.prediction import PREDICTIONS, Predictions, with_labels
from tuner.analysis.videos import VIDEO_PREDICTIONS, with_video_labels
from tuner.config.sections import DataConfig
from tuner.training.clips.extractor import shared_steps
from tuner.training.run import BEST, HISTORY
from tuner.training.task import task_of

MODEL = "model.pt"


@dataclass(frozen=True)
class Trained:
    """A model that a trial left in its folder, and what the results store knows of it.

    Attributes:
        value: the selection metric at the best epoch.
        params: its parameters, by name.
        summary: as `Run.summary` gives it.
        fps: frames a second that its videos were sampled at; None: each file's own rate.
        storage: where its search keeps models; None: on this machine alone.
    """

    model_id: int
    folder: Path
    value: float | None
    params: Mapping[str, Any] = field(repr=False)
    summary: Mapping[str, Any] = field(repr=False)
    started: datetime | None = field(repr=False)
    ended: datetime | None = field(repr=False)
    fps: float | None = field(default=None, repr=False)
    storage: Storage | None = field(default=None, repr=False)

    def fetch(self) -> None:
        """Bring its folder to this machine, if it is kept elsewhere."""
        if self.storage is not None:
            self.storage.fetch(self.folder)

    def load(self) -> models.VideoClassifier:
        """The model over stored features.

        Raises:
            FileNotFoundError: its weights were not among those kept.
        """
        model = models.load(self.folder / BEST)
        weights = self.params.get("model_weights_path")
        if weights is not None:  # its file may have been moved since
            for part in model.modules():
                if isinstance(part, models.VideoClassifier):
                    part.config = part.config.model_copy(update={"model_weights_path": weights})
        return model


def evaluate(
    members: Sequence[Trained],
    folder: Path,
    dataset: Dataset,
    config: DataConfig,
    *,
    folds: Mapping[str, int] | None = None,
    weights: Sequence[int] | None = None,
    temperature: float | None = None,
    thresholds: Mapping[str, float] | None = None,
    output: Output,
) -> dict[str, Any]:
    """Predict every frame and video of the data set, and write all files of one or several models.

    If the models were validated by folds, the valid split is all videos that were: each is predicted by
    those that were not trained on it.

    Args:
        members: the best first; their probabilities are averaged. Each one's own files go to its
            own folder.
        folder: gets the predictions and their figures; for a single model, its own folder.
        folds: video to the fold that it validates; None: the models were validated on the valid split.
        weights: of the members in the average; None: all the same.
        temperature: of the average; None: it is fitted on the valid split. A single model has its own.
        thresholds: at which classes are decided to be shown, where several may be; as `temperature`.

    Returns:
        what ``results.json`` holds.
    """
    loaded = [member.load() for member in members]
    best, model = members[0], loaded[0]
    task = task_of(model.config.task, model.classes)
    begin = datetime.now()
    folds = as_one_fold(loaded, dataset, folds or {})
    dataset, videos = held_out(loaded, dataset, folds), list(dataset.videos.values())
    with output.bar("predicting", shared_steps(loaded, videos, config)) as advance:
        found = predict_held_out(loaded, videos, config, folds, weights=weights, on_frames=advance)
    raw = labelled(found, dataset)[dataset.unit]
    if len(members) == 1:
        temperature, thresholds = (model.extra.get(name) for name in ("temperature", "thresholds"))
    if temperature is None:
        temperature = artifacts.fit_temperature(raw, task)
        if len(members) == 1:  # its file is of an earlier version
            model.extra["temperature"] = temperature
            models.save(model, best.folder / BEST)
    calibrated = found.at_temperature(task, temperature)
    if thresholds is None:
        thresholds = artifacts.choose_thresholds(labelled(calibrated, dataset)[dataset.unit], task)
    task = task.deciding_at(thresholds)
    tables = labelled(calibrated.at_temperature(task, 1.0), dataset)
    predictions = tables[dataset.unit]
    figures = artifacts.evaluate(predictions, task, thresholds)
    by_unit = {
        unit: artifacts.brief(artifacts.evaluate(tables[unit], task)) for unit in ("video", "frame")
    }
    end = datetime.now()
    folder.mkdir(parents=True, exist_ok=True)
    write_table(folder / PREDICTIONS, tables["frame"])
    write_table(folder / VIDEO_PREDICTIONS, tables["video"])
    split = "test" if "test" in figures else "valid"
    artifacts.write_confusion(predictions, task, folder, split, _name(members), dataset.unit)
    results = artifacts.results(
        model.config,
        best.summary,
        figures,
        model_id=best.model_id,
        ensemble=[member.model_id for member in members],
        ensemble_weights=list(weights or [1] * len(members)),
        temperature=temperature,
        uncalibrated=artifacts.calibration_errors(raw, task),
        batch_size=int(best.params["batch_size"]),
        task=task,
        folder=folder,
        times=_times("train", best.started, best.ended) | _times("test", begin, end),
        unit=dataset.unit,
        by_unit=by_unit,
        chosen=thresholds,
    )
    artifacts.write_json(folder / "results.json", results)
    for member, network in zip(members, loaded, strict=True):
        _write_model(member, network, config)
    return results


def labelled(found: Predictions, dataset: Dataset) -> dict[str, pd.DataFrame]:
    """Predictions by unit, of frames and of videos, with their labels and splits."""
    table = dataset.table
    return {
        "frame": with_labels(found.frames, table),
        "video": with_video_labels(found.videos, table),
    }


def _write_model(trained: Trained, model: models.VideoClassifier, config: DataConfig) -> None:
    """Write the files that depend on no split: curves, parameters, the whole model in one file."""
    folder = trained.folder
    history = pd.read_csv(folder / HISTORY)
    if "fold" in history:
        best = trained.summary["folds"]["best_epoch"]
        artifacts.write_fold_curves(history, folder, best, _name([trained]))
    else:
        best = int(trained.summary["best_epoch"])
        artifacts.write_curves(history, folder, best, _name([trained]))
    artifacts.write_json(folder / "params.json", dict(trained.params))
    complete = models.answering(model).cpu()
    if models.uses_stored_features(model.config):
        complete = models.attach_backbone(complete)
    sampled = {"fps": config.fps, "max_frames": config.max_frames}
    extra = {**model.extra, **sampled, "params": dict(trained.params)}
    models.save(complete, folder / MODEL, extra=extra)


def _name(members: Sequence[Trained]) -> str:
    numbers = ", ".join(str(member.model_id) for member in members)
    return f"model {numbers}" if len(members) == 1 else f"models {numbers}"


def _times(name: str, start: datetime | None, end: datetime | None) -> dict[str, Any]:
    seconds = (end - start).total_seconds() if start and end else None
    return {
        f"fit_dt_{name}_start": start and start.isoformat(sep=" ", timespec="seconds"),
        f"fit_dt_{name}_end": end and end.isoformat(sep=" ", timespec="seconds"),
        f"fit_dt_{name}_duration_seconds": seconds,
    }
