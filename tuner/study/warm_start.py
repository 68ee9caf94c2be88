"""Which frozen model of a search a model that is fine-tuned takes its head from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from data.files.storage import Storage
from models.registry import REGISTRY
from tuner.config.parameters import ROWS, Params
from tuner.study.store.results import ResultsStore
from tuner.training.run import BEST


@dataclass(frozen=True)
class Source:
    """A finished model, and the file with its weights."""

    number: int
    path: Path


def best_frozen(store: ResultsStore, params: Params, storage: Storage) -> Source | None:
    """The best ended trial that is the frozen counterpart of `params`, if its weights are still kept.

    Args:
        storage: of the search's models.
    """
    twin = REGISTRY[params["architecture"]].frozen_twin
    equal = [name for name, row in ROWS.items() if row.shapes in ("features", "head")]
    for record in store.ranking():
        path = storage.folder / "models" / str(record.number) / BEST
        if record.params["architecture"] == twin and all(
            record.params.get(name) == params.get(name) for name in equal
        ):
            storage.fetch(path.parent)
            if path.exists():
                return Source(record.number, path)
    return None
