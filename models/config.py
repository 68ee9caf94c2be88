"""The parameters of a model, as written under ``model:`` in a YAML file, and their rules."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self, cast

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

from models.backbone_rules import BACKBONES_OF_ITS_KIND
from models.backbones.names import DEFAULT_BACKBONES, backbone_name
from models.conditions import (
    CUTS_WHAT_IS_SEEN,
    FROM_SCRATCH,
    HAS_PLACES,
    KEEPS_ALL,
    MOTION_BY_ITSELF,
    NEEDS_SEQUENCE_MODEL,
    NO_BACKBONE,
    NO_CONVOLUTION,
    NO_DIRECTION,
    NO_STORED_FEATURES,
    NO_TRAINED_BACKBONE,
    NO_WEIGHTS,
    NOT_NORMALISED,
    NOT_OVER_IMAGES,
    NOT_SEQUENTIAL,
    NOTHING_BESIDE_FRAMES,
    NOTHING_TO_POOL,
    ONE_FRAME,
    ONE_STAGE,
    POOLS,
    SINGLE_FRAME,
    SPREAD_FRAMES,
    WHOLE_VIDEOS,
    WITHIN_THE_CLIP,
    layer,
)
from models.errors import UnknownName, match
from models.registry import ARCHITECTURES, POOLING_MODELS, REGISTRY, SEQUENCE_MODELS
from models.rules import Row, broken_rules, table

Size = tuple[int, int]
VideoPooling = Literal[POOLING_MODELS]  # type: ignore[valid-type]
SequenceModel = Literal[SEQUENCE_MODELS]  # type: ignore[valid-type]


class ModelParameters(BaseModel):
    """Some or all parameters of a model, each right by itself. Names are matched whatever their case.

    A field holds the type, the default and the range of its parameter's value. Its `Row` holds the rules
    between this parameter and others, which `ModelConfig` checks. A parameter is chosen after those
    above it.

    Raises:
        pydantic.ValidationError: with one entry for every field that is wrong.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    architecture: Annotated[str | None, Row(shapes="network")] = None
    # frames, or clips of a network over clips, spread over a video that is classified as a whole;
    # None: each frame is classified
    frames_per_video: Annotated[int | None, Field(ge=1), Row(shapes="head")] = None
    # how what is found in them becomes one answer
    video_pooling: Annotated[VideoPooling, Row(unused=(NOTHING_TO_POOL,), shapes="head")] = (
        "MeanPooling"
    )
    # the share of a video's steps that are pooled: those with the largest features, where most is seen
    top_frames: Annotated[float, Field(gt=0, le=1), Row(unused=(KEEPS_ALL,), shapes="head")] = 1.0
    sequence_length: Annotated[
        int,
        Field(ge=1),
        Row(
            unused=(SINGLE_FRAME, SPREAD_FRAMES),
            of_architecture=lambda its: its.length,
            shapes="head",
        ),
    ] = 1
    # step from one frame of a clip to the next
    sequence_stride: Annotated[
        int, Field(ge=1), Row(unused=(ONE_FRAME, SPREAD_FRAMES), shapes="head")
    ] = 1
    # which of a clip's frames its label is of: with the middle one, a model also sees what comes after
    labelled_frame: Annotated[
        Literal["last", "middle"], Row(unused=(ONE_FRAME, WHOLE_VIDEOS), shapes="head")
    ] = "last"
    # height, width; None is the backbone's own
    frame_size: Annotated[Size | None, Row(shapes="features")] = None
    pretrained_model_name: Annotated[
        str | None,
        Row(
            unused=(FROM_SCRATCH,),
            limits=BACKBONES_OF_ITS_KIND,
            of_architecture=lambda its: DEFAULT_BACKBONES[its.backbone],
            shapes="features",
        ),
    ] = DEFAULT_BACKBONES["image"]
    pretrained: Annotated[bool, Row(unused=(NO_BACKBONE,), shapes="features")] = True
    model_weights_path: Annotated[str | None, Row(unused=(NO_WEIGHTS,), shapes="features")] = None
    # which of the network's feature maps a model is given: the middle one is twice as fine, and tells
    # parts and textures, not yet whole things
    backbone_stage: Annotated[
        Literal["last", "middle"], Row(unused=(ONE_STAGE,), shapes="features")
    ] = "last"
    # over the places of the feature map; local: the largest mean of 3 x 3 places; both: max and avg
    pooling: Annotated[
        Literal["max", "local", "avg", "both"],
        Row(unused=(NOT_OVER_IMAGES,), shapes="features"),
    ] = "max"
    # motion images beside the frames; relit: against the background, in the same light
    motion: Annotated[
        Literal["none", "background", "relit", "previous", "both"],
        Row(unused=(MOTION_BY_ITSELF,), shapes="features"),
    ] = "none"
    # whether the frames themselves are seen beside their motion images
    appearance: Annotated[bool, Row(unused=(NOTHING_BESIDE_FRAMES,), shapes="features")] = True
    # motion: frames are cut to the square around what moves; all: motion images, too
    crop: Annotated[
        Literal["none", "motion", "all"],
        Row(limits=(CUTS_WHAT_IS_SEEN,), brought_by="appearance", shapes="features"),
    ] = "none"
    # video: features less their median over the video; map: before they are pooled, each place of the
    # feature map less its own; place: both
    relative: Annotated[
        Literal["none", "video", "map", "place"],
        Row(unused=(NO_STORED_FEATURES,), limits=(HAS_PLACES,), shapes="features"),
    ] = "none"
    # what a feature is divided by before a head takes it: its own deviation over the training frames, or
    # what is common to most, so that none that hardly varied there outweighs all others at a new site
    feature_scale: Annotated[Literal["own", "common"], Row(unused=(NOT_NORMALISED,))] = "own"
    # last stages of a backbone that is not frozen
    trainable_layers: Annotated[
        int | Literal["all"], Row(unused=(NO_TRAINED_BACKBONE,), shapes="network")
    ] = "all"
    # of a backbone that is not frozen: less memory, more time
    gradient_checkpointing: Annotated[
        bool, Row(unused=(NO_TRAINED_BACKBONE,), shapes="network")
    ] = False
    sequence_model: Annotated[
        SequenceModel | None,
        Row(unused=(NOT_SEQUENTIAL,), limits=(NEEDS_SEQUENCE_MODEL,), shapes="head"),
    ] = None
    # of recurrent layers
    bidirectional: Annotated[
        bool,
        Row(unused=(NOT_SEQUENTIAL, NO_DIRECTION), shapes="head"),
    ] = False
    sequence_model_layers: Annotated[
        int, Field(ge=1, le=3), Row(unused=(NOT_SEQUENTIAL, POOLS), shapes="head")
    ] = 1
    layer_1_size: Annotated[int, Field(ge=0), layer(1)] = 256
    layer_2_size: Annotated[int, Field(ge=0), layer(2)] = 0
    layer_3_size: Annotated[int, Field(ge=0), layer(3)] = 0
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.2
    convolution_kernel_size: Annotated[
        int,
        Field(ge=1),
        Row(
            unused=(NO_CONVOLUTION,),
            limits=(WITHIN_THE_CLIP,),
            brought_by="sequence_model",
            shapes="head",
        ),
    ] = 3
    # multilabel: several classes may be shown at once, and each is told by itself; one for a search
    task: Literal["multiclass", "multilabel"] = "multiclass"

    @property
    def layer_sizes(self) -> tuple[int, int, int]:
        """The three widths, zeros included."""
        return self.layer_1_size, self.layer_2_size, self.layer_3_size

    @field_validator("architecture")
    @classmethod
    def _canonical_architecture(cls, value: str | None) -> str | None:
        if value is None:
            return None
        if name := match(value, REGISTRY):
            return name
        raise UnknownName("architecture", value, ARCHITECTURES)

    @field_validator("pretrained_model_name")
    @classmethod
    def _known_backbone(cls, value: str | None) -> str | None:
        return None if value is None else backbone_name(value)

    @field_validator("sequence_model", "video_pooling", "pooling", mode="before")
    @classmethod
    def _any_case(cls, value: Any) -> Any:
        known = (*SEQUENCE_MODELS, "max", "local", "avg", "both")
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
        """Fill in the defaults that depend on the architecture, if it is known."""
        given = data.get("architecture") if isinstance(data, Mapping) else None
        name = match(given, REGISTRY) if isinstance(given, str) else None
        if name is None:
            return data
        defaults = {
            n: row.default_for(name) for n, row in MODEL_ROWS.items() if row.of_architecture
        }
        return {**defaults, **data}


MODEL_ROWS = table(ModelParameters.model_fields)


class ModelConfig(ModelParameters):
    """What determines a model, apart from its classes.

    Raises:
        pydantic.ValidationError: with one entry for every field that is wrong and for every
            rule that is broken, all together; each names the field it is about.
    """

    architecture: str

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
        for fields, rule in broken_rules(MODEL_ROWS, dict(model)):
            if faulty.isdisjoint(fields):
                kind = PydanticCustomError("broken_rule", "{rule}", {"rule": rule})
                value = getattr(model, fields[0])
                errors.append(InitErrorDetails(type=kind, loc=fields[:1], input=value))
        if errors:
            raise ValidationError.from_exception_data(cls.__name__, errors)
        return model
