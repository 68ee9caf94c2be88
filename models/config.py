"""The parameters of a model, as written under ``model:`` in a YAML file, and their rules."""

from collections.abc import Mapping
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

from models.backbones.names import DEFAULT_BACKBONES, backbone_name
from models.errors import match, nearest
from models.registry import ARCHITECTURES, REGISTRY, SEQUENCE_MODELS
from models.rules import broken_rules

Size = tuple[int, int]
SequenceModel = Literal[
    "LSTM", "SimpleRNN", "GRU", "Convolution1D", "Transformer", "AttentionPooling", "MeanPooling"
]


class ModelConfig(BaseModel):
    """What determines a model, apart from its classes. Names are matched whatever their case.

    Raises:
        pydantic.ValidationError: with one entry for every field that is wrong and for every
            rule that is broken, all together; each names the field it is about.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    architecture: str
    sequence_length: int = Field(default=1, ge=1)  # unless the architecture has its own
    sequence_stride: int = Field(default=1, ge=1)  # frames from one of a clip to the next
    frame_size: Size | None = None  # height, width; None is the backbone's own
    pretrained_model_name: str | None = "efficientnet_lite0"  # likewise
    pretrained: bool = True
    model_weights_path: str | None = None
    pooling: Literal["max", "avg"] = "max"
    motion: Literal["none", "background", "previous"] = "none"  # images of it beside the frames
    trainable_layers: int | Literal["all"] = "all"  # last stages of a backbone that is not frozen
    gradient_checkpointing: bool = False  # of it: less memory, more time
    sequence_model: SequenceModel | None = None
    bidirectional: bool = False  # of recurrent layers
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
        if name := match(value, REGISTRY):
            return name
        near = nearest(value, REGISTRY)
        raise ValueError(f"unknown architecture {value!r}.{near} Known are {', '.join(REGISTRY)}.")

    @field_validator("pretrained_model_name")
    @classmethod
    def _known_backbone(cls, value: str | None) -> str | None:
        return None if value is None else backbone_name(value)

    @field_validator("sequence_model", "pooling", mode="before")
    @classmethod
    def _any_case(cls, value: Any) -> Any:
        known = (*SEQUENCE_MODELS, "max", "avg")
        return (match(value, known) or value) if isinstance(value, str) else value

    @field_validator("trainable_layers", mode="before")
    @classmethod
    def _count_or_all(cls, value: Any) -> Any:
        if isinstance(value, str) and value.strip().lower() == "all":
            return "all"
        if type(value) is not int or value < 1:
            raise ValueError(f"must be a whole number of stages from 1, or all, not {value!r}")
        return value

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

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_the_architecture(cls, data: Any) -> Any:
        """Fill in what is not given and depends on the architecture, if that is known."""
        given = data.get("architecture") if isinstance(data, Mapping) else None
        name = match(given, REGISTRY) if isinstance(given, str) else None
        if name is None:
            return data
        architecture = REGISTRY[name]
        backbone = DEFAULT_BACKBONES[architecture.backbone]
        return {
            "sequence_length": architecture.length,
            "pretrained_model_name": backbone,
            **data,
        }

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
                model = handler({"architecture": ARCHITECTURES[0], **rest})
            except (AttributeError, ValidationError):  # not even a mapping
                raise error from None
        for fields, rule in broken_rules(model):
            if faulty.isdisjoint(fields):
                kind = PydanticCustomError("broken_rule", "{rule}", {"rule": rule})
                value = getattr(model, fields[0])
                errors.append(InitErrorDetails(type=kind, loc=fields[:1], input=value))
        if errors:
            raise ValidationError.from_exception_data(cls.__name__, errors)
        return model


def feature_length(config: ModelConfig) -> int:
    """Return how many stored features make up the input of one clip.

    A network over clips has one feature for all of a clip; others have one a frame.
    """
    architecture = REGISTRY[config.architecture]
    one = architecture.frozen and architecture.backbone == "video"
    return 1 if one else config.sequence_length
