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
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tuner.analysis.model import load_model
    from tuner.api import open_results, search, train
    from tuner.config.load import Config

_HOME = str(Path(__file__).absolute().parents[1])


class _OwnPackages(MetaPathFinder):
    """Finds `data` and `models` beside this package.

    People have folders and files of these names where they work, and Python looks there first.
    """

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return PathFinder.find_spec(name, [_HOME]) if name in ("data", "models") else None


for _name in sys.modules.keys() & {"data", "models"}:
    _file = sys.modules[_name].__file__  # None: a folder without an __init__.py
    if _file is None or Path(_file).resolve().parents[1] != Path(_HOME).resolve():
        raise ImportError(
            f"{_name} is imported already, from {_file or 'another folder'}, and tuner has a package "
            "of this name: import tuner first, or give yours another name"
        )
sys.meta_path.insert(0, _OwnPackages())

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
