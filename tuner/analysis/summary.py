"""The figures of a model on the console."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.table import Table

from data.console import console

_FIGURES = ("acc", "balanced_accuracy", "f1", "average_precision")


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def show_results(results: dict[str, Any], folder: Path) -> None:
    """Print the figures of each split and where the files are."""
    names = ("split", "frames", "accuracy", "balanced", "macro-F1", "avg. precision", "recall")
    table = Table(*names, box=None, pad_edge=False)
    for split, key in (("train", "train"), ("valid", "val"), ("test", "test")):
        if results[f"fit_{key}_acc"] is None:
            continue
        recall = ", ".join(f"{k} {v:.3f}" for k, v in results[f"fit_{key}_recall"].items())
        table.add_row(
            split,
            str(results[f"data_total_rows_{split}"]),
            *(_figure(results[f"fit_{key}_{name}"]) for name in _FIGURES),
            recall,
        )
    console.print()
    console.print(table)
    if results["fit_test_acc"] is not None:
        console.print(f"test accuracy {results['fit_test_acc']:.4f}")
    console.print(f"files: {folder} (frame_predictions.csv, results.json, ...)")
