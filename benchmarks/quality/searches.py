"""One search, and what its models say of the test videos."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

import tuner
from benchmarks.quality.sets import Case
from data.console import output
from tuner import Config
from tuner.analysis.ensemble import Ensemble
from tuner.api import evaluate
from tuner.kept import best_ensemble, with_weights
from tuner.runtime.session import RaySession
from tuner.study.store.results import ResultsStore

DRAWS = 2000
BLOCK = 20  # labelled frames that are drawn together where the test is one video


def tested(store: ResultsStore, ensemble: Ensemble, unit: str) -> pd.Series:
    """What models say of each labelled row of the test, by video and frame (0 of whole videos)."""
    folder = evaluate(store, ensemble, output=output).folder
    frames = pd.read_csv(folder / "frame_predictions.csv")
    videos = pd.read_csv(folder / "video_predictions.csv")
    table = videos.assign(frame=0) if unit == "video" else frames
    table = table[(table["split"] == "test") & table["label"].notna()]
    return table.set_index(["video", "frame", "label"])["prediction"]


def run(
    case: Case,
    folder: Path,
    name: str,
    session: RaySession,
    more: Mapping[str, Any] = MappingProxyType({}),
) -> pd.DataFrame:
    """Search, and test the models that were chosen, each looked at once; the table is kept beside them.

    Args:
        more: changes of the configuration's values, as of ``--set``.

    Returns:
        A row a labelled row of the test: ``video, frame, label, part``, and the predictions ``chosen``
        (what the file's ``search.ensemble`` gives), ``alone`` (the best model).
    """
    changes = {**case.changes, **more, "name": name, "storage": str(folder / "runs")}
    config = Config.load(case.config, changes)
    tuner.search(config, resume=True, output=output, session=session)
    kept = config.folder / "predictions.csv"
    if kept.exists():
        return pd.read_csv(kept)
    store = ResultsStore.open(config.results_url, name)
    best = Ensemble.of(with_weights(store, store.ranking()[:1]))
    columns = {
        "chosen": tested(
            store, best_ensemble(store, config.search.ensemble, output=output), case.unit
        ),
        "alone": tested(store, best, case.unit),
    }
    table = pd.DataFrame(columns).reset_index()
    table["part"] = table["video"].map(case.part)
    table.to_csv(kept, index=False)
    return table


def probed(case: Case, folder: Path, name: str, session: RaySession) -> pd.Series:
    """What the best linear probe says of the test: each is trained on all folds, and one is chosen.

    A search of its own, since the weights of a probe that others beat are not kept.
    """
    changes = {
        **case.changes,
        "name": name,
        "storage": str(folder / "runs"),
        "search.trials": 1,
        "search.scheduler": "none",
        "search.keep_models": 1000,
    }
    config = Config.load(case.config, changes)
    tuner.search(config, resume=True, output=output, session=session)
    store = ResultsStore.open(config.results_url, name)
    probes = [one for one in store.ranking() if one.params["architecture"] == "linear_probe"]
    return tested(store, Ensemble.of(with_weights(store, probes[:1])), case.unit)


def difference(table: pd.DataFrame, one: str, other: str) -> tuple[float, float, float]:
    """Accuracy of `one` less that of `other`, with its 95 % interval.

    Both are asked of the same rows, so videos are drawn with replacement and both are counted on what
    was drawn. Of one video, which is the same for every seed, blocks of frames that follow each other.

    Args:
        table: rows of `run` with the columns `one`, `other` and ``seed``.

    Source: the percentile bootstrap of clusters, as of `tuner.analysis.intervals`; of blocks, Künsch,
    The jackknife and the bootstrap for general stationary observations, 1989.
    """
    gain = (table[one] == table["label"]).astype(float) - (table[other] == table["label"])
    unit = table["seed"].astype(str) + table["video"]
    if table["video"].nunique() == 1:
        unit = table["frame"].rank(method="dense") // BLOCK
    each = gain.groupby(unit).agg(["sum", "size"]).to_numpy()
    drawn = np.random.default_rng(0).integers(0, len(each), (DRAWS, len(each)))
    sums = each[drawn].sum(axis=1)
    low, high = np.quantile(sums[:, 0] / sums[:, 1], [0.025, 0.975])
    return float(gain.mean()), float(low), float(high)
