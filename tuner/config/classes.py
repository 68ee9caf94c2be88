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
        base: of all such classes.
        words: short names, each of a class.
        example: of a class by its full name.
        unfit: classes of this kind that our searches can't use, and why.
    """

    name: str
    base: str
    words: Mapping[str, str]
    example: str
    unfit: Mapping[str, str] = field(default_factory=dict)

    def check(self, name: str) -> None:
        """Whether `name` is one at all; nothing is imported.

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
            ValueError: there is none of this name, or it is of another kind.
        """
        self.check(name)
        found = _attribute(self.words.get(name, name))
        if not issubclass(found, _attribute(self.base)):
            raise ValueError(f"'{name}' is no {self.name}: it has to be a {self.base}")
        for unfit, why in self.unfit.items():
            if issubclass(found, _attribute(unfit)):
                raise ValueError(f"'{name}' can't be used: {why}")
        return found

    def make(self, name: str, options: Mapping[str, Any], offers: Mapping[str, Any]) -> Any:
        """An instance.

        Args:
            options: keyword arguments that the user gives.
            offers: others, of which those are given that it takes and `options` leave open.

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
        except Exception as error:  # a class of anybody's
            raise ValueError(f"{name} can't be made: {type(error).__name__}: {error}") from error


def _attribute(path: str) -> type[Any]:
    """The class that ``module:Class`` is."""
    module_name, _, name = path.partition(":")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # whatever a module does when it is imported
        raise ValueError(
            f"'{path}': {module_name} can't be imported ({type(error).__name__}: {error}): "
            "install it, or put its folder on PYTHONPATH"
        ) from error
    found = getattr(module, name, None)
    if not isinstance(found, type):
        classes = [n for n, value in vars(module).items() if isinstance(value, type)]
        known = hint(name, classes) if classes else ""
        raise ValueError(f"'{path}': {module_name} has no class {name}{known}")
    return found


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
        "ray.tune.schedulers:PopulationBasedTraining": "it changes a trial's parameters on the way, "
        "and the results store has one set of them a trial"
    },
)
