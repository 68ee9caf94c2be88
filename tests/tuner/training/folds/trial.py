"""One trial by folds of the smallest kind, for the tests of this folder."""

from __future__ import annotations

from pathlib import Path

from data.files.storage import Storage
from models import ModelConfig
from tuner.config.parameters import TrainingConfig
from tuner.training.folds.run import FoldedRun, FoldSources

FOLDS = {"a1": 1, "a2": 2, "b1": 3}
GRU = {"architecture": "video_lrcnn_frozen", "sequence_model": "GRU", "sequence_length": 3}
PROBE = {"architecture": "linear_probe"}


def make(folder: Path, sources: FoldSources, kind: dict = GRU, **rest) -> FoldedRun:
    return FoldedRun(
        folder=folder / "7",
        config=ModelConfig(layer_1_size=8, frame_size=64, **kind),
        training_config=TrainingConfig(epochs=4, patience=4, rounds=1, learning_rate=0.03),
        sources=sources,
        metric="valid_f1",
        seed=3,
        params={},
        storage=Storage(folder),
        events=folder / "007 GRU",
        **rest,
    )


def ended(run: FoldedRun) -> FoldedRun:
    while not run.training.finished:
        run.step()
    run.close()
    return run
