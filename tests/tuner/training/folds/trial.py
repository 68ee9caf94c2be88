"""One trial by folds of the smallest kind, for the tests of this folder."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from data.files.storage import Storage
from models import ModelConfig
from tuner.config.parameters import TrainingConfig
from tuner.training.folds.run import FoldedRun, FoldSources
from tuner.training.run import Run

FOLDS = {"a1": 1, "a2": 2, "b1": 3}
GRU = {"architecture": "video_lrcnn_frozen", "sequence_model": "GRU", "sequence_length": 3}
PROBE = {"architecture": "linear_probe"}


def of_a_trial(folder: Path, kind: dict, **training) -> dict:
    """What a trial's training is given, whatever it is validated on."""
    return {
        "folder": folder / "7",
        "config": ModelConfig(layer_1_size=8, frame_size=64, **kind),
        "training_config": TrainingConfig(rounds=1, precision="fp32", **training),
        "seed": 3,
        "params": {},
        "storage": Storage(folder),
        "events": folder / "007 GRU",
    }


def late_on_all(step: Callable) -> Callable:
    """`Run.step`, for which the time is over once train and valid are trained on together."""

    def late(run: Run):
        if run.folder.name == "refit":
            run.training.deadline = time.time() - 1
        return step(run)

    return late


def make(folder: Path, sources: FoldSources, kind: dict = GRU, **rest) -> FoldedRun:
    common = of_a_trial(folder, kind, epochs=4, patience=4, learning_rate=0.03)
    return FoldedRun(sources=sources, metric="valid_f1", **common, **rest)


def ended(run: FoldedRun) -> FoldedRun:
    while not run.training.finished:
        run.step()
    run.close()
    return run
