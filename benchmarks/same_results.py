"""Whether the same trials come out the same with cold and warm stores, and with one worker and two.

    python -m benchmarks.same_results [--trials 12]

Three searches over the sample with the same random parameters, each a whole process: cold and warm on
all cores, and cold again with one worker. The values of all epochs of all trials are compared.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.report import report

ROOT = Path(__file__).parents[1]
SETTINGS = (
    "search.scheduler=none",
    "search.sampler=random",
    "training.rounds=1",
    "training.epochs=5",
    "search.probes=2",
)


def search(folder: str, name: str, cache: str, trials: int, *more: str) -> list[tuple]:
    """Parameters and values of every epoch, by trial; and the workers that trained."""
    from tuner.study.store.results import ResultsStore

    command = [sys.executable, "-m", "tuner.search", "configs/seals.yaml"]
    settings = [
        *SETTINGS,
        f"name={name}",
        f"storage={folder}/runs",
        f"search.trials={trials}",
        *more,
    ]
    command += [word for setting in settings for word in ("--set", setting)]
    variables = {**os.environ, "TUNER_CACHE": f"{folder}/{cache}"}
    subprocess.run(command, check=True, cwd=ROOT, env=variables)
    records = ResultsStore.open(f"sqlite:///{folder}/runs/results.db", name).records()
    workers = {record.results["worker"] for record in records}
    print(f"{name}: {len(workers)} workers")
    return [(record.number, record.params, record.epochs) for record in records]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--trials", type=int, default=12)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        cold = search(folder, "cold", "cache", args.trials)
        warm = search(folder, "warm", "cache", args.trials)
        # The same files: a sample drawn anew is not encoded to the same bits each time.
        sample = f"{folder}/cache/sample"
        same = (
            "resources.trials_at_once=1",
            f"data.videos={sample}",
            f"data.labels={sample}/labels.csv",
        )
        alone = search(folder, "alone", "another", args.trials, *same)
    equal = {
        "warm": sum(a == b for a, b in zip(cold, warm, strict=True)),
        "one worker": sum(a == b for a, b in zip(cold, alone, strict=True)),
    }
    report(
        "same_results",
        {f"trials as cold, {name}": (count / args.trials, "1") for name, count in equal.items()},
        {"trials": args.trials},
    )


if __name__ == "__main__":
    main()
