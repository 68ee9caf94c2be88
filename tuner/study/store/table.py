"""The trials of a search as a table."""

from __future__ import annotations

import pandas as pd

from tuner.study.store.results import ResultsStore

_FIRST = ("model_id", "state", "value", "epochs", "best_epoch", "seconds", "started", "ended")


def trials_table(store: ResultsStore) -> pd.DataFrame:
    """One row a trial, by number.

    Returns:
        ``model_id, state, <metric>`` (at the best epoch, or over all folds), ``epochs`` (or folds),
        ``best_epoch`` (not of folds), ``seconds, started, ended, reason``, then a column a parameter.
    """
    rows = []
    for record in store.records():
        figures = record.results
        rows.append(
            {
                "model_id": record.number,
                "state": record.state,
                "value": record.value,
                "epochs": len(record.epochs),
                "best_epoch": figures.get("best_epoch"),
                "seconds": figures.get("seconds"),
                "started": record.started,
                "ended": record.ended,
                "reason": record.reason,
                **record.params,
            }
        )
    table = pd.DataFrame(rows, columns=None if rows else [*_FIRST, "reason"])
    return table.rename(columns={"value": store.config.search.metric})
