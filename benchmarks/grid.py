"""How long the published grid takes: all 3,075 models, or every n-th of them, scaled to all.

    python -m benchmarks.grid VIDEOS LABELS.csv [--every 12]

Untrained backbones of the six kinds, from an empty cache: trained ones take the same work. A sample
takes every n-th model in the grid's order, so that each kind of model keeps its share.
"""

from __future__ import annotations

import argparse
import itertools
import os
import tempfile
import time
from pathlib import Path

from benchmarks.report import report
from data.console import output
from tuner import Config, search
from tuner.study.space.space import Space
from tuner.study.store.results import ResultsStore

GRID = Path(__file__).parents[1] / "configs" / "seals_grid.yaml"
MODELS = 3075


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("videos", type=Path)
    parser.add_argument("labels", type=Path)
    parser.add_argument("--every", type=int, default=12, help="1 runs all of them")
    args = parser.parse_args()
    enumerate_all = Space.enumerate
    Space.enumerate = lambda space: itertools.islice(enumerate_all(space), 0, None, args.every)  # type: ignore[method-assign]
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TUNER_CACHE"] = f"{folder}/cache"
        settings = {
            "data.videos": args.videos.absolute(),
            "data.labels": args.labels.absolute(),
            "model.pretrained": False,
            "search.probes": 0,
            "storage": f"{folder}/runs",
        }
        config = Config.load(GRID, settings)
        start = time.time()
        search(config, strict=True, output=output)
        end = time.time()
        records = ResultsStore.open(config.results_url, config.name).records()
    first = min(record.started for record in records if record.started).timestamp()
    last = max(record.ended for record in records if record.ended).timestamp()
    epochs = sum(len(record.epochs) for record in records)
    training = sum(record.results["seconds"] for record in records if record.results)
    ended = sum(record.state == "finished" for record in records)
    share = MODELS / len(records)
    minutes = ((first - start) + (last - first) * share + (end - last)) / 60
    figures = {
        "models": len(records),
        "finished": ended,
        "minutes of all 3,075": minutes,
        "seconds to the first trial": first - start,
        "seconds of the trials": last - first,
        "epochs": epochs,
        "seconds of training an epoch": training / epochs,
        "seconds a trial above its training": (2 * (last - first) - training) / len(records),
    }
    report("grid", {"minutes / 75": (minutes / 75, "below 1")}, figures)
    for name, value in figures.items():
        print(f"  {name}: {value:.3f}")


if __name__ == "__main__":
    main()
