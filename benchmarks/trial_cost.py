"""What a trial costs above its training: start, set-up, reporting, checkpoints, bookkeeping.

A search of many short trials over the sample, all trained to their end. For each worker: the time from
the end of its first trial to the end of its last, minus the epochs of the trials in between, divided by
their number.
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from pathlib import Path

from benchmarks.report import report
from data.console import console, output
from tuner import Config
from tuner.preparation.one_machine import prepare
from tuner.runtime.session import RaySession
from tuner.study.space.checks import check, searched_models
from tuner.study.store.results import ResultsStore
from tuner.study.tune import run_trials

CONFIG = Path(__file__).parents[1] / "configs" / "seals.yaml"
# A space that stays as it was, so that figures of all times compare: with what the file has by now, more
# parameters and larger models, a trial cost a third more.
SPACE = {
    "model.backbone_stage": "last",
    "model.pooling": "max",
    "space.motion": "[none]",
    "space.relative": "[none]",
    "space.labelled_frame": "[last]",
    "space.sequence_length": "[20, 30]",
    "space.sequence_model": "[LSTM, GRU]",
}


def measure(trials: int, folder: str) -> dict[str, float]:
    """Seconds a trial: above its epochs, of training, of checkpoints; and workers that trained."""
    overrides = [f"storage={folder}", f"search.trials={trials}", "search.scheduler=none"]
    overrides += ["training.rounds=1", "training.epochs=4", "search.probes=0"]
    overrides += [f"{key}={value}" for key, value in SPACE.items()]
    config = Config.load(CONFIG, overrides)
    space = check(config)
    store = ResultsStore.create(config, resume=False)
    dataset = prepare(config.data, searched_models(space), config.folder, output)
    with RaySession() as session:
        run_trials(config, space, dataset, store, console, session)
    by_worker = defaultdict(list)
    for record in store.records():
        by_worker[record.results["worker"]].append(record)
    above, counted, training, checkpoints = 0.0, 0, 0.0, 0.0
    for records in by_worker.values():
        first, *rest = sorted(records, key=lambda record: record.ended)
        if rest:
            busy = sum(record.results["seconds"] for record in rest)
            above += (rest[-1].ended - first.ended).total_seconds() - busy
            checkpoints += sum(record.results["checkpoint_seconds"] for record in rest)
            counted += len(rest)
            training += busy
    return {
        "seconds": above / counted,
        "training_seconds": training / counted,
        "checkpoint_seconds": checkpoints / counted,
        "workers": len(by_worker),
        "trials": trials,
    }


def main(trials: int = 200) -> None:
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(trials, folder)
    cost, training = figures["seconds"], figures["training_seconds"]
    report(
        "trial_cost",
        {
            "cost of a trial / 0.1 s": (cost / 0.1, "below 1"),
            "cost of a trial / its training": (cost / training, "small"),
        },
        figures,
    )


if __name__ == "__main__":
    main()
