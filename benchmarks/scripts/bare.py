"""The bare loop of `benchmarks.peers`: Optuna alone, features in memory, two threads."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import optuna
import torch

from benchmarks.scripts.common import CELLS, Head, epoch, extract


def main(videos: str, labels: str, trials: list[dict], epochs: int) -> None:
    torch.set_num_threads(2)
    data = extract(Path(videos), Path(labels))

    def objective(trial: optuna.Trial) -> float:
        model = Head(
            trial.suggest_categorical("cell", list(CELLS)),
            trial.suggest_categorical("size", [256, 128]),
        )
        rate = trial.suggest_float("rate", 1e-4, 1e-2, log=True)
        optimizer = torch.optim.Adam(model.parameters(), lr=rate, fused=True)
        best = 0.0
        for step in range(epochs):
            best = max(best, epoch(model, optimizer, data))
            trial.report(best, step)
        return best

    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))
    for parameters in trials:
        study.enqueue_trial(parameters)
    study.optimize(objective, n_trials=len(trials))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], json.loads(sys.argv[3]), int(sys.argv[4]))
