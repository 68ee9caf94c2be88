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
from tuner.training.metrics import confusion, plot_confusion, scores

# The splits as the keys of results.json call them.
SPLIT_KEYS = {"train": "train", "valid": "val", "test": "test"}


def evaluate(predictions: pd.DataFrame, classes: list[str]) -> dict[str, dict[str, Any]]:
    """Figures of each split: ``acc, loss`` (cross-entropy), ``f1`` (macro), ``recall`` by class.

    Args:
        predictions: as `prediction.with_labels` gives them.
    """
    figures = {}
    for split, rows in predictions.dropna(subset=["label"]).groupby("split"):
        probabilities, labels = _tensors(rows, classes)
        picked = probabilities[torch.arange(len(labels)), labels].clamp(min=1e-12)
        matrix = confusion(probabilities, labels, len(classes))
        totals = matrix.sum(axis=1)
        score = scores(probabilities, labels, len(classes))
        figures[str(split)] = {
            "acc": float((rows["prediction"] == rows["label"]).mean()),
            "loss": float(-picked.log().mean()),
            "f1": score["f1"],
            "recall": {
                name: float(matrix[i, i] / totals[i]) for i, name in enumerate(classes) if totals[i]
            },
            "rows": len(rows),
        }
    return figures


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
    batch_size: int,
    classes: list[str],
    folder: Path,
    times: Mapping[str, Any],
) -> dict[str, Any]:
    """What ``results.json`` holds; a figure that there is not is null.

    Args:
        summary: as `Run.summary` gives it.
        figures: as `evaluate` gives them.
        times: the ``fit_dt_...`` entries.
    """
    stopped = summary["stopped_epochs"]
    found: dict[str, Any] = {
        **config.model_dump(mode="json"),
        "frame_size": list(models.frame_size(config)),
        "batch_size": batch_size,
        "class_names": classes,
        "model_id": model_id,
        "model_param_count": summary["model_param_count"],
        "num_features": summary["num_features"],
        "seed": summary["seed"],
        "path_model": str(folder),
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
        for name in ("acc", "loss", "f1", "recall"):
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
    predictions: pd.DataFrame, classes: list[str], folder: Path, split: str
) -> None:
    """``confusion_matrix.csv``, ``.png`` and ``_normalised.png``: rows true, columns predicted."""
    rows = predictions[(predictions["split"] == split) & predictions["label"].notna()]
    matrix = confusion(*_tensors(rows, classes), len(classes))
    frame = pd.DataFrame(matrix, index=pd.Index(classes, name="true \\ predicted"), columns=classes)
    frame.to_csv(folder / "confusion_matrix.csv")
    plot_confusion(matrix, classes).savefig(folder / "confusion_matrix.png")
    plot_confusion(matrix, classes, normalised=True).savefig(
        folder / "confusion_matrix_normalised.png"
    )


def write_curves(history: pd.DataFrame, folder: Path, best_epoch: int) -> None:
    """``accuracy.png`` and ``loss.png`` over the epochs, with the best epoch and the rounds' ends."""
    from matplotlib.figure import Figure

    for name in ("accuracy", "loss"):
        figure = Figure(figsize=(7, 4), dpi=100, layout="constrained")
        axes = figure.add_subplot()
        for split in ("train", "valid"):
            axes.plot(history["epoch"], history[f"{split}_{name}"], marker=".", label=split)
        axes.axvline(best_epoch, color="grey", linestyle=":", label="best epoch")
        for end in history.groupby("round")["epoch"].max().iloc[:-1]:
            axes.axvline(end + 0.5, color="lightgrey", linewidth=0.8)
        axes.set_xlabel("epoch")
        axes.set_ylabel(name)
        axes.legend()
        figure.savefig(folder / f"{name}.png")
