"""Which of two results is better: the metrics that a search may select by."""

from __future__ import annotations

from typing import Literal

METRICS: dict[str, Literal["maximize", "minimize"]] = {
    "valid_f1": "maximize",
    "valid_accuracy": "maximize",
    "valid_loss": "minimize",
}
