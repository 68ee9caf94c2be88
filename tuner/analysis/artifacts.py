"""The files of a model: parameters, results, history, curves, confusion matrix, predictions."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

import models
from models import ModelConfig
from tuner.training.metrics import (
    average_precision,
    confusion,
    per_class_recall,
    scores,
    thresholds,
)
from tuner.training.pictures import plot_confusion

# The splits as the keys of results.json call them.
SPLIT_KEYS = {"train": "train", "valid": "val", "test": "test"}


# What results.json holds of each split, as fit_<split>_<name>.
_FIGURES = (
    *("acc", "loss", "f1", "recall", "balanced_accuracy", "average_precision"),
    *("average_precision_by_class", "precision_at_threshold", "recall_at_threshold"),
)


def choose_thresholds(predictions: pd.DataFrame, classes: list[str]) -> dict[str, float] | None:
    """Each class's threshold of probability with the best F1 on the valid split, and no other.

    None without labelled rows of that split.
    """
    rows = predictions[(predictions["split"] == "valid") & predictions["label"].notna()]
    if rows.empty:
        return None
    return dict(zip(classes, thresholds(*_tensors(rows, classes), len(classes)), strict=True))


def evaluate(
    predictions: pd.DataFrame,
    classes: list[str],
    chosen: Mapping[str, float] | None = None,
) -> dict[str, dict[str, Any]]:
    """Figures of each split.

    ``acc, loss`` (cross-entropy), ``f1`` (macro), ``recall`` by class, ``balanced_accuracy``,
    ``average_precision`` (macro) and ``average_precision_by_class``; given thresholds also
    ``precision_at_threshold, recall_at_threshold`` by class; ``rows``, their number. `recall`
    leaves out the classes that do not occur; in the others, what is not defined is None.

    Args:
        predictions: as `prediction.with_labels` gives them.
        chosen: as `choose_thresholds` gives them.
    """
    figures = {}
    for split, rows in predictions.dropna(subset=["label"]).groupby("split"):
        probabilities, labels = _tensors(rows, classes)
        picked = probabilities[torch.arange(len(labels)), labels].clamp(min=1e-12)
        score = scores(probabilities, labels, len(classes))
        recall = per_class_recall(probabilities, labels, len(classes))
        areas = average_precision(probabilities, labels, len(classes))
        figures[str(split)] = {
            "acc": float((rows["prediction"] == rows["label"]).mean()),
            "loss": float(-picked.log().mean()),
            "f1": score["f1"],
            "recall": {classes[number]: value for number, value in recall.items()},
            "balanced_accuracy": score["balanced_accuracy"],
            "average_precision": sum(areas.values()) / len(areas),
            "average_precision_by_class": {
                name: areas.get(number) for number, name in enumerate(classes)
            },
            "rows": len(rows),
        }
        if chosen is not None:
            figures[str(split)] |= _at_thresholds(rows, chosen)
    return figures


def _at_thresholds(
    rows: pd.DataFrame, chosen: Mapping[str, float]
) -> dict[str, dict[str, float | None]]:
    precision, recall = {}, {}
    for name, threshold in chosen.items():
        taken, true = rows[name] >= threshold, rows["label"] == name
        right = int((taken & true).sum())
        precision[name] = right / int(taken.sum()) if taken.any() else None
        recall[name] = right / int(true.sum()) if true.any() else None
    return {"precision_at_threshold": precision, "recall_at_threshold": recall}


def _tensors(rows: pd.DataFrame, classes: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
    code = {name: number for number, name in enumerate(classes)}
    labels = rows["label"].map(code).to_numpy(np.int64, copy=True)
    return torch.tensor(rows[classes].to_numpy(float)), torch.from_numpy(labels)


def results(
    config: ModelConfig,
    summary: Mapping[str, Any],
    figures: Mapping[str, Mapping[str, Any]],
    *,
    model_id: int,
    ensemble: list[int],
    batch_size: int,
    classes: list[str],
    folder: Path,
    times: Mapping[str, Any],
    chosen: Mapping[str, float] | None = None,
) -> dict[str, Any]:
    """What ``results.json`` holds; a figure that there is not is null.

    Args:
        summary: as `Run.summary` gives it.
        figures: as `evaluate` gives them.
        ensemble: the models whose probabilities were averaged, `model_id` the first of them.
        times: the ``fit_dt_...`` entries.
        chosen: as `choose_thresholds` gives them.
    """
    stopped = summary["stopped_epochs"]
    found: dict[str, Any] = {
        **config.model_dump(mode="json"),
        "frame_size": list(models.frame_size(config)),
        "batch_size": batch_size,
        "class_names": classes,
        "model_id": model_id,
        "ensemble": ensemble,
        "model_param_count": summary["model_param_count"],
        "num_features": summary["num_features"],
        "seed": summary["seed"],
        "path_model": str(folder),
        "thresholds": None if chosen is None else dict(chosen),
        "fit_best_epoch": summary["best_epoch"],
        "fit_best_round": summary["best_round"],
        "fit_num_epochs": summary["epochs"],
        "verbose": True,
        **times,
    }
    for number in range(max(3, len(stopped))):
        epochs = stopped[number] if number < len(stopped) else None
        found[f"fit_stopped_epoch{number + 1}"] = epochs
    for split, key in SPLIT_KEYS.items():
        own = figures.get(split, {})
        found[f"data_total_rows_{split}"] = own.get("rows", 0)
        for name in _FIGURES:
            found[f"fit_{key}_{name}"] = own.get(name)
    return dict(sorted(found.items()))


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write valid JSON: what is not a finite number becomes null."""
    path.write_text(json.dumps(_finite(content), indent=2, allow_nan=False) + "\n")


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def write_confusion(
    predictions: pd.DataFrame, classes: list[str], folder: Path, split: str, of: str
) -> None:
    """``confusion_matrix.csv``, ``.png`` and ``_normalised.png``: rows true, columns predicted.

    Args:
        of: which model, for the pictures' titles, as in ``model 7``.
    """
    rows = predictions[(predictions["split"] == split) & predictions["label"].notna()]
    matrix = confusion(*_tensors(rows, classes), len(classes))
    frame = pd.DataFrame(matrix, index=pd.Index(classes, name="true \\ predicted"), columns=classes)
    frame.to_csv(folder / "confusion_matrix.csv")
    for name, what in (("", "labelled frames"), ("_normalised", "shares of each true class")):
        title = f"{of}, {split} split\n{what}"
        figure = plot_confusion(matrix, classes, title, normalised=bool(name))
        figure.savefig(folder / f"confusion_matrix{name}.png")


def write_curves(history: pd.DataFrame, folder: Path, best_epoch: int, of: str) -> None:
    """``accuracy.png`` and ``loss.png`` over the epochs, with the best epoch and the rounds' ends.

    Args:
        of: which model, for the titles, as in ``model 7``.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    for name in ("accuracy", "loss"):
        figure = Figure(figsize=(7, 4), dpi=100, layout="constrained")
        axes = figure.add_subplot()
        for split in ("train", "valid"):
            axes.plot(history["epoch"], history[f"{split}_{name}"], marker=".", label=split)
        axes.axvline(best_epoch, color="grey", linestyle=":", label="best epoch")
        for number, end in enumerate(history.groupby("round")["epoch"].max().iloc[:-1]):
            label = None if number else "end of a round"
            axes.axvline(end + 0.5, color="lightgrey", linewidth=0.8, label=label)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.set_title(f"{of}: {name} of the train and valid splits")
        axes.set_xlabel("epoch")
        axes.set_ylabel(name)
        axes.legend()
        figure.savefig(folder / f"{name}.png")
