"""The figures of a model on the console."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from data.console import console
from tuner.analysis.ensemble import Ensemble

_FIGURES = ("acc", "balanced_accuracy", "f1", "average_precision")


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def show_ensemble(ensemble: Ensemble, metric: str) -> None:
    """Print which models predict together, and what that gains on the valid split."""
    word = "model" if len(ensemble.members) == 1 else "models"
    console.print(
        f"\nensemble: {word} {ensemble.name}; {metric} {ensemble.value:.4f} "
        f"(the best alone {ensemble.alone:.4f})"
    )


def show_results(results: dict[str, Any], folder: Path) -> None:
    """Print the figures of each split, how sure they are, and where the files are."""
    unit = results["unit"]
    # An earlier version, whose figures these may be, knew one task.
    by_class = "f1_by_class" if results.get("task") == "multilabel" else "recall"
    last = {"f1_by_class": "F1", "recall": "recall"}[by_class]
    names = ("split", f"{unit}s", "accuracy", "balanced", "macro-F1", "avg. precision", last)
    table = Table(*names, box=None, pad_edge=False)
    for split, key in (("train", "train"), ("valid", "val"), ("test", "test")):
        if results[f"fit_{key}_acc"] is None:
            continue
        of_each = results[f"fit_{key}_{by_class}"].items()
        each = ", ".join(f"{k} {v:.3f}" for k, v in of_each if v is not None)
        table.add_row(
            split,
            str(results[f"data_total_rows_{split}"]),
            *(_figure(results[f"fit_{key}_{name}"]) for name in _FIGURES),
            each,
        )
    console.print()
    console.print(table)
    if folds := results.get("folds"):
        done = len(folds["epochs"])
        console.print(
            f"valid are all videos of {done} {'fold' if done == 1 else 'folds'}, each predicted by what "
            "was not trained on it"
        )
    split = "valid" if results["fit_test_acc"] is None else "test"
    console.print(
        f"\n{split} split by frames and by videos, with 95 % intervals (bootstrap over videos):"
    )
    console.print(_by_unit(results["by_unit"], split))
    key = "val" if split == "valid" else "test"
    before, after = (results[f"fit_{key}_calibration_error{end}"] for end in ("_before", ""))
    console.print(
        f"probabilities are calibrated on the valid split, at temperature {results['temperature']:.2f}: "
        f"their error on the {split} split is {after:.3f}, and was {before:.3f}"
    )
    if results["fit_test_acc"] is not None:
        console.print(f"test accuracy {results['fit_test_acc']:.4f}")
    console.print(
        f"files: {folder} (video_predictions.csv, frame_predictions.csv, results.json, ...)"
    )


def _by_unit(by_unit: Mapping[str, Any], split: str) -> Table:
    table = Table("", "", "accuracy", "balanced", "macro-F1", box=None, pad_edge=False)
    for unit, splits in by_unit.items():
        if figures := splits.get(split):
            cells = [
                f"{figures[name]:.3f}{_interval(figures['intervals'][name])}"
                for name in ("acc", "balanced_accuracy", "f1")
            ]
            table.add_row(f"{unit}s", str(figures["rows"]), *cells)
    return table


def _interval(ends: Sequence[float] | None) -> str:
    return " (one video)" if ends is None else f" ({ends[0]:.3f} to {ends[1]:.3f})"
