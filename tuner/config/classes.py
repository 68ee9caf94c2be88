"""Samplers and schedulers by name: some by a word, any other class as ``module:Class``."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tuner.config.messages import hint


@dataclass(frozen=True)
class Kind:
    """What a key of the YAML may name.

    Attributes:
        name: of the key.
        base: the class that all of them derive from.
        words: the classes that have a short name, by this name.
        example: a class by its full name.
        unfit: classes of this kind that our searches can't use, and why.
    """

    name: str
    base: str
    words: Mapping[str, str]
    example: str
    unfit: Mapping[str, str] = field(default_factory=dict)

    def check(self, name: str) -> None:
        """Check how `name` is written; nothing is imported.

        Raises:
            ValueError: it is neither one of the words nor a module and a class.
        """
        module, _, attribute = name.partition(":")
        if name not in self.words and not (module and attribute):
            raise ValueError(
                f"unknown {self.name} '{name}'{hint(name, self.words)}, "
                f"or a class as module:Class, such as {self.example}"
            )

    def load(self, name: str) -> type[Any]:
        """The class.

        Raises:
            ValueError: there is no class of this name, or it is of another kind.
        """
        self.check(name)
        loaded = _attribute(self.words.get(name, name))
        if not issubclass(loaded, _attribute(self.base)):
            raise ValueError(f"'{name}' is not a {self.name}: it must derive from {self.base}")
        for unfit, why in self.unfit.items():
            if issubclass(loaded, _attribute(unfit)):
                raise ValueError(f"'{name}' can't be used: {why}")
        return loaded

    def make(self, name: str, options: Mapping[str, Any], offers: Mapping[str, Any]) -> Any:
        """An instance.

        Args:
            options: keyword arguments that the user gives.
            offers: further arguments; the class gets those that it takes and `options` does not set.

        Raises:
            ValueError: there is no such class, or it does not take the options.
        """
        made = self.load(name)
        parameters = inspect.signature(made).parameters.values()
        takes = [p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
        if not any(p.kind == p.VAR_KEYWORD for p in parameters):
            for option in options:
                if option not in takes:
                    raise ValueError(f"{name} takes no '{option}'{hint(option, takes)}")
        given = {key: value for key, value in offers.items() if key in takes}
        try:
            return made(**{**given, **options})
        except Exception as error:  # somebody else's class may raise anything
            raise ValueError(f"{name} can't be made: {type(error).__name__}: {error}") from error


def _attribute(path: str) -> type[Any]:
    """The class that ``module:Class`` names."""
    module_name, _, name = path.partition(":")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # a module may raise anything when it is imported
        raise ValueError(
            f"'{path}': {module_name} can't be imported ({type(error).__name__}: {error}): "
            "install it, or put its folder on PYTHONPATH"
        ) from error
    loaded = getattr(module, name, None)
    if not isinstance(loaded, type):
        classes = [n for n, value in vars(module).items() if isinstance(value, type)]
        known = hint(name, classes) if classes else ""
        raise ValueError(f"'{path}': {module_name} has no class {name}{known}")
    return loaded


SAMPLERS = Kind(
    "sampler",
    "optuna.samplers:BaseSampler",
    {
        "tpe": "tuner.study.sampler:TPE",
        "random": "optuna.samplers:RandomSampler",
        "grid": "optuna.samplers:RandomSampler",  # never asked: the grid is listed in order
    },
    example="optuna.samplers:CmaEsSampler",
)
SCHEDULERS = Kind(
    "scheduler",
    "ray.tune.schedulers:TrialScheduler",
    {
        "asha": "tuner.study.halving.schedule:ASHA",
        "none": "ray.tune.schedulers:FIFOScheduler",
    },
    example="ray.tune.schedulers:MedianStoppingRule",
    unfit={
        "ray.tune.schedulers:PopulationBasedTraining": "it changes a trial's parameters while the "
        "trial trains, and the results store keeps one set of parameters for each trial"
    },
)
