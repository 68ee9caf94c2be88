"""Which frozen model of a search a model that is fine-tuned takes its head from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from data.files.storage import Storage
from tuner.config.parameters import Params
from tuner.study.store.results import ResultsStore
from tuner.training.run import BEST

_HEAD = (
    *("sequence_length", "sequence_stride", "frame_size", "pretrained_model_name", "pretrained"),
    *("model_weights_path", "pooling", "sequence_model", "bidirectional", "sequence_model_layers"),
    *("layer_1_size", "layer_2_size", "layer_3_size", "convolution_kernel_size"),
)


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
    counterpart = str(params["architecture"]).replace("_trainable", "_frozen")
    for record in store.ranking():
        path = storage.folder / "models" / str(record.number) / BEST
        if record.params["architecture"] == counterpart and all(
            record.params.get(name) == params.get(name) for name in _HEAD
        ):
            storage.fetch(path.parent)
            if path.exists():
                return Source(record.number, path)
    return None
