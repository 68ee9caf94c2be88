"""The rules between the parameters of a model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from models.backbones.names import CLIP_SHAPES, SHORTEST_CLIPS, VIDEO_BACKBONES
from models.registry import POOLING_MODELS, RECURRENT_MODELS, REGISTRY, SEQUENCE_MODELS

if TYPE_CHECKING:
    from models.config import ModelConfig

Broken = tuple[tuple[str, ...], str]  # the fields of a rule, and what is wrong


def broken_rules(model: ModelConfig) -> Iterator[Broken]:
    """Yield, for every rule that ``model`` breaks, its fields and what is wrong."""
    architecture = REGISTRY[model.architecture]
    length = model.sequence_length
    if architecture.layers:
        yield from _layers(model)
    yield from _backbone(model)
    if model.motion != "none" and architecture.backbone != "image":
        yield (
            ("motion", "architecture"),
            f"motion ({model.motion}) must be none for {model.architecture},"
            " which sees motion by itself",
        )
    if architecture.single_frame and length != 1:
        yield (
            ("sequence_length", "architecture"),
            f"sequence_length ({length}) must be 1 for {model.architecture},"
            " which sees one frame at a time",
        )
    if architecture.sequential:
        yield from _sequence(model)
    kernel = model.convolution_kernel_size
    if model.sequence_model == "Convolution1D" and kernel > length:
        yield (
            ("convolution_kernel_size", "sequence_length", "sequence_model"),
            f"convolution_kernel_size ({kernel}) must not exceed sequence_length ({length})",
        )


def _layers(model: ModelConfig) -> Iterator[Broken]:
    sizes = model.layer_sizes
    for i in (1, 2):
        if sizes[i] and not sizes[i - 1]:
            later, earlier = f"layer_{i + 1}_size", f"layer_{i}_size"
            yield (
                (later, earlier),
                f"{later} ({sizes[i]}) must be 0 because {earlier} is 0:"
                " no layer comes after one that is absent",
            )


def _backbone(model: ModelConfig) -> Iterator[Broken]:
    """Make sure that the backbone is of the kind that the architecture is built on."""
    kind, name = REGISTRY[model.architecture].backbone, model.pretrained_model_name
    fields = ("pretrained_model_name", "architecture")
    over_clips = ", ".join(VIDEO_BACKBONES)
    if kind is None:
        if name is not None:
            yield (
                fields,
                f"pretrained_model_name ({name}) must be null for {model.architecture},"
                " which has no backbone and learns from scratch: leave it out",
            )
        if model.model_weights_path is not None:
            yield (
                ("model_weights_path", "architecture"),
                f"model_weights_path ({model.model_weights_path}) must be null for"
                f" {model.architecture}, which has no backbone: leave it out",
            )
    elif name is None:
        example = over_clips if kind == "video" else "for example efficientnet_lite0"
        yield fields, f"{model.architecture} needs a pretrained_model_name, {example}"
    elif kind == "video" and name not in VIDEO_BACKBONES:
        yield (
            fields,
            f"pretrained_model_name ({name}) is a network over images, and {model.architecture}"
            f" needs one over clips: {over_clips}",
        )
    elif kind == "image" and name in VIDEO_BACKBONES:
        yield (
            fields,
            f"pretrained_model_name ({name}) is a network over clips, as are {over_clips}, and"
            f" {model.architecture} needs one over images, for example efficientnet_lite0",
        )
    elif kind == "video":
        yield from _clip_shape(model)


def _clip_shape(model: ModelConfig) -> Iterator[Broken]:
    """Make sure that a network over clips takes clips of this length and size."""
    name, length = model.pretrained_model_name or "", model.sequence_length
    frames, *size = CLIP_SHAPES.get(name, (length,))
    if length != frames:
        yield (
            ("sequence_length", "pretrained_model_name", "architecture"),
            f"sequence_length ({length}) must be {frames} for {name}, which takes no other",
        )
    if size and model.frame_size not in (None, tuple(size)):
        yield (
            ("frame_size", "pretrained_model_name", "architecture"),
            f"frame_size {model.frame_size} does not go with {name}, which takes"
            f" {tuple(size)} only: leave frame_size out",
        )
    shortest, smallest = SHORTEST_CLIPS.get(name, (1, 1))
    if length < shortest:
        yield (
            ("sequence_length", "pretrained_model_name", "architecture"),
            f"sequence_length ({length}) must be at least {shortest} for {name}",
        )
    if min(model.frame_size or (smallest,)) < smallest:
        yield (
            ("frame_size", "pretrained_model_name", "architecture"),
            f"frame_size {model.frame_size} must be at least {(smallest, smallest)} for {name}",
        )


def _sequence(model: ModelConfig) -> Iterator[Broken]:
    """Make sure that an architecture with a sequence model has all that this needs."""
    kind, layers = model.sequence_model, model.sequence_model_layers
    if kind is None:
        yield (
            ("sequence_model", "architecture"),
            f"{model.architecture} needs a sequence_model: {', '.join(SEQUENCE_MODELS)}",
        )
    elif model.bidirectional and kind not in RECURRENT_MODELS:
        yield (
            ("bidirectional", "sequence_model", "architecture"),
            f"bidirectional must be false for sequence_model {kind}:"
            f" only {', '.join(RECURRENT_MODELS)} have a direction",
        )
    absent = [f"layer_{i + 1}_size" for i in range(layers) if not model.layer_sizes[i]]
    if absent and kind not in POOLING_MODELS:
        yield (
            ("sequence_model_layers", "architecture", *absent),
            f"sequence_model_layers ({layers}) needs as many layer sizes that are not 0,"
            f" but {', '.join(absent)} {'is' if len(absent) == 1 else 'are'} 0",
        )
