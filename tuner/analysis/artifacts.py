"""The files of a model: parameters, results, history, curves, confusion matrix, predictions."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import torch

import models
from data.files.whole import replacing, write_table
from models import ModelConfig
from tuner.analysis.intervals import intervals
from tuner.training.pictures import ConfusionPicture, columns_of
from tuner.training.task import Task

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# The splits as the keys of results.json call them.
SPLIT_KEYS = {"train": "train", "valid": "val", "test": "test"}


def fit_temperature(predictions: pd.DataFrame, task: Task) -> float:
    """The temperature at which probabilities fit the labels of the valid split best.

    No other split is used; as of `calibration.fit_temperature`.
    """
    rows = predictions[(predictions["split"] == "valid") & predictions["label"].notna()]
    return task.temperature(*_tensors(rows, task))


def calibration_errors(predictions: pd.DataFrame, task: Task) -> dict[str, float]:
    """The calibration error of each split."""
    splits = predictions.dropna(subset=["label"]).groupby("split")
    return {str(split): task.calibration_error(*_tensors(rows, task)) for split, rows in splits}


def choose_thresholds(predictions: pd.DataFrame, task: Task) -> dict[str, float] | None:
    """For each class the threshold of its probability with the best F1 on the valid split.

    No other split is used. None if no row of the valid split has a label.
    """
    rows = predictions[(predictions["split"] == "valid") & predictions["label"].notna()]
    if rows.empty:
        return None
    return task.thresholds(*_tensors(rows, task))


def evaluate(
    predictions: pd.DataFrame,
    task: Task,
    chosen: Mapping[str, float] | None = None,
) -> dict[str, dict[str, Any]]:
    """Figures of each split: the task's, ``rows``, ``intervals``, and those at thresholds if given.

    Args:
        predictions: of frames or of videos, with their labels and splits.
        chosen: as `choose_thresholds` gives them.
    """
    figures = {}
    for split, rows in predictions.dropna(subset=["label"]).groupby("split"):
        probabilities, labels = _tensors(rows, task)
        figures[str(split)] = task.split_figures(probabilities, labels) | {
            "rows": len(rows),
            "intervals": intervals(rows, task),
        }
        if chosen is not None:
            figures[str(split)] |= task.threshold_figures(probabilities, labels, chosen)
    return figures


def _tensors(rows: pd.DataFrame, task: Task) -> tuple[torch.Tensor, torch.Tensor]:
    """Probabilities float64 ``[N, C]`` and labels ``[N]``."""
    return torch.tensor(rows[task.columns].to_numpy(float)), task.encode(rows["label"])


def results(
    config: ModelConfig,
    summary: Mapping[str, Any],
    figures: Mapping[str, Mapping[str, Any]],
    *,
    model_id: int,
    ensemble: list[int],
    ensemble_weights: list[int],
    temperature: float,
    uncalibrated: Mapping[str, float],
    batch_size: int,
    task: Task,
    folder: Path,
    times: Mapping[str, Any],
    unit: str,
    by_unit: Mapping[str, Any],
    chosen: Mapping[str, float] | None = None,
) -> dict[str, Any]:
    """What ``results.json`` holds; a figure that does not exist is null.

    Args:
        summary: as `Run.summary` gives it.
        figures: as `evaluate` gives them.
        ensemble: the models whose probabilities were averaged, `model_id` the first of them.
        ensemble_weights: of each of them in the average.
        temperature: that the average was brought to.
        uncalibrated: the calibration error of each split at temperature 1.
        times: the ``fit_dt_...`` entries.
        unit: what `figures` count, frames or videos.
        by_unit: what `brief` gives, of frames and of videos.
        chosen: as `choose_thresholds` gives them.
    """
    stopped, folds = summary["stopped_epochs"], summary.get("folds")
    entries: dict[str, Any] = {
        **config.model_dump(mode="json"),
        "frame_size": list(models.frame_size(config)),
        "batch_size": batch_size,
        "class_names": task.classes,
        "model_id": model_id,
        "ensemble": ensemble,
        "ensemble_weights": ensemble_weights,
        "temperature": temperature,
        "model_param_count": summary["model_param_count"],
        "num_features": summary["num_features"],
        "seed": summary["seed"],
        "path_model": str(folder),
        "unit": unit,
        "by_unit": by_unit,
        "thresholds": None if chosen is None else dict(chosen),
        "fit_best_epoch": summary["best_epoch"],
        "fit_best_round": summary["best_round"],
        "fit_num_epochs": sum(folds["epochs"]) if folds else summary["epochs"],
        "folds": dict(folds) if folds else None,
        "verbose": True,
        **times,
    }
    for number in range(max(3, len(stopped))):
        epochs = stopped[number] if number < len(stopped) else None
        entries[f"fit_stopped_epoch{number + 1}"] = epochs
    for split, key in SPLIT_KEYS.items():
        of_split = figures.get(split, {})
        entries[f"data_total_rows_{split}"] = of_split.get("rows", 0)
        entries[f"fit_{key}_calibration_error_before"] = uncalibrated.get(split)
        for name in task.RESULT_FIGURES:
            entries[f"fit_{key}_{name}"] = of_split.get(name)
    return dict(sorted(entries.items()))


def brief(figures: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The main figures of each split, with their intervals."""
    names = ("rows", "acc", "f1", "balanced_accuracy", "recall", "intervals")
    return {split: {name: of_split[name] for name in names} for split, of_split in figures.items()}


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write valid JSON: what is not a finite number becomes null."""
    with replacing(path) as part:
        part.write_text(json.dumps(_finite(content), indent=2, allow_nan=False) + "\n")


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def write_confusion(
    predictions: pd.DataFrame, task: Task, folder: Path, split: str, of: str, unit: str = "frame"
) -> None:
    """``confusion_matrix.csv``, ``.png`` and ``_normalised.png``: rows true, columns predicted.

    Where several classes may be shown, a row is how often one was found, missed and said wrongly.

    Args:
        unit: what is counted, frames or videos.
        of: which model, for the pictures' titles, as in ``model 7``.
    """
    rows = predictions[(predictions["split"] == split) & predictions["label"].notna()]
    classes, matrix = task.classes, task.confusion(*_tensors(rows, task))
    names, counted = columns_of(matrix, classes)
    frame = pd.DataFrame(counted, index=pd.Index(classes, name="true \\ predicted"), columns=names)
    write_table(folder / "confusion_matrix.csv", frame, index=True)
    for name, what in (("", f"labelled {unit}s"), ("_normalised", "shares of each true class")):
        title = f"{of}, {split} split\n{what}"
        picture = ConfusionPicture(matrix, classes, title, normalised=bool(name))
        _write_picture(picture.figure, folder / f"confusion_matrix{name}.png")


def write_curves(history: pd.DataFrame, folder: Path, best_epoch: int, of: str) -> None:
    """``accuracy.png`` and ``loss.png`` over the epochs, with the best epoch and the rounds' ends.

    Args:
        of: which model, for the titles, as in ``model 7``.
    """
    for name in ("accuracy", "loss"):
        figure, axes = _axes(f"{of}: {name} of the train and valid splits", name)
        for split in ("train", "valid"):
            axes.plot(history["epoch"], history[f"{split}_{name}"], marker=".", label=split)
        axes.axvline(best_epoch, color="grey", linestyle=":", label="best epoch")
        for number, end in enumerate(history.groupby("round")["epoch"].max().iloc[:-1]):
            label = None if number else "end of a round"
            axes.axvline(end + 0.5, color="lightgrey", linewidth=0.8, label=label)
        axes.legend()
        _write_picture(figure, folder / f"{name}.png")


def write_fold_curves(
    history: pd.DataFrame, folder: Path, best_epochs: Sequence[int], of: str
) -> None:
    """``accuracy.png`` and ``loss.png``: a colour a fold, with its best epoch.

    Args:
        history: of all folds, with a column ``fold``.
        best_epochs: of each fold.
        of: as in `write_curves`.
    """
    for name in ("accuracy", "loss"):
        figure, axes = _axes(f"{of}: {name} of each fold, valid (dashed: train)", name)
        for number, (fold, rows) in enumerate(history.groupby("fold")):
            colour, best = f"C{number}", best_epochs[number]
            axes.plot(rows["epoch"], rows[f"train_{name}"], color=colour, linestyle="--", alpha=0.5)
            axes.plot(rows["epoch"], rows[f"valid_{name}"], color=colour, label=f"fold {fold}")
            value = rows.loc[rows["epoch"] == best, f"valid_{name}"]
            axes.plot([best], value, color=colour, marker="o")
        axes.legend()
        _write_picture(figure, folder / f"{name}.png")


def _write_picture(figure: Figure, path: Path) -> None:
    with replacing(path) as part:
        figure.savefig(part, format="png")


def _axes(title: str, name: str) -> tuple[Any, Any]:
    """A figure of a curve over the epochs, and its axes."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(7, 4), dpi=100, layout="constrained")
    axes = figure.add_subplot()
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.set_title(title)
    axes.set_xlabel("epoch")
    axes.set_ylabel(name)
    return figure, axes
