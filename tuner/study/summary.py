"""How a search ended, and where everything is."""

from __future__ import annotations

import os
import shlex

from data.console import console, duration
from tuner.config.load import Config, default_results_url
from tuner.study.space.describe import describe
from tuner.study.store.database import without_password


def summary(config: Config, store, seconds: float, unfinished: str) -> None:
    """Print how the search ended, and where everything is."""
    counts = store.counts()
    console.print(
        f"\nsearch '{config.name}': {counts['finished']} finished, {counts['pruned']} pruned, "
        f"{counts['failed']} failed, in {duration(seconds)}"
    )
    reasons: dict[str, list[int]] = {}
    for record in store.records():
        if record.state == "failed":
            reasons.setdefault(record.reason, []).append(record.number)
    for reason, numbers in reasons.items():
        console.print(f"  failed: {len(numbers)} (model {numbers[0]}...): {reason}")
    ranking, url = store.ranking(), without_password(config.results_url)
    if ranking:
        best = ranking[0]
        console.print(f"best: model {best.number}, {config.search.metric} {best.value:.3f}")
        console.print(f"  {describe(best.params)}")
    if unfinished:
        unfinished = unfinished.replace(config.results_url, url)
        console.print(f"stopped before its end; go on with:\n  {unfinished}")
    storage = config.storage_folder
    events = config.storage if storage.remote else os.path.relpath(config.storage)
    results = "" if config.results_url == default_results_url() else (
        f" --results {shlex.quote(url)}"
    )  # fmt: skip
    console.print(f"results: {url}\nmodels:  {storage.remote or storage.folder}/models")
    if not ranking:  # nothing to evaluate, nor a curve to look at
        return
    console.print(
        f"next:    python -m tuner.best{results} --search {shlex.quote(config.name)} --predict\n"
        f"         tensorboard --logdir {shlex.quote(events)}"
    )
