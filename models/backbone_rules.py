"""Which backbones go with an architecture and its clips, with the messages for those that don't."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from models.backbones.names import CLIP_SHAPES, SHORTEST_CLIPS, VIDEO_BACKBONES
from models.conditions import over_clips
from models.rules import Limit, Params

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
