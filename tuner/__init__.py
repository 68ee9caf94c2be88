"""Videos and labels in, the best video classifier out.

    from tuner import Config, search, train, load_model, open_results

    config = Config.load("configs/seals.yaml", {"data.videos": "VIDEOS", "data.labels": "labels.csv"})
    result = search(config)
    table = load_model(result.best).predict("NEW_VIDEOS")

The same as commands: ``python -m tuner`` lists them. Importing this package costs little: Ray, Optuna
and PyTorch are imported when first needed.
"""

from __future__ import annotations

import logging
import sys
import warnings
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tuner.analysis.model import load_model
    from tuner.api import open_results, search, train
    from tuner.config.load import Config

# Folders named data and models in the working folder hide the packages of these names if these are
# not on the path, as after an editable install. Where they are, a package goes before a folder.
_HOME = str(Path(__file__).absolute().parents[1])
if _HOME not in sys.path:
    sys.path.append(_HOME)

__all__ = ["Config", "load_model", "open_results", "search", "train"]

_HOMES = {
    "Config": "tuner.config.load",
    "load_model": "tuner.analysis.model",
    **dict.fromkeys(("open_results", "search", "train"), "tuner.api"),
}


class _Package(ModuleType):
    """Keeps `search` and `train` as functions, also when the commands of these names are imported."""

    def __getattr__(self, name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        # Two libraries warn in notebooks that widgets are missing; none are used here.
        warnings.filterwarnings("ignore", "IProgress not found")
        logging.getLogger("ray.widgets").setLevel(logging.WARNING)
        return getattr(import_module(_HOMES[name]), name)

    def __setattr__(self, name: str, value: object) -> None:
        if not (name in _HOMES and isinstance(value, ModuleType)):
            super().__setattr__(name, value)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *__all__})


sys.modules[__name__].__class__ = _Package
