"""One YAML file to one validated object; every mistake of the file is reported at once."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from models.config import ModelConfig

METRICS: dict[str, Literal["maximize", "minimize"]] = {
    "valid_f1": "maximize",
    "valid_accuracy": "maximize",
    "valid_loss": "minimize",
}


class ConfigError(ValueError):
    """What is wrong with a configuration, each problem a sentence that starts with its key."""

    def __init__(self, source: str, problems: Sequence[str]) -> None:
        self.source, self.problems = source, list(problems)
        super().__init__(f"{source}: " + "; ".join(problems))


def _seconds(value: Any) -> Any:
    """``90``, ``"90s"``, ``"45m"``, ``"1h30m"`` or ``"2d"`` in seconds."""
    if not isinstance(value, str):
        return value
    found = re.fullmatch(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?", value.replace(" ", ""))
    if not value or not found:
        raise ValueError(f"{value!r} is no time; write seconds, or as 45m, 1h30m, 2d")
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


Seconds = Annotated[float, BeforeValidator(_seconds)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SplitsConfig(_Section):
    """Names of the videos to validate and test on, or shares of the frames to draw, by video."""

    valid: list[str] | float = 0.15
    test: list[str] | float = 0.15
    seed: int = 0

    @field_validator("valid", "test")
    @classmethod
    def _share(cls, value: list[str] | float) -> list[str] | float:
        if isinstance(value, float) and not 0 <= value < 1:
            raise ValueError(f"is a share of the frames, from 0 to 1, not {value:g}")
        return value


class DataConfig(_Section):
    videos: str = "sample"
    labels: str | None = None
    fps: float | None = Field(default=None, gt=0)
    splits: SplitsConfig | None = None
    cache_limit_gb: float | None = Field(default=100, gt=0)

    @model_validator(mode="after")
    def _labels_given(self) -> Self:
        if self.videos != "sample" and self.labels is None:
            raise ValueError("data.labels is missing: the file that says what each video shows")
        if self.videos == "sample" and self.labels is not None:
            raise ValueError("data.videos is missing: the folder of the videos that are labelled")
        return self

    @property
    def limit_bytes(self) -> int | None:
        return None if self.cache_limit_gb is None else int(self.cache_limit_gb * 1e9)


class FixedModel(ModelConfig):
    """Values of some model parameters; rules between them wait until the space gave the others."""

    architecture: str | None = None  # type: ignore[assignment]

    @field_validator("architecture")
    @classmethod
    def _canonical_architecture(cls, value: str | None) -> str | None:  # type: ignore[override]
        return None if value is None else super()._canonical_architecture(value)

    @model_validator(mode="wrap")
    @classmethod
    def _all_errors_at_once(cls, data: Any, handler: Any) -> Any:
        return handler(data)


class TrainingConfig(_Section):
    """Rounds at falling learning rates, each from the best weights so far, each stopped early."""

    learning_rate: float = Field(default=1e-3, gt=0)
    learning_rate_decay: float = Field(default=0.1, gt=0, le=1)
    rounds: int = Field(default=3, ge=1)
    epochs: int = Field(default=20, ge=1)
    patience: int = Field(default=3, ge=1)
    batch_size: int = Field(default=32, ge=1)
    weight_decay: float = Field(default=0.0, ge=0)
    class_weights: Literal["balanced", "none"] = "balanced"

    @property
    def max_epochs(self) -> int:
        return self.rounds * self.epochs


class SearchConfig(_Section):
    trials: int | None = Field(default=24, ge=1)
    sampler: Literal["tpe", "random", "grid"] = "tpe"
    startup_trials: int = Field(default=10, ge=1)
    scheduler: Literal["asha", "none"] = "asha"
    grace_period: int = Field(default=3, ge=1)
    reduction_factor: float = Field(default=3, gt=1)
    metric: Literal["valid_f1", "valid_accuracy", "valid_loss"] = "valid_f1"
    seed: int = 0
    time_budget: Seconds | None = Field(default=None, gt=0)
    retries: int = Field(default=1, ge=0)
    keep_models: int = Field(default=5, ge=1)

    @property
    def direction(self) -> Literal["maximize", "minimize"]:
        return METRICS[self.metric]


class ResourcesConfig(_Section):
    """What one trial gets; how many run at once follows from it."""

    cpus: float = Field(default=1, gt=0)
    gpus: float = Field(default=0, ge=0)


class Domain(_Section):
    """The values that a parameter may take, and for which earlier choices."""

    choices: list[Any] | None = None
    low: float | None = None
    high: float | None = None
    step: float | None = Field(default=None, gt=0)
    log: bool = False
    when: dict[str, list[Any]] = Field(default_factory=dict)

    @field_validator("when", mode="before")
    @classmethod
    def _lists(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {k: v if isinstance(v, list) else [v] for k, v in value.items()}

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        ranged = self.low is not None or self.high is not None
        if (self.choices is not None) == ranged:
            raise ValueError("needs either choices: [...] or low: and high:")
        if self.choices is not None and not self.choices:
            raise ValueError("has no choices")
        if ranged:
            if self.low is None or self.high is None:
                raise ValueError("needs both low: and high:")
            if self.low > self.high:
                raise ValueError(f"is upside down: low {self.low:g} is above high {self.high:g}")
            if self.log and self.low <= 0:
                raise ValueError(f"low must be above 0 on a log scale, not {self.low:g}")
            if self.log and self.step:
                raise ValueError("can't have both step: and log:")
        return self


PARAMETERS: dict[str, type[BaseModel]] = {
    **dict.fromkeys(FixedModel.model_fields, FixedModel),
    **dict.fromkeys(TrainingConfig.model_fields, TrainingConfig),
}


def _alternatives(value: Any) -> list[Any]:
    """The ways to write a parameter's domain, as a list of mappings."""
    if isinstance(value, dict):
        return [value]
    if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        return value
    return [{"choices": value if isinstance(value, list) else [value]}]


class Config(_Section):
    """Everything that a search needs to know."""

    name: str = Field(pattern=r"^[\w][\w.\- ]*$")
    data: DataConfig = DataConfig()
    model: FixedModel = FixedModel()
    training: TrainingConfig = TrainingConfig()
    space: dict[str, list[Domain]] = Field(default_factory=dict)
    search: SearchConfig = SearchConfig()
    resources: ResourcesConfig = ResourcesConfig()
    results: str | None = None
    storage: str = "runs"

    @field_validator("space", mode="before")
    @classmethod
    def _check_space(cls, value: Any) -> Any:
        """Every domain of every parameter, so that all that is wrong with the space is said at once."""
        if not isinstance(value, dict):
            return value
        problems: list[str] = []
        space: dict[str, list[Domain]] = {}
        for name, written in value.items():
            if name not in PARAMETERS:
                problems.append(f"space.{name}: unknown parameter{_nearest(name, PARAMETERS)}")
                continue
            space[name] = []
            for item in _alternatives(written):
                try:
                    domain = Domain.model_validate(item)
                except ValidationError as error:
                    problems += [f"space.{name}{text}" for text in _problems(error, Domain)]
                else:
                    space[name].append(_check_domain(name, domain, problems))
        if problems:
            raise ValueError("\n".join(problems))
        return space

    @property
    def folder(self) -> Path:
        """Where this search keeps its models and lists."""
        return Path(self.storage).expanduser().absolute() / self.name

    @property
    def results_url(self) -> str:
        if self.results is not None:
            return self.results
        return default_results_url(self.storage)


def default_results_url(storage: str = "runs") -> str:
    return f"sqlite:///{Path(storage).expanduser().absolute() / 'results.db'}"


def _check_domain(name: str, domain: Domain, problems: list[str]) -> Domain:
    """`domain` with its values in canonical form; what is wrong with them goes to `problems`."""
    update: dict[str, Any] = {}
    if domain.choices is not None:
        update["choices"] = [
            _check_value(name, v, f"space.{name}", problems) for v in domain.choices
        ]
    else:
        assert domain.low is not None and domain.high is not None  # says Domain._one_kind
        kind = PARAMETERS[name].model_fields[name].annotation
        if kind not in (int, float):
            problems.append(f"space.{name}: a range is for numbers; list its choices: [...]")
        elif kind is int:
            for bound in (domain.low, domain.high, domain.step or 1):
                if bound != int(bound):
                    problems.append(f"space.{name}: takes whole numbers, not {bound:g}")
        if kind in (int, float):
            for bound in (domain.low, domain.high):
                value = int(bound) if kind is int and bound == int(bound) else bound
                _check_value(name, value, f"space.{name}", problems)
    when = {}
    for other, values in domain.when.items():
        where = f"space.{name}.when.{other}"
        if other not in PARAMETERS:
            problems.append(f"{where}: unknown parameter{_nearest(other, PARAMETERS)}")
            continue
        names = list(PARAMETERS)
        if names.index(other) >= names.index(name):
            problems.append(f"{where}: {name} is chosen before {other}; turn the condition round")
        when[other] = [_check_value(other, value, where, problems) for value in values]
    return domain.model_copy(update={**update, "when": when})


def _check_value(name: str, value: Any, where: str, problems: list[str]) -> Any:
    try:
        return getattr(PARAMETERS[name].model_validate({name: value}), name)
    except ValidationError as error:
        problems += [f"{where}: {_message(detail)}" for detail in error.errors()]
        return value


def _nearest(word: str, known: Any) -> str:
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f" (did you mean '{close[0]}'?)" if close else f"; known are {', '.join(known)}"


def _message(detail: Any) -> str:
    if detail["type"] == "value_error":
        return str(detail["ctx"]["error"])
    if detail["type"] == "missing":
        return "is missing"
    text = detail["msg"][:1].lower() + detail["msg"][1:]
    return f"{text}, not {detail['input']!r}"


def _section_fields(root: type[BaseModel], location: Sequence[str]) -> list[str]:
    """Names that are known in the section at `location` below `root`."""
    section: Any = root
    for part in location:
        annotation = section.model_fields[part].annotation
        options = [annotation, *getattr(annotation, "__args__", [])]
        section = next(o for o in options if isinstance(o, type) and issubclass(o, BaseModel))
    return list(section.model_fields)


def _problems(error: ValidationError, root: type[BaseModel]) -> Iterator[str]:
    """A sentence a mistake, each beginning with the key below `root` (nothing for `root` itself)."""
    for detail in error.errors():
        # pydantic names the tried type of a union in the location; users know keys only.
        keys = [str(p) for p in detail["loc"] if not isinstance(p, int) and p not in _UNION_TAGS]
        if detail["type"] == "extra_forbidden":
            known = _section_fields(root, keys[:-1])
            yield f"{'.'.join(keys)}: unknown key{_nearest(keys[-1], known)}"
        elif keys == ["space"] and detail["type"] == "value_error":
            yield from str(detail["ctx"]["error"]).split("\n")
        elif root is Config:
            yield f"{'.'.join(keys)}: {_message(detail)}"
        else:
            yield "".join(f".{key}" for key in keys) + f": {_message(detail)}"


_UNION_TAGS = {"list[str]", "float"}


class _UniqueKeys(yaml.SafeLoader):
    """A key given twice is a mistake; YAML would silently take the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                line = node.start_mark.line + 1
                raise yaml.YAMLError(f"key '{key}' is there twice in the section at line {line}")
        return super().construct_mapping(node, deep)


def load(path: Path, overrides: Sequence[str] = ()) -> Config:
    """Read a YAML file and apply ``key=value`` overrides (keys dotted, values YAML).

    Raises:
        ConfigError: everything that is wrong with it, at once.
    """
    try:
        tree = yaml.load(path.read_text(encoding="utf-8"), _UniqueKeys)
    except OSError as error:
        hint = _nearest(
            path.name, [p.name for p in path.parent.glob("*.yaml")] or ["no YAML there"]
        )
        raise ConfigError(str(path), [f"can't be read: {error.strerror}{hint}"]) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(str(path), [f"is not valid YAML: {error}"]) from error
    if not isinstance(tree, dict):
        raise ConfigError(str(path), ["is not a mapping of keys such as name:, data:, space:"])
    problems = []
    for override in overrides:
        problems += _override(tree, override)
    if problems:
        raise ConfigError(str(path), problems)
    return parse(tree, str(path))


def parse(tree: dict[str, Any], source: str) -> Config:
    """Validate what was read.

    Raises:
        ConfigError: everything that is wrong with it, at once.
    """
    try:
        return Config.model_validate(tree)
    except ValidationError as error:
        raise ConfigError(source, list(dict.fromkeys(_problems(error, Config)))) from error


def _override(tree: dict[str, Any], override: str) -> list[str]:
    key, equals, text = override.partition("=")
    if not equals or not key.strip():
        return [f"--set {override}: write it as key=value, as in --set search.trials=40"]
    try:
        value = yaml.load(text, _UniqueKeys)
    except yaml.YAMLError:
        value = text
    *sections, last = key.strip().split(".")
    node = tree
    for section in sections:
        if node.get(section) is None:
            node[section] = {}
        node = node[section]
        if not isinstance(node, dict):
            return [f"--set {override}: '{section}' is a value, it has no keys below it"]
    node[last] = value
    return []


def absolute(config: Config) -> Config:
    """`config` with paths that mean the same from any folder, as the results store keeps it."""
    data = config.data
    if data.videos != "sample":
        paths = {"videos": data.videos, "labels": data.labels}
        resolved = {k: str(Path(v).expanduser().absolute()) for k, v in paths.items() if v}
        data = data.model_copy(update=resolved)
    model = config.model
    if model.model_weights_path:
        path = str(Path(model.model_weights_path).expanduser().absolute())
        model = model.model_copy(update={"model_weights_path": path})
    storage = os.fspath(Path(config.storage).expanduser().absolute())
    return config.model_copy(update={"data": data, "model": model, "storage": storage})
