"""The conditional search space: which values a parameter may take, given those chosen before it.

Parameters are chosen in one order (`tuner.config.parameters.PARAMETERS`). At each, the YAML's domain
is looked up by its `when` and narrowed by the rules of the parameter's row (`models.rules.Row`), and a
value is chosen from what is left: by Optuna, or by exact enumeration. So every sampler sees the same
space, and no model that breaks a rule is proposed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

from models.config import ModelConfig, ModelParameters
from models.registry import ARCHITECTURES, REGISTRY
from tuner.config.load import Config
from tuner.config.messages import ConfigError
from tuner.config.parameters import PARAMETERS, ROWS, Domain, Params, TrainingConfig, number_kind
from tuner.study.space.domains import ends, fixed, keeping, only, same, values_of

COUNT_LIMIT = 1_000_000
_PROBLEMS = 5  # reported at most
_BRINGS = {
    name: [later for later, row in ROWS.items() if row.brought_by == name] for name in PARAMETERS
}
_LIMITED = {
    name for row in ROWS.values() for limit in row.limits for name in (row.name, *limit.reads)
}


class Suggests(Protocol):
    """The part of an Optuna trial that define-by-run needs."""

    def suggest_categorical(self, name: str, choices: list[Any]) -> Any: ...
    def suggest_int(self, name: str, low: int, high: int, *, step: int, log: bool) -> int: ...
    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None, log: bool
    ) -> float: ...


class Space:
    """The space of a configuration.

    Args:
        config: its `space`, `model` and `training` for the parameters that the space leaves fixed,
            and `data.unit`: only models of whole videos have `frames_per_video`.
    """

    def __init__(self, config: Config) -> None:
        self.space = config.space
        self.model, self.training = config.model, config.training
        self.whole_videos = config.data.unit == "video"

    def _section(self, name: str) -> ModelParameters | TrainingConfig:
        return self.training if PARAMETERS[name] is TrainingConfig else self.model

    def _written(self, name: str, params: Params) -> Domain:
        for domain in self.space.get(name, []):
            if all(params.get(other) in values for other, values in domain.when.items()):
                return domain
        return fixed(getattr(self._section(name), name))

    def domain(self, name: str, params: Params) -> Domain:
        """What `name` may be after the choices in `params`; without choices if nothing is possible."""
        domain, architecture = self._written(name, params), params.get("architecture")
        if architecture is None:
            return domain
        row = ROWS[name]
        if name == "frames_per_video":
            if not self.whole_videos:
                return fixed(None)
            domain = domain if self.says(name) else fixed(REGISTRY[architecture].places)
        if row.unused_after(params) or (row.of_architecture and not self.says(name)):
            return fixed(row.default_for(architecture))
        brings = _BRINGS[name]
        if not row.limits and not brings:
            return domain

        def allowed(value: Any) -> bool:
            return all(limit.allows(value, params) for limit in row.limits) and all(
                self._leaves(later, {**params, name: value}) for later in brings
            )

        return only(domain, allowed)

    def _leaves(self, later: str, params: Params) -> bool:
        """Whether the choices leave a value for a later parameter."""
        return self.domain(later, params).choices != []

    def says(self, name: str) -> bool:
        """Whether the configuration says anything about a parameter."""
        return name in self.space or name in self._section(name).model_fields_set

    def sample(self, trial: Suggests) -> Params:
        """Let an Optuna trial choose (define-by-run); returns every parameter of model and training."""
        params: Params = {}
        for name in PARAMETERS:
            params[name] = self._suggest(trial, name, self.domain(name, params))
        return params

    def _suggest(self, trial: Suggests, name: str, domain: Domain) -> Any:
        label = self._label(name, domain)
        if domain.choices is not None:
            if len(domain.choices) == 1:
                return domain.choices[0]
            if all(isinstance(v, (str, int, float, bool, type(None))) for v in domain.choices):
                return trial.suggest_categorical(label, domain.choices)
            # Optuna stores plain values only; frame sizes are pairs.
            by_text = {str(v): v for v in domain.choices}
            return by_text[trial.suggest_categorical(label, list(by_text))]
        assert domain.low is not None and domain.high is not None
        if number_kind(name) is int:
            low, high, step = int(domain.low), int(domain.high), int(domain.step or 1)
            return trial.suggest_int(label, low, high, step=step, log=domain.log)
        return trial.suggest_float(label, domain.low, domain.high, step=domain.step, log=domain.log)

    def _label(self, name: str, domain: Domain) -> str:
        """The parameter's name in the study.

        Optuna needs one distribution for each name, so a domain that a condition narrowed has its
        values in its name.
        """
        written = self.space.get(name, [])
        if len(written) <= 1 and written and same(domain, written[0]):
            return name
        widest = max(written, key=lambda d: len(d.choices or []), default=domain)
        if same(domain, widest):
            return name
        if domain.choices is not None:
            return f"{name}[{'|'.join(map(str, domain.choices))}]"
        return f"{name}[{domain.low:g}..{domain.high:g}]"

    def enumerate(self) -> Iterator[Params]:
        """Every distinct model once, in order.

        Raises:
            ConfigError: a range without a step has endlessly many values.
        """
        if endless := self.continuous():
            raise ConfigError(
                "space",
                [
                    f"space.{name}: a grid can't list a continuous range; give step: or choices:"
                    for name in endless
                ],
            )
        seen = set()
        for params in self._expand(list(PARAMETERS), {}, values_of):
            key = repr(params)
            if key not in seen:
                seen.add(key)
                yield params

    def _expand(
        self, names: list[str], params: Params, values: Callable[[str, Domain], list[Any]]
    ) -> Iterator[Params]:
        if not names:
            yield params
            return
        name, *rest = names
        for value in values(name, self.domain(name, params)):
            yield from self._expand(rest, {**params, name: value}, values)

    def continuous(self) -> list[str]:
        """Parameters that may take endlessly many values."""
        return [
            name
            for name, domains in self.space.items()
            if any(
                d.choices is None and d.step is None and number_kind(name) is not int
                for d in domains
            )
        ]

    def count(self) -> int | None:
        """How many distinct models there are; None if endlessly many or beyond `COUNT_LIMIT`."""
        if self.continuous():
            return None
        total = 0
        for _ in self.enumerate():
            total += 1
            if total > COUNT_LIMIT:
                return None
        return total

    def values(self, *names: str) -> list[tuple[Any, ...]]:
        """The distinct combinations of some parameters' values in the space, without their order.

        Only these, what they depend on, and the parameters of the rules are expanded.
        """
        combinations = dict.fromkeys(
            tuple(params[name] for name in names)
            for params in self._expand(self._deciding(names), {}, values_of)
        )
        return list(combinations)

    def _deciding(self, names: tuple[str, ...]) -> list[str]:
        """`names` and every parameter that a condition of theirs looks at, in order."""
        wanted = {"architecture", "sequence_length", *names}
        for name in reversed(list(PARAMETERS)):
            if name in wanted:
                wanted |= {o for domain in self.space.get(name, []) for o in domain.when}
        return [name for name in PARAMETERS if name in wanted]

    def problems(self) -> list[str]:
        """Choices that leave a later parameter without any value."""
        if None in [value for (value,) in self.values("architecture")]:
            return ["space.architecture: is missing; list the architectures to search, as in "
                    f"architecture: [{', '.join(ARCHITECTURES)}]"]  # fmt: skip
        problems: dict[str, None] = {}

        def descend(names: list[str], params: Params) -> None:
            if not names or len(problems) >= _PROBLEMS:
                return
            name, *rest = names
            domain = self.domain(name, params)
            if domain.choices == []:
                problems.setdefault(f"space.{name}: {self._none_left(name, params)}")
            for value in dict.fromkeys(map(_hashable, ends(domain))):
                descend(rest, {**params, name: value})

        descend(self._deciding(tuple(_LIMITED)), {})
        return list(problems)

    def _none_left(self, name: str, params: Params) -> str:
        """Why a parameter has no value left: the first limit that all of its written values break."""
        domain = self._written(name, params)
        for limit in ROWS[name].limits:
            domain = keeping(limit, domain, params)
            if domain.choices == []:
                return limit.none_left(params)
        # With each value that is left, a later parameter would have no value.
        brought = {**params, name: ends(domain)[0]}
        later = next(later for later in _BRINGS[name] if not self._leaves(later, brought))
        smallest = min(values_of(later, self._written(later, brought)))
        return (
            f"{', '.join(map(str, ends(domain)))} is the only choice, but its {later} ({smallest}) "
            f"{self._none_left(later, brought)}"
        )


def _hashable(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def resolve(params: Mapping[str, Any]) -> tuple[ModelConfig, TrainingConfig]:
    """The model and training configurations out of one trial's parameters."""
    model = {k: v for k, v in params.items() if k in ModelConfig.model_fields}
    training = {k: v for k, v in params.items() if k in TrainingConfig.model_fields}
    return ModelConfig.model_validate(model), TrainingConfig.model_validate(training)
