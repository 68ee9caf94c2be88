"""Finds the frozen model of a search from which a fine-tuned model takes its head."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data.files.storage import Storage
from models.registry import REGISTRY
from tuner.config.parameters import Params, shaping
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
        storage: where the search's models are.
    """
    twin = REGISTRY[params["architecture"]].frozen_twin
    names = shaping("features", "head")
    for record in store.ranking():
        path = storage.folder / "models" / str(record.number) / BEST
        if record.params["architecture"] == twin and all(
            _plain(record.params.get(name)) == _plain(params.get(name)) for name in names
        ):
            storage.fetch(path.parent)
            if path.exists():
                return Source(record.number, path)
    return None


def _plain(value: Any) -> Any:
    """A value as the store gives it: what was a pair in this run is a list in its JSON."""
    return list(value) if isinstance(value, tuple) else value
