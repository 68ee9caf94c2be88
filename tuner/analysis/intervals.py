"""How sure a figure is: 95 % intervals by bootstrap over videos."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tuner.training.task import Task

DRAWS = 1000
FIGURES = {"acc": "accuracy", "f1": "f1", "balanced_accuracy": "balanced_accuracy"}


def intervals(rows: pd.DataFrame, task: Task) -> dict[str, list[float] | None]:
    """The 95 % interval of each of `FIGURES`, as ``[low, high]``; None if there is one video only.

    Whole videos are drawn with replacement, since frames of one video are nearly the same picture.

    Source: the percentile bootstrap of clusters; Davison and Hinkley, Bootstrap methods and their
    application, 1997, section 3.8.

    Args:
        rows: labelled frames or videos, with ``video, label, prediction``.
        task: says how right they are.
    """
    video = rows["video"].astype("category").cat.codes.to_numpy()
    count = int(video.max()) + 1
    if count == 1:
        return dict.fromkeys(FIGURES)
    each = task.tally(rows, video)
    drawn = np.random.default_rng(0).multinomial(count, np.full(count, 1 / count), size=DRAWS)
    matrices = np.tensordot(drawn, each, axes=1)
    found = pd.DataFrame([task.scores(tallied) for tallied in matrices])
    low, high = found.quantile([0.025, 0.975]).to_numpy()
    by_name = dict(zip(found.columns, zip(low, high, strict=True), strict=True))
    return {figure: [float(v) for v in by_name[name]] for figure, name in FIGURES.items()}
