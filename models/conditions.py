"""The conditions and limits that the rows of a model's parameters are made of, with their messages."""

from __future__ import annotations

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


def no_stored_features(params: Params) -> bool:
    return not stored_features(params)


def not_sequential(params: Params) -> bool:
    return not _architecture(params).sequential


def whole_videos(params: Params) -> bool:
    """Whether a video is classified as a whole, from frames or clips spread over it."""
    return params.get("frames_per_video") is not None


def spread_frames(params: Params) -> bool:
    """Whether frames spread over the whole video take the place of a clip."""
    return whole_videos(params) and _architecture(params).backbone == "image"


def steps(params: Params) -> int | None:
    """How many frames a head over images is given at once; None: not chosen yet."""
    name = "frames_per_video" if spread_frames(params) else "sequence_length"
    return params.get(name)


def one_frame(params: Params) -> bool:
    """Whether the clips are known to be of one frame."""
    return steps(params) == 1


NO_BACKBONE = Unused(after=no_backbone)
NO_TRAINED_BACKBONE = Unused(after=no_trained_backbone)
NOT_NORMALISED = Unused(after=no_stored_features)
NOT_OVER_IMAGES = Unused(after=not_over_images)
NOT_SEQUENTIAL = Unused(after=not_sequential)
ONE_FRAME = Unused(after=one_frame, reads=("sequence_length", "frames_per_video"))
SPREAD_FRAMES = Unused(after=spread_frames, reads=("frames_per_video", "architecture"))
WHOLE_VIDEOS = Unused(after=whole_videos, reads=("frames_per_video",))
NOTHING_TO_POOL = Unused(
    after=lambda params: not whole_videos(params) or _architecture(params).joins_steps,
    reads=("frames_per_video", "architecture"),
)
KEEPS_ALL = Unused(
    after=lambda params: (
        not whole_videos(params) or no_backbone(params) or _architecture(params).orders_steps
    ),
    reads=("frames_per_video", "architecture"),
)
NO_LAYERS = Unused(after=lambda params: not _architecture(params).layers)

SINGLE_FRAME = Unused(
    after=lambda params: _architecture(params).single_frame,
    refused=lambda params: (
        f"sequence_length ({params['sequence_length']}) must be 1 for {params['architecture']},"
        " which sees one frame at a time"
    ),
)
ONE_STAGE = Unused(
    after=not_over_images,
    refused=lambda params: (
        f"backbone_stage ({params['backbone_stage']}) must be last for {params['architecture']}:"
        " only networks over images give their middle stage"
    ),
)
MOTION_BY_ITSELF = Unused(
    after=not_over_images,
    refused=lambda params: (
        f"motion ({params['motion']}) must be none for {params['architecture']},"
        " which sees motion by itself"
    ),
)
NOTHING_BESIDE_FRAMES = Unused(
    after=lambda params: not_over_images(params) or params.get("motion") == "none",
    reads=("motion", "architecture"),
    refused=lambda params: (
        "appearance (false) must be true without motion images: with motion: none, nothing is left"
        " to be seen"
    ),
)
CUTS_WHAT_IS_SEEN = Limit(
    allows=lambda value, params: (
        value == "none"
        or (value == "motion" and params.get("appearance") is not False)
        or (value == "all" and params.get("motion", "none") != "none")
    ),
    reads=("motion", "appearance"),
    broken=lambda params: (
        "crop (motion) cuts the frames, which are not seen with appearance: false; all cuts the"
        " motion images"
        if params["crop"] == "motion"
        else "crop (all) cuts motion images, too, and there are none with motion: none; motion cuts"
        " the frames"
    ),
    none_left=lambda params: "cuts pictures that are not seen; add none, or all for motion images",
)
NO_STORED_FEATURES = Unused(
    after=no_stored_features,
    refused=lambda params: (
        f"relative ({params['relative']}) must be none for {params['architecture']}, which has no"
        " stored features: only those of a frozen backbone have a median over the video"
    ),
)
HAS_PLACES = Limit(
    allows=lambda value, params: value in ("none", "video") or not not_over_images(params),
    reads=("architecture",),
    broken=lambda params: (
        f"relative ({params['relative']}) is for networks over images, and {params['architecture']}"
        " has one over clips: give video"
    ),
    none_left=lambda params: f"{params['architecture']} has no places; add none or video",
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


def _length(params: Params) -> str:
    return "frames_per_video" if spread_frames(params) else "sequence_length"


WITHIN_THE_CLIP = Limit(
    allows=lambda value, params: value <= (steps(params) or value),
    reads=("sequence_length", "frames_per_video", "sequence_model"),
    broken=lambda params: (
        f"convolution_kernel_size ({params['convolution_kernel_size']}) must not exceed"
        f" {_length(params)} ({steps(params)})"
    ),
    none_left=lambda params: (
        f"exceeds {_length(params)} ({steps(params)}); add others, or a longer {_length(params)}"
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
