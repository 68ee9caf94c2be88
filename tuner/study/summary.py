"""How a search ended, where everything is, and its best models."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from functools import partial
from statistics import mean, stdev
from typing import Any

from rich.table import Table

from data.console import console, duration
from models.registry import PROBE
from models.rules import Row
from tuner.config.load import Config, default_results_url
from tuner.config.parameters import ROWS
from tuner.study.space.describe import describe
from tuner.study.store.database import without_password
from tuner.study.store.record import STOPPED, TrialRecord
from tuner.study.store.results import COMMONEST, ResultsStore


def summary(config: Config, store: ResultsStore, seconds: float, unfinished: str) -> None:
    """Print how the search ended, and where everything is."""
    counts = store.counts()
    console.print(
        f"\nsearch '{config.name}': {counts['finished']} finished, {counts['pruned']} pruned, "
        f"{counts['failed']} failed, in {duration(seconds)}"
    )
    reasons: dict[tuple[str, str], list[int]] = {}
    for record in store.records():
        if record.state in ("failed", STOPPED) and record.reason:
            reasons.setdefault((record.state, record.reason), []).append(record.number)
    for (state, reason), numbers in reasons.items():
        console.print(f"  {state}: {len(numbers)} (model {numbers[0]}...): {reason}")
    ranking, url = store.ranking(), without_password(config.results_url)
    if ranking:
        best = ranking[0]
        console.print(f"best: model {best.number}, {config.search.metric} {best.value:.3f}")
        console.print(f"  {describe(best.params)}")
        if beside := _beside(store):
            console.print(f"  beside it: {beside}")
    whole = partial(console.print, soft_wrap=True)  # a command that is to be copied is one line
    if unfinished:
        unfinished = unfinished.replace(config.results_url, url)
        mend = "mend what stopped those models, and go on" if left(store) else "go on"
        whole(f"stopped before its end; {mend} with:\n  {unfinished}")
    storage = config.storage_folder
    events = config.storage if storage.remote else os.path.relpath(config.storage)
    results = "" if config.results_url == default_results_url() else (
        f" --results {shlex.quote(url)}"
    )  # fmt: skip
    whole(f"results: {url}\nmodels:  {storage.remote or storage.folder}/models")
    if not ranking:  # nothing to evaluate, nor a curve to look at
        return
    whole(
        f"next:    python -m tuner.best{results} --search {shlex.quote(config.name)} --predict\n"
        f"         tensorboard --logdir {shlex.quote(events)}"
    )


def left(store: ResultsStore) -> bool:
    """Whether trials have stopped for what they can't help, such as a full disk."""
    return any(record.state == STOPPED and record.reason for record in store.records())


def _beside(store: ResultsStore) -> str:
    """What the simplest ways would give: a linear probe, and always naming the commonest class."""
    parts = []
    probes = [r for r in store.ranking() if r.params.get("architecture") == PROBE]
    if probes:
        best = probes[0]
        # A probe has one epoch: it is pruned only between folds.
        of = ", pruned: not of all folds" if best.state == "pruned" else ""
        parts.append(f"the best linear probe {best.value:.3f} (model {best.number}{of})")
    if note := store.notes(COMMONEST).get(COMMONEST):
        parts.append(f"always naming '{note[0]}' {note[1]:.3f}")
    return "; ".join(parts)


def show_best(store: ResultsStore, chosen: TrialRecord) -> None:
    """Print the chosen model and the ten best."""
    counts = ", ".join(f"{count} {state}" for state, count in store.counts().items() if count)
    metric = store.config.search.metric
    console.print(f"search '{store.name}': {counts}")
    console.print(f"\nmodel {chosen.number} ({chosen.state}): {metric} {chosen.value:.4f}")
    space = store.config.space
    for name, value in chosen.params.items():
        row = ROWS.get(name, Row())  # an earlier version may have had others
        if (name in space or value != row.default) and not row.unused_after(chosen.params):
            console.print(
                f"  {name}: {value:.4g}" if isinstance(value, float) else f"  {name}: {value}"
            )
    console.print("  and the defaults of all others (params.json has them after --predict)")
    results = chosen.results
    if results:
        best = ", ".join(f"{k} {v:.4f}" for k, v in results["best"].items())
        console.print(
            f"validation, {_which(results)}: {best}\n"
            f"{results['model_param_count']:,} parameters trained in {results['seconds']:.0f} s"
        )
        if folds := results.get("folds"):
            console.print(_by_fold(metric, folds[metric]))
        if refit := results.get("refit"):
            console.print(_refit(refit))
    steps = f"{store.objective.step}s"
    table = Table("", "model", metric, steps, "state", "parameters", box=None, pad_edge=False)
    for place, record in enumerate(store.ranking(10), 1):
        epochs = str(record.results.get("epochs", ""))
        cells = [str(place), str(record.number), f"{record.value:.4f}", epochs, record.state]
        table.add_row(*cells, describe(record.params))
    console.print("\nthe ten best:")
    console.print(table)


def _which(results: Mapping[str, Any]) -> str:
    """What the figures of a trial are of."""
    if folds := results.get("folds"):
        return f"{results['epochs']} of {folds['of']} folds together"
    return f"epoch {results['best_epoch']} of {results['epochs']}"


def _refit(done: int | str) -> str:
    """What became of the training on train and valid."""
    if isinstance(done, int):
        return f"trained once more, {done} epochs on train and valid: that model answers for new videos"
    return f"not trained on train and valid: {done}"


def _by_fold(metric: str, values: Sequence[float]) -> str:
    each = ", ".join(f"{value:.3f}" for value in values)
    line = f"{metric} of each fold: {each}; mean {mean(values):.3f}"
    return line if len(values) == 1 else f"{line}, standard deviation {stdev(values):.3f}"
