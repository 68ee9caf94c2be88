"""The conditional search space: which values a parameter may take, given those chosen before it.

Parameters are chosen in one order (`tuner.config.PARAMETERS`). At each, the YAML's domain is looked up
by its `when`, narrowed by the rules below, and a value is chosen from what is left: by Optuna, or by
exact enumeration. So every sampler sees the same space, and no model that breaks a rule is proposed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

from models.backbones.names import CLIP_SHAPES, DEFAULT_BACKBONES, SHORTEST_CLIPS, VIDEO_BACKBONES
from models.config import ModelConfig
from models.registry import ARCHITECTURES, REGISTRY
from tuner.config.load import Config
from tuner.config.messages import ConfigError
from tuner.config.parameters import (
    PARAMETERS,
    Domain,
    FixedModel,
    Params,
    TrainingConfig,
    number_kind,
)
from tuner.study.space.domains import fixed, only, same, values_of
from tuner.study.space.rules import sequence_layers, takes, unused_parameters

COUNT_LIMIT = 1_000_000


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
        config: its `space`, and `model` for the parameters that the space leaves fixed.
    """

    def __init__(self, config: Config) -> None:
        self.space = config.space
        self.model, self.training = config.model, config.training

    def _default(self, name: str) -> Any:
        return getattr(self.model if PARAMETERS[name] is FixedModel else self.training, name)

    def _written(self, name: str, params: Params) -> Domain:
        for domain in self.space.get(name, []):
            if all(params.get(other) in values for other, values in domain.when.items()):
                return domain
        return fixed(self._default(name))

    def domain(self, name: str, params: Params) -> Domain:
        """What `name` may be after the choices in `params`; no choices at all if none is possible."""
        domain = self._written(name, params)
        architecture = REGISTRY.get(params.get("architecture") or "")
        if architecture is None:
            return domain
        if name == "pretrained_model_name":
            return self._backbones(domain, params)
        if name in unused_parameters(params):
            return fixed(PARAMETERS[name].model_fields[name].default)
        length = params.get("sequence_length", 1)
        layers = sequence_layers(params)
        if name == "sequence_length":
            if architecture.single_frame:
                return fixed(1)
            if not self._says(name):
                return fixed(architecture.length)
        if name == "sequence_model":
            kernel = self._smallest_kernel(params)
            return only(
                domain, lambda v: v is not None and (v != "Convolution1D" or kernel <= length)
            )
        if name == "convolution_kernel_size":
            return only(domain, lambda v: v <= length)
        if name in ("layer_1_size", "layer_2_size", "layer_3_size"):
            number = int(name[6])
            if number > 1 and params[f"layer_{number - 1}_size"] == 0:
                return fixed(0)
            if number <= layers:
                return only(domain, lambda v: v > 0)
        return domain

    def _backbones(self, domain: Domain, params: Params) -> Domain:
        """Those of the architecture's kind that take clips as long."""
        kind, length = REGISTRY[params["architecture"]].backbone, params["sequence_length"]
        if kind is None or not self._says("pretrained_model_name"):
            return fixed(DEFAULT_BACKBONES[kind])
        if kind == "image":
            return only(domain, lambda v: v not in VIDEO_BACKBONES)

        def fits(name: Any) -> bool:
            frames, *size = CLIP_SHAPES.get(name, (length,))
            shortest, smallest = SHORTEST_CLIPS.get(name, (1, 1))
            given = params.get("frame_size")
            shape = not size or given in (None, tuple(size))
            return shape and length == frames >= shortest and min(given or (smallest,)) >= smallest

        return only(domain, lambda v: v in VIDEO_BACKBONES and fits(v))

    def _says(self, name: str) -> bool:
        """Whether the configuration says anything about a parameter."""
        section = self.model if PARAMETERS[name] is FixedModel else self.training
        return name in self.space or name in section.model_fields_set

    def _smallest_kernel(self, params: Params) -> int:
        domain = self._written(
            "convolution_kernel_size", {**params, "sequence_model": "Convolution1D"}
        )
        return int(min(domain.choices) if domain.choices else domain.low or 1)

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

        Optuna wants one distribution a name, so a domain that a condition narrowed has its values
        in its name.
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
            ConfigError: a range without a step has no end of values.
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
        """Choices that leave a later parameter without any value, or break a rule of the models."""
        deciding = self._deciding(
            ("sequence_model", "sequence_model_layers", "convolution_kernel_size")
            + ("layer_1_size", "layer_2_size", "layer_3_size", "pretrained_model_name")
        )
        found: dict[str, None] = {}
        if None in [value for (value,) in self.values("architecture")]:
            return ["space.architecture: is missing; list the architectures to search, as in "
                    f"architecture: [{', '.join(ARCHITECTURES)}]"]  # fmt: skip

        def ends(name: str, domain: Domain) -> list[Any]:
            return domain.choices if domain.choices is not None else [domain.low, domain.high]

        def descend(names: list[str], params: Params) -> None:
            if len(found) >= 5:
                return
            if not names:
                return
            name, *rest = names
            values = list(dict.fromkeys(map(_hashable, ends(name, self.domain(name, params)))))
            if not values:
                found.setdefault(self._no_value(name, params))
            no_backbone = REGISTRY[params.get("architecture", ARCHITECTURES[0])].backbone is None
            if name == "pretrained_model_name" and None in values and not no_backbone:
                found.setdefault(f"{name}: {params['architecture']} needs a backbone, not null")
            for value in values:
                descend(rest, {**params, name: value})

        descend(deciding, {})
        return [f"space.{text}" for text in found]

    def _no_value(self, name: str, params: Params) -> str:
        where = params["architecture"]
        if name == "sequence_model":
            if all(v is None for v in self._written(name, params).choices or []):
                return f"{name}: {where} needs one; add sequence_model: [LSTM, GRU] to the space"
            return (
                f"{name}: Convolution1D is the only choice, but its convolution_kernel_size "
                f"({self._smallest_kernel(params)}) exceeds sequence_length "
                f"({params['sequence_length']}); add others, or a longer sequence_length"
            )
        if name == "pretrained_model_name":
            return (
                f"{name}: none of the choices is for {where} with clips of "
                f"{params['sequence_length']} frames; it takes {takes(where)}"
            )
        if name == "convolution_kernel_size":
            return f"{name}: none is within sequence_length ({params['sequence_length']})"
        return (
            f"{name}: {where} with sequence_model_layers {params['sequence_model_layers']} needs "
            "a size above 0"
        )


def _hashable(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def resolve(params: Mapping[str, Any]) -> tuple[ModelConfig, TrainingConfig]:
    """The model and training configurations out of one trial's parameters."""
    model = {k: v for k, v in params.items() if k in ModelConfig.model_fields}
    training = {k: v for k, v in params.items() if k in TrainingConfig.model_fields}
    return ModelConfig.model_validate(model), TrainingConfig.model_validate(training)
