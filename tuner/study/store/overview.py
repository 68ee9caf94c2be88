"""The searches of a results store, a row each."""

from __future__ import annotations

from typing import Any

from tuner.study.store.damage import reading
from tuner.study.store.database import open_existing, searches_in, without_password
from tuner.study.store.results import ResultsStore

SHOWN = ("finished", "pruned", "failed", "running", "stopped")  # states
OVERVIEW = ["search", "started", *SHOWN, "best", "metric", "value"]


def overview(url: str) -> list[dict[str, Any]]:
    """One row a search, the latest last, with the columns `OVERVIEW`.

    Raises:
        StoreError: there is no store, or it can't be read.
        ConfigError: this version doesn't understand the configuration of one.
    """
    rows = []
    with reading(without_password(url)):
        storage = open_existing(url)
        for name, started in searches_in(storage):
            store = ResultsStore.load(name, storage)
            counts, ranking = store.counts(), store.ranking(1)
            best = (ranking[0].number, ranking[0].value) if ranking else (None, None)
            metric = store.config.search.metric
            row = [name, started, *(counts[state] for state in SHOWN), best[0], metric, best[1]]
            rows.append(dict(zip(OVERVIEW, row, strict=True)))
    return rows
