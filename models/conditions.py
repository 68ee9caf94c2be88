"""The conditions and limits that the rows of a model's parameters are made of, with their messages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from models.backbones.names import CLIP_SHAPES, SHORTEST_CLIPS, VIDEO_BACKBONES
from models.registry import (
    CONVOLUTIONS,
    POOLING_MODELS,
    RECURRENT_MODELS,
    REGISTRY,
    SEQUENCE_MODELS,
    Architecture,
)
from models.rules import Limit, Params, Row, Unused


def _architecture(params: Params) -> Architecture:
    return REGISTRY[params["architecture"]]


def no_backbone(params: Params) -> bool:
    return _architecture(params).backbone is None


def over_clips(params: Params) -> bool:
    return _architecture(params).backbone == "video"


def not_over_images(params: Params) -> bool:
    return _architecture(params).backbone != "image"


def no_trained_backbone(params: Params) -> bool:
    architecture = _architecture(params)
    return architecture.frozen or architecture.backbone is None


def stored_features(params: Params) -> bool:
    return _architecture(params).frozen


def not_sequential(params: Params) -> bool:
    return not _architecture(params).sequential


def one_frame(params: Params) -> bool:
    """Whether the clips are known to be of one frame."""
    return params.get("sequence_length") == 1


NO_BACKBONE = Unused(after=no_backbone)
NO_TRAINED_BACKBONE = Unused(after=no_trained_backbone)
NOT_OVER_IMAGES = Unused(after=not_over_images)
NOT_SEQUENTIAL = Unused(after=not_sequential)
ONE_FRAME = Unused(after=one_frame, reads=("sequence_length",))
NO_LAYERS = Unused(after=lambda params: not _architecture(params).layers)

SINGLE_FRAME = Unused(
    after=lambda params: _architecture(params).single_frame,
    refused=lambda params: (
        f"sequence_length ({params['sequence_length']}) must be 1 for {params['architecture']},"
        " which sees one frame at a time"
    ),
)
MOTION_BY_ITSELF = Unused(
    after=not_over_images,
    refused=lambda params: (
        f"motion ({params['motion']}) must be none for {params['architecture']},"
        " which sees motion by itself"
    ),
)
FROM_SCRATCH = Unused(
    after=no_backbone,
    refused=lambda params: (
        f"pretrained_model_name ({params['pretrained_model_name']}) must be null for"
        f" {params['architecture']}, which has no backbone and learns from scratch: leave it out"
    ),
)
NO_WEIGHTS = Unused(
    after=no_backbone,
    refused=lambda params: (
        f"model_weights_path ({params['model_weights_path']}) must be null for"
        f" {params['architecture']}, which has no backbone: leave it out"
    ),
)


# Backbones ----------------------------------------------------------------------------------------

_OVER_CLIPS = ", ".join(VIDEO_BACKBONES)
_OVER_IMAGES = "efficientnet_lite0"  # the example in messages


def _right_kind(name: Any, params: Params) -> bool:
    return name is None or (name in VIDEO_BACKBONES) == over_clips(params)


def _wrong_kind(params: Params) -> str:
    name, architecture = params["pretrained_model_name"], params["architecture"]
    if over_clips(params):
        return (
            f"pretrained_model_name ({name}) is a network over images, and {architecture}"
            f" needs one over clips: {_OVER_CLIPS}"
        )
    return (
        f"pretrained_model_name ({name}) is a network over clips, as are {_OVER_CLIPS}, and"
        f" {architecture} needs one over images, for example {_OVER_IMAGES}"
    )


def _no_backbone_left(params: Params) -> str:
    takes = _OVER_CLIPS if over_clips(params) else f"networks of images, such as {_OVER_IMAGES}"
    size = params.get("frame_size") if over_clips(params) else None
    return (
        f"none of the choices fits {params['architecture']} with clips of"
        f" {params['sequence_length']} frames{f' of {size}' if size else ''}; it takes {takes}"
    )


def _clip(
    about: str, allows: Callable[[str, Any], bool], broken: Callable[[str, Any], str]
) -> Limit:
    """A rule between a network over clips and the clips' length, or their frames' size.

    Args:
        allows, broken: take the network's name and the value of `about`.
    """

    def allowed(name: Any, params: Params) -> bool:
        value = params.get(about)
        return value is None or not over_clips(params) or allows(name, value)

    return Limit(
        about=about,
        allows=allowed,
        reads=(about, "architecture"),
        broken=lambda params: broken(params["pretrained_model_name"], params[about]),
        none_left=_no_backbone_left,
    )


def _size(name: str) -> tuple[int, ...]:
    """The only frame size that a network over clips takes; empty if it takes any."""
    return CLIP_SHAPES[name][1:] if name in CLIP_SHAPES else ()


def _shortest(name: str) -> int:
    return SHORTEST_CLIPS.get(name, (1, 1))[0]


def _smallest(name: str) -> int:
    return SHORTEST_CLIPS.get(name, (1, 1))[1]


BACKBONES_OF_ITS_KIND = (
    Limit(
        allows=lambda name, params: name is not None,
        reads=("architecture",),
        broken=lambda params: (
            f"{params['architecture']} needs a pretrained_model_name, "
            + (_OVER_CLIPS if over_clips(params) else f"for example {_OVER_IMAGES}")
        ),
        none_left=lambda params: f"{params['architecture']} needs a backbone, not null",
    ),
    Limit(
        allows=_right_kind,
        reads=("architecture",),
        broken=_wrong_kind,
        none_left=_no_backbone_left,
    ),
    _clip(
        "sequence_length",
        lambda name, length: length == CLIP_SHAPES.get(name, (length,))[0],
        lambda name, length: (
            f"sequence_length ({length}) must be {CLIP_SHAPES[name][0]} for {name},"
            " which takes no other"
        ),
    ),
    _clip(
        "frame_size",
        lambda name, size: tuple(size) == (_size(name) or tuple(size)),
        lambda name, size: (
            f"frame_size {size} does not go with {name}, which takes {_size(name)} only:"
            " leave frame_size out"
        ),
    ),
    _clip(
        "sequence_length",
        lambda name, length: length >= _shortest(name),
        lambda name, length: (
            f"sequence_length ({length}) must be at least {_shortest(name)} for {name}"
        ),
    ),
    _clip(
        "frame_size",
        lambda name, size: min(size) >= _smallest(name),
        lambda name, size: (
            f"frame_size {size} must be at least {(_smallest(name), _smallest(name))} for {name}"
        ),
    ),
)


# Sequence models and layers -----------------------------------------------------------------------


def _has_no_direction(params: Params) -> bool:
    return params.get("sequence_model") not in (None, *RECURRENT_MODELS)


def _pools(params: Params) -> bool:
    return params.get("sequence_model") in POOLING_MODELS


def _layers_over_time(params: Params) -> int:
    """How many of the layer sizes are those of layers over time."""
    if not_sequential(params) or _pools(params) or "sequence_model" not in params:
        return 0
    return int(params.get("sequence_model_layers", 1))


NEEDS_SEQUENCE_MODEL = Limit(
    allows=lambda value, params: value is not None,
    reads=("architecture",),
    broken=lambda params: (
        f"{params['architecture']} needs a sequence_model: {', '.join(SEQUENCE_MODELS)}"
    ),
    none_left=lambda params: (
        f"{params['architecture']} needs one; add sequence_model: [LSTM, GRU] to the space"
    ),
)
NO_DIRECTION = Unused(
    after=_has_no_direction,
    reads=("sequence_model", "architecture"),
    refused=lambda params: (
        f"bidirectional must be false for sequence_model {params['sequence_model']}:"
        f" only {', '.join(RECURRENT_MODELS)} have a direction"
    ),
)
POOLS = Unused(after=_pools, reads=("sequence_model", "architecture"))
NO_CONVOLUTION = Unused(
    after=lambda params: params.get("sequence_model") not in CONVOLUTIONS,
    reads=("sequence_model",),
)
WITHIN_THE_CLIP = Limit(
    allows=lambda value, params: value <= params.get("sequence_length", value),
    reads=("sequence_length", "sequence_model"),
    broken=lambda params: (
        f"convolution_kernel_size ({params['convolution_kernel_size']}) must not exceed"
        f" sequence_length ({params['sequence_length']})"
    ),
    none_left=lambda params: (
        f"exceeds sequence_length ({params['sequence_length']}); add others, or a longer"
        " sequence_length"
    ),
)

_SIZES = ("layer_1_size", "layer_2_size", "layer_3_size")


def _too_few_layers(params: Params) -> str:
    layers = params["sequence_model_layers"]
    absent = [name for name in _SIZES[:layers] if not params[name]]
    return (
        f"sequence_model_layers ({layers}) needs as many layer sizes that are not 0,"
        f" but {', '.join(absent)} {'is' if len(absent) == 1 else 'are'} 0"
    )


def layer(number: int) -> Row:
    """Return the row of one layer's size; layers are counted from 1."""
    name = _SIZES[number - 1]
    unused: tuple[Unused, ...] = (NO_LAYERS,)
    if number > 1:
        earlier = _SIZES[number - 2]
        after_absent = Unused(
            after=lambda params: params.get(earlier) == 0,
            reads=(earlier,),
            refused=lambda params: (
                f"{name} ({params[name]}) must be 0 because {earlier} is 0:"
                " no layer comes after one that is absent"
            ),
        )
        unused = (NO_LAYERS, after_absent)
    of_sequence_model = Limit(
        about="sequence_model_layers",
        allows=lambda value, params: value > 0 or number > _layers_over_time(params),
        reads=("sequence_model_layers", "sequence_model", "architecture", *_SIZES),
        broken=_too_few_layers,
        none_left=lambda params: (
            f"{params['architecture']} with sequence_model_layers"
            f" {params['sequence_model_layers']} needs a size above 0"
        ),
    )
    return Row(unused=unused, limits=(of_sequence_model,), shapes="head")
