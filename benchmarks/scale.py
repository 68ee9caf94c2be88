"""Whether controller and store keep up: many Ray nodes on this machine, and trials that only sleep.

    python -m benchmarks.scale [--trials 1000] [--workers 64]

All parts of a search are real, except that a trial sleeps for a second instead of training an epoch.
Like training on other machines, this takes no CPU of the controller's machine.
"""

from __future__ import annotations

import argparse
import logging
import os
import random
import tempfile
import time
from types import SimpleNamespace

import psutil
from ray import tune

from benchmarks.report import report
from data.console import console
from tuner.config.load import parse

EPOCHS = 9


class Sleeper(tune.Trainable):
    """A trial that takes a second an epoch and reports figures that rise."""

    def setup(self, config: dict) -> None:
        self.epoch, self.quality = 0, random.Random(config["model_id"]).random()

    def reset_config(self, new_config: dict) -> bool:
        self.setup(new_config)
        return True

    def step(self) -> dict:
        time.sleep(1)
        self.epoch += 1
        value = self.quality * (1 - 0.5**self.epoch)
        done = self.epoch == EPOCHS
        summary = {"epochs": self.epoch, "worker": os.getpid(), "best": {"valid_f1": value}}
        return {
            "epoch": self.epoch,
            "valid_f1": value,
            "best_value": value,
            "score": (value, value - 1),
            "finished": done,
            "done": done,
            # Not a Report: its module imports torch, and 64 workers would not fit into memory.
            "report": SimpleNamespace(epochs={self.epoch: value}, summary=summary),
        }

    def save_checkpoint(self, checkpoint_dir: str) -> dict:
        return {}

    def load_checkpoint(self, checkpoint: dict | None) -> None: ...


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=64)
    parser.add_argument("--nodes", type=int, default=4)
    args = parser.parse_args()
    from tuner.runtime.session import RaySession, environment
    from tuner.study.space.space import Space
    from tuner.study.store.results import ResultsStore
    from tuner.study.tune import run_trials

    environment()
    import ray
    from ray.cluster_utils import Cluster

    share = args.workers // args.nodes
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": share})
    for _ in range(args.nodes - 1):
        cluster.add_node(num_cpus=share)
    ray.init(cluster.address, log_to_driver=False, logging_level=logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        config = parse(
            {
                "name": "scale",
                "storage": folder,
                "training": {"rounds": 1, "epochs": EPOCHS},
                "space": {
                    "architecture": ["video_lrcnn_frozen"],
                    "sequence_model": ["LSTM", "GRU"],
                    "layer_1_size": [512, 256, 128],
                    "dropout": {"low": 0.0, "high": 0.5},
                    "learning_rate": {"low": 1e-4, "high": 1e-2, "log": True},
                },
                "search": {
                    "trials": args.trials,
                    "probes": 0,
                    "grace_period": 1,
                    "startup_trials": 64,
                },
            },
            "scale",
        )
        store = ResultsStore.create(config, resume=False)
        driver = psutil.Process()
        cpu, start = sum(driver.cpu_times()[:2]), time.perf_counter()
        with RaySession() as session:
            dataset = None  # nobody asks for it
            run_trials(
                config,
                Space(config),
                dataset,
                store,
                console,
                session,
                trainable=Sleeper,  # type: ignore[arg-type]
            )
        seconds = time.perf_counter() - start
        records = store.records()
        first = min(record.started for record in records if record.started)
        ends = sorted(record.ended for record in records if record.ended)
        epochs = sum(len(record.epochs) for record in records)
        # From the first trial's start to the last trial's end, all workers could have slept.
        span = (ends[-1] - first).total_seconds()
        figures = {
            "trials": len(records),
            "workers": args.workers,
            "epochs": epochs,
            "seconds": seconds,
            "seconds of the driver's CPU": sum(driver.cpu_times()[:2]) - cpu,
            "driver's memory, MB": driver.memory_info().rss / 1e6,
            "trials started a second": len(records) / span,
            "epochs recorded a second": epochs / span,
        }
        ratios = {
            "share of the workers' time that they slept, as they should": (
                epochs / (span * args.workers),
                "near 1",
            ),
        }
    report("scale", ratios, figures)
    for name, value in figures.items():
        print(f"  {name}: {value:.1f}")
    ray.shutdown()
    cluster.shutdown()


if __name__ == "__main__":
    main()
