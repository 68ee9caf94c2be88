"""The parameters of a model and its training: fixed for a search, or a domain to choose from."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from models.conditions import NO_TRAINED_BACKBONE, ONE_FRAME, over_clips, stored_features
from models.config import MODEL_ROWS, ModelParameters
from models.rules import Row, Unused, table
from tuner.config.messages import hint, message


class Section(BaseModel):
    """Part of a configuration: immutable, finite, and without keys that it doesn't know."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


# Choices after which training parameters make no difference.
NO_AUGMENTED_VIEWS = Unused(
    after=lambda params: stored_features(params) and params.get("views", 1) == 1
)
NO_VIEWS = Unused(after=lambda params: not stored_features(params))
ONE_FEATURE = Unused(after=lambda params: stored_features(params) and over_clips(params))
NO_ROUNDS = Unused(after=lambda params: params.get("schedule") == "cosine")
NOT_FOCAL = Unused(after=lambda params: params.get("loss") == "cross_entropy")


class TrainingConfig(Section):
    """How a model is trained.

    ``schedule: rounds`` trains in rounds at falling learning rates; each starts from the best weights so
    far and stops early. ``cosine`` trains for `epochs` epochs while the rate falls to zero. As in a
    model's configuration, a field says all that holds for its parameter.
    """

    learning_rate: float = Field(default=1e-3, gt=0)
    # None: a tenth of the head's
    backbone_learning_rate: Annotated[
        float | None, Field(gt=0), Row(unused=(NO_TRAINED_BACKBONE,))
    ] = None
    optimizer: Literal["adam", "adamw", "sgd"] = "adam"
    schedule: Literal["rounds", "cosine"] = "rounds"
    warmup_epochs: int = Field(default=0, ge=0)
    learning_rate_decay: Annotated[float, Field(gt=0, le=1), Row(unused=(NO_ROUNDS,))] = 0.1
    rounds: Annotated[int, Field(ge=1), Row(unused=(NO_ROUNDS,))] = 3
    epochs: int = Field(default=20, ge=1)
    # that an epoch trains on, drawn anew for each; None: all
    clips_per_epoch: int | None = Field(default=None, ge=1)
    patience: Annotated[int, Field(ge=1), Row(unused=(NO_ROUNDS,))] = 3
    batch_size: int = Field(default=32, ge=1)
    accumulate: int = Field(default=1, ge=1)  # batches whose gradients make up one step
    weight_decay: float = Field(default=0.0, ge=0)
    gradient_clip: float | None = Field(default=None, gt=0)  # the gradient's largest norm
    ema: float = Field(default=0.0, ge=0, lt=1)  # decay of the average of the weights; 0: none
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    sampling: Literal["shuffled", "balanced"] = "shuffled"
    class_weights: Literal["balanced", "none"] = "balanced"
    loss: Literal["cross_entropy", "focal"] = "cross_entropy"
    focal_gamma: Annotated[float, Field(ge=0), Row(unused=(NOT_FOCAL,))] = 2.0
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    # how often each frame is in the feature store: once as it is, then augmented
    views: Annotated[int, Field(ge=1), Row(unused=(NO_VIEWS,))] = 1
    flip: Annotated[bool, Row(unused=(NO_AUGMENTED_VIEWS,))] = False
    # degrees
    rotation: Annotated[float, Field(ge=0, le=180), Row(unused=(NO_AUGMENTED_VIEWS,))] = 0.0
    # share of height and width
    shift: Annotated[float, Field(ge=0, lt=1), Row(unused=(NO_AUGMENTED_VIEWS,))] = 0.0
    zoom: Annotated[float, Field(ge=0, lt=1), Row(unused=(NO_AUGMENTED_VIEWS,))] = 0.0
    colour: Annotated[float, Field(ge=0, lt=1), Row(unused=(NO_AUGMENTED_VIEWS,))] = 0.0
    # frames
    time_jitter: Annotated[int, Field(ge=0), Row(unused=(ONE_FRAME, ONE_FEATURE))] = 0
    frame_drop: Annotated[float, Field(ge=0, lt=1), Row(unused=(ONE_FRAME, ONE_FEATURE))] = 0.0
    # "best", or the file of a model whose head is taken over
    warm_start: Annotated[str | None, Row(unused=(NO_TRAINED_BACKBONE,))] = None

    @property
    def max_epochs(self) -> int:
        return self.rounds * self.epochs if self.schedule == "rounds" else self.epochs


_MOST_CHOICES = 1_000
_MOST_VALUES = 100_000  # of a range with steps


class Domain(Section):
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
        if self.choices is not None and len(self.choices) > _MOST_CHOICES:
            raise ValueError(
                f"has {len(self.choices):,} choices; at most {_MOST_CHOICES:,}: give low: and high:"
            )
        if ranged:
            if self.low is None or self.high is None:
                raise ValueError("needs both low: and high:")
            if self.low > self.high:
                raise ValueError(f"low {self.low:g} is above high {self.high:g}: exchange them")
            if self.log and self.low <= 0:
                raise ValueError(f"low must be above 0 on a log scale, not {self.low:g}")
            if self.log and self.step:
                raise ValueError("can't have both step: and log:")
        return self


Params = dict[str, Any]  # one trial's parameters: values by name
# The section that each parameter is written in, in the order in which they are chosen.
PARAMETERS: dict[str, type[BaseModel]] = {
    **dict.fromkeys(ModelParameters.model_fields, ModelParameters),
    **dict.fromkeys(TrainingConfig.model_fields, TrainingConfig),
}
ROWS: dict[str, Row] = {**MODEL_ROWS, **table(TrainingConfig.model_fields)}


def shaping(*parts: str) -> list[str]:
    """The parameters that shape one of these parts of a model (see `Row.shapes`)."""
    return [name for name, row in ROWS.items() if row.shapes in parts]


def number_kind(name: str) -> type[int] | type[float] | None:
    """int or float if a parameter takes such numbers, perhaps beside None; else None."""
    annotation = PARAMETERS[name].model_fields[name].annotation
    kinds = [kind for kind in get_args(annotation) or (annotation,) if kind is not type(None)]
    return kinds[0] if len(kinds) == 1 and kinds[0] in (int, float) else None


def alternatives(value: Any) -> list[Any]:
    """The ways to write a parameter's domain, as a list of mappings."""
    if isinstance(value, dict):
        return [value]
    if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        return value
    return [{"choices": value if isinstance(value, list) else [value]}]


def check_domain(name: str, domain: Domain, problems: list[str]) -> Domain:
    """`domain` with its values in canonical form; what is wrong with them goes to `problems`."""
    update: dict[str, Any] = {}
    if domain.choices is not None:
        update["choices"] = [
            _check_value(name, v, f"space.{name}", problems) for v in domain.choices
        ]
    else:
        assert domain.low is not None and domain.high is not None  # as Domain._one_kind has checked
        kind = number_kind(name)
        if kind is None:
            problems.append(f"space.{name}: a range is for numbers; list its choices: [...]")
        elif kind is int:
            for bound in (domain.low, domain.high, domain.step or 1):
                if bound != int(bound):
                    problems.append(f"space.{name}: takes whole numbers, not {bound:g}")
        if step := domain.step or (1 if kind is int else None):
            count = (domain.high - domain.low) / step + 1
            if count > _MOST_VALUES:
                shown = f"{count:,.0f}" if count < 1e15 else f"{count:.1e}"
                problems.append(
                    f"space.{name}: a range of {shown} {'whole ' if kind is int else ''}numbers; "
                    f"at most {_MOST_VALUES:,}: give nearer bounds, or {'a larger ' * (step != 1)}step:"
                )
        if kind is not None:
            for bound in (domain.low, domain.high):
                value = int(bound) if kind is int and bound == int(bound) else bound
                _check_value(name, value, f"space.{name}", problems)
    when = {}
    for other, values in domain.when.items():
        where = f"space.{name}.when.{other}"
        if other not in PARAMETERS:
            problems.append(f"{where}: unknown parameter{hint(other, PARAMETERS)}")
            continue
        names = list(PARAMETERS)
        if names.index(other) >= names.index(name):
            problems.append(
                f"{where}: {name} is chosen before {other}; write the condition under {other}"
            )
        when[other] = [_check_value(other, value, where, problems) for value in values]
    return domain.model_copy(update={**update, "when": when})


def _check_value(name: str, value: Any, where: str, problems: list[str]) -> Any:
    try:
        return getattr(PARAMETERS[name].model_validate({name: value}), name)
    except ValidationError as error:
        problems += [f"{where}: {message(detail)}" for detail in error.errors()]
        return value
