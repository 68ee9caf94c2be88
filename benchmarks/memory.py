"""Whether memory stays flat over a long search: that of the driver and of its workers.

    python -m benchmarks.memory [--trials 1000]

A search of many trials of one epoch each over the sample; resident memory is read as trial 200 and
the last one end.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import psutil
from ray.tune import Callback

from benchmarks.report import report
from data.console import console, output
from tuner import Config
from tuner.preparation.compute import features
from tuner.preparation.one_machine import prepare
from tuner.runtime.session import RaySession
from tuner.study.space.checks import check, searched_models
from tuner.study.store.results import ResultsStore
from tuner.study.tune import run_trials

CONFIG = Path(__file__).parents[1] / "configs" / "seals.yaml"
SMALL = ("space.sequence_length=[5]", "space.layer_1_size=[32]", "training.rounds=1")
SHORT = ("training.epochs=1", "search.scheduler=none", "search.sampler=random", "search.probes=0")


class Watch(Callback):
    """Reads the memory when some trials have ended."""

    def __init__(self, at: tuple[int, ...]) -> None:
        self.at, self.ended = at, 0
        self.read: dict[int, dict[str, float]] = {}

    def on_trial_complete(self, iteration: int, trials: list, trial: Any, **info: Any) -> None:
        self.ended += 1
        if self.ended in self.at:
            driver = psutil.Process()
            workers = [p for p in psutil.process_iter(["name"]) if "ray::" in p.info["name"]]
            largest = max((p.memory_info().rss for p in workers), default=0)
            self.read[self.ended] = {
                "driver": driver.memory_info().rss / 1e6,
                "largest worker": largest / 1e6,
            }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--trials", type=int, default=1000)
    args = parser.parse_args()
    watch = Watch((min(200, args.trials // 5), args.trials))
    with tempfile.TemporaryDirectory() as folder, RaySession() as session:
        overrides = [f"storage={folder}", f"search.trials={args.trials}", *SMALL, *SHORT]
        config = Config.load(CONFIG, overrides)
        space = check(config)
        store = ResultsStore.create(config, resume=False)
        models = searched_models(space)
        dataset = prepare(config.data, models, config.folder, output)
        features(config.data, models, dataset.videos.values(), output)
        run_trials(config, space, dataset, store, console, session, callbacks=[watch])
    early, late = watch.read.values()
    report(
        "memory",
        {f"growth of the {name}": (late[name] / early[name], "below 1.05") for name in early},
        {
            f"{name} at trial {at}, MB": v
            for at, read in watch.read.items()
            for name, v in read.items()
        },
    )


if __name__ == "__main__":
    main()
