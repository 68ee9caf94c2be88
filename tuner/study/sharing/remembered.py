"""What models take of a card, kept in the cache folder, so that each is measured once."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import torch

from data.files.store import default_folder, make_key
from data.files.whole import replacing
from tuner.config.parameters import Params, shaping
from tuner.training.speed import Card, Load

_VERSION = 1  # to be raised when trainings come to take other memory or time
# Beside the model's own shape.
_DECIDES = (
    *("batch_size", "accumulate", "optimizer", "ema", "precision", "gradient_clip"),
    *("flip", "rotation", "shift", "zoom", "colour"),
)
_WITHOUT = ("pretrained", "model_weights_path")  # whose weights they are makes no difference


def file_of(card: Card, params: Params, classes: int, cpus: float) -> Path:
    """Where it is kept: the name says all that decides it.

    Args:
        cpus: of a trial; with few, the card waits.
    """
    shape = [name for name in shaping("features", "network", "head") if name not in _WITHOUT]
    decides = [(name, params[name]) for name in (*shape, *_DECIDES)]
    key = make_key(_VERSION, *card, torch.__version__, classes, cpus, *decides)
    return default_folder() / "cards" / f"{key}.json"


def recall(file: Path) -> Load | None:
    """What was measured; None if it was not, or the file can't be read."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        load = Load(int(found["memory"]), float(found["busy"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return load if load.memory > 0 and 0 <= load.busy <= 1 else None


def remember(file: Path, card: Card, params: Params, load: Load) -> None:
    """Keep what was measured, if there is room and leave to."""
    told = {
        "card": card.name,
        "architecture": params["architecture"],
        "network": params["pretrained_model_name"],
        **load._asdict(),
    }
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        with replacing(file) as part:
            part.write_text(json.dumps(told), encoding="utf-8")
