"""The peer of `benchmarks.peers` in which each trial extracts its features for itself, on Ray Tune."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from ray import tune
from ray.tune.search.optuna import OptunaSearch


def train(config: dict, fixed: dict) -> None:
    import torch

    from benchmarks.scripts.common import Head, epoch, extract

    torch.set_num_threads(1)
    data = extract(Path(fixed["videos"]), Path(fixed["labels"]))
    model = Head(config["cell"], config["size"])
    optimizer = torch.optim.Adam(model.parameters(), lr=config["rate"], fused=True)
    for _ in range(fixed["epochs"]):
        tune.report({"accuracy": epoch(model, optimizer, data)})


def main(videos: str, labels: str, trials: list[dict], epochs: int) -> None:
    space = {
        "cell": tune.choice(["LSTM", "GRU", "SimpleRNN"]),
        "size": tune.choice([256, 128]),
        "rate": tune.loguniform(1e-4, 1e-2),
    }
    fixed = {"videos": videos, "labels": labels, "epochs": epochs}
    with tempfile.TemporaryDirectory() as folder:
        tune.Tuner(
            tune.with_parameters(train, fixed=fixed),
            param_space=space,
            tune_config=tune.TuneConfig(
                search_alg=OptunaSearch(points_to_evaluate=trials),
                metric="accuracy",
                mode="max",
                num_samples=len(trials),
            ),
            run_config=tune.RunConfig(storage_path=folder, verbose=0),
        ).fit()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], json.loads(sys.argv[3]), int(sys.argv[4]))
