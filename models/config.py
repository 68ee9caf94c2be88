"""The parameters of a model, as written under ``model:`` in a YAML file, and their rules."""

from collections.abc import Iterator
from typing import Any, Literal, Self, cast

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from models import names

Size = tuple[int, int]
SequenceModel = Literal["LSTM", "SimpleRNN", "GRU", "Convolution1D"]


class ModelConfig(BaseModel):
    """What determines a model, apart from its classes. Names are matched whatever their case.

    Raises:
        pydantic.ValidationError: with one entry for every field that is wrong and for every
            rule that is broken, all together; each names the field it is about.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    architecture: str
    sequence_length: int = Field(default=1, ge=1)
    sequence_stride: int = Field(default=1, ge=1)  # frames from one of a clip to the next
    frame_size: Size | None = None  # height, width; None is the backbone's own
    pretrained_model_name: str | None = "efficientnet_lite0"
    pretrained: bool = True
    model_weights_path: str | None = None
    pooling: Literal["max", "avg"] = "max"
    sequence_model: SequenceModel | None = None
    sequence_model_layers: int = Field(default=1, ge=1, le=3)
    layer_1_size: int = Field(default=256, ge=0)
    layer_2_size: int = Field(default=0, ge=0)
    layer_3_size: int = Field(default=0, ge=0)
    dropout: float = Field(default=0.2, ge=0, lt=1)
    convolution_kernel_size: int = Field(default=3, ge=1)

    @property
    def layer_sizes(self) -> tuple[int, int, int]:
        """The three widths, zeros included."""
        return self.layer_1_size, self.layer_2_size, self.layer_3_size

    @field_validator("architecture")
    @classmethod
    def _canonical_architecture(cls, value: str) -> str:
        if name := names.match(value, names.REGISTRY):
            return name
        near = names.nearest(value, names.REGISTRY)
        raise ValueError(
            f"unknown architecture {value!r}.{near} Known are {', '.join(names.REGISTRY)}."
        )

    @field_validator("pretrained_model_name")
    @classmethod
    def _known_backbone(cls, value: str | None) -> str | None:
        return None if value is None else names.backbone_name(value)

    @field_validator("sequence_model", "pooling", mode="before")
    @classmethod
    def _any_case(cls, value: Any) -> Any:
        known = (*names.SEQUENCE_MODELS, "max", "avg")
        return (names.match(value, known) or value) if isinstance(value, str) else value

    @field_validator("frame_size", mode="before")
    @classmethod
    def _square(cls, value: Any) -> Any:
        return (value, value) if isinstance(value, int) and not isinstance(value, bool) else value

    @field_validator("frame_size")
    @classmethod
    def _positive(cls, value: Size | None) -> Size | None:
        if value is not None and min(value) < 1:
            raise ValueError(f"height and width must be at least 1, not {value[0]} and {value[1]}")
        return value

    @model_validator(mode="wrap")
    @classmethod
    def _all_errors_at_once(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Check the fields, then the rules between those that are right; raise all at once."""
        errors: list[InitErrorDetails] = []
        faulty: set[str] = set()
        try:
            model = handler(data)
        except ValidationError as error:
            errors = [cast(InitErrorDetails, details) for details in error.errors()]
            faulty = {str(details["loc"][0]) for details in errors if details["loc"]}
            try:
                rest = {name: value for name, value in data.items() if name not in faulty}
                # any architecture will do for a wrong one: rules that name it are skipped
                model = handler({"architecture": names.ARCHITECTURES[0], **rest})
            except (AttributeError, ValidationError):  # not even a mapping
                raise error from None
        for fields, rule in _broken_rules(model):
            if faulty.isdisjoint(fields):
                kind = PydanticCustomError("broken_rule", "{rule}", {"rule": rule})
                value = getattr(model, fields[0])
                errors.append(InitErrorDetails(type=kind, loc=fields[:1], input=value))
        if errors:
            raise ValidationError.from_exception_data(cls.__name__, errors)
        return model


def _broken_rules(model: ModelConfig) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield, for every rule that ``model`` breaks, its fields and what is wrong."""
    sizes = model.layer_sizes
    for i in (1, 2):
        if sizes[i] and not sizes[i - 1]:
            later, earlier = f"layer_{i + 1}_size", f"layer_{i}_size"
            yield (
                (later, earlier),
                f"{later} ({sizes[i]}) must be 0 because {earlier} is 0:"
                " no layer comes after one that is absent",
            )
    if model.pretrained_model_name is None:
        yield (
            ("pretrained_model_name", "architecture"),
            f"{model.architecture} needs a pretrained_model_name, for example efficientnet_lite0",
        )
    length, kernel = model.sequence_length, model.convolution_kernel_size
    if model.sequence_model == "Convolution1D" and kernel > length:
        yield (
            ("convolution_kernel_size", "sequence_length", "sequence_model"),
            f"convolution_kernel_size ({kernel}) must not exceed sequence_length ({length})",
        )
    architecture = names.REGISTRY[model.architecture]
    if architecture.single_frame and length != 1:
        yield (
            ("sequence_length", "architecture"),
            f"sequence_length ({length}) must be 1 for {model.architecture},"
            " which sees one frame at a time",
        )
    if architecture.sequential:
        yield from _broken_sequence_rules(model)


def _broken_sequence_rules(model: ModelConfig) -> Iterator[tuple[tuple[str, ...], str]]:
    """As ``_broken_rules``, for architectures that have a sequence model."""
    if model.sequence_model is None:
        yield (
            ("sequence_model", "architecture"),
            f"{model.architecture} needs a sequence_model: {', '.join(names.SEQUENCE_MODELS)}",
        )
    layers = model.sequence_model_layers
    absent = [f"layer_{i + 1}_size" for i in range(layers) if not model.layer_sizes[i]]
    if absent:
        yield (
            ("sequence_model_layers", "architecture", *absent),
            f"sequence_model_layers ({layers}) needs as many layer sizes that are not 0,"
            f" but {', '.join(absent)} {'is' if len(absent) == 1 else 'are'} 0",
        )
