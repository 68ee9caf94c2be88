"""The largest model of each kind in a space: what is enough for it is enough for all of its kind."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import models
from models.assembly import family
from models.registry import PROBE
from tuner.config.parameters import PARAMETERS, Params, number_kind
from tuner.study.sharing.share import Kind, kind_of
from tuner.study.space.domains import ends
from tuner.study.space.space import Space, resolve

# What is told apart by trying each value: kinds, and sizes that can't be compared before.
_TRIED = ("architecture", "pretrained_model_name", "frame_size")
# What `_size` looks at, but for those.
_SIZES = ("sequence_length", "frames_per_video", "motion", "appearance", "pooling", "batch_size")
# Of choices without an order, those that need most memory first.
_HUNGRY: dict[str, tuple[Any, ...]] = {
    "gradient_checkpointing": (False,),
    "trainable_layers": ("all",),
    "motion": ("both", "background", "relit", "previous"),
    "pooling": ("both",),
    "sequence_model": ("Transformer", "LSTM", "GRU", "SimpleRNN", "Convolution1D"),
    "optimizer": ("adamw", "adam"),
    "precision": ("fp32", "auto"),
}
_SMALL = ("learning_rate", "backbone_learning_rate")  # so that noise does not make it diverge


def largest(space: Space) -> dict[Kind, Params]:
    """All parameters of the largest model of each kind but linear probes, which are which the CPU fits.

    Values are chosen in their order, each the largest that those before it leave. Where the space has a
    size depend on a value, all of these are tried.
    """
    sized = [domain for name in (*_TRIED, *_SIZES) for domain in space.space.get(name, [])]
    tried = {*_TRIED, *(other for domain in sized for other in domain.when)}
    found: dict[Kind, tuple[int, Params]] = {}
    for params in _expand(space, list(PARAMETERS), {}, tried):
        if params["architecture"] == PROBE:
            continue
        kind, size = kind_of(params), _size(params)
        if kind not in found or size > found[kind][0]:
            found[kind] = size, params
    return {kind: params for kind, (_, params) in found.items()}


def _expand(space: Space, names: list[str], params: Params, tried: set[str]) -> Iterator[Params]:
    if not names:
        yield params
        return
    name, *rest = names
    values = [_number(name, value) for value in ends(space.domain(name, params))]
    for value in values if name in tried else [_most(name, values)] if values else []:
        yield from _expand(space, rest, {**params, name: value}, tried)


def _most(name: str, values: list[Any]) -> Any:
    """The value that needs most memory."""
    for hungry in _HUNGRY.get(name, ()):
        if hungry in values:
            return hungry
    numbers = [v for v in values if isinstance(v, int | float)]
    if name in _SMALL:
        return min(numbers, default=values[0])
    return max(numbers, default=values[0])


def _number(name: str, value: Any) -> Any:
    """A range's end as the parameter's own type."""
    return int(value) if isinstance(value, float) and number_kind(name) is int else value


def _size(params: Params) -> int:
    """Numbers that a batch of such a model takes in."""
    model, training = resolve(params)
    each = models.input_steps(model)
    if models.uses_stored_features(model):
        each *= family(model.architecture).feature_width(model)
    else:
        frames = models.clip_length(model) * len(models.streams(model))
        each *= frames * math.prod(models.frame_size(model))
    return each * training.batch_size * training.accumulate


def width(params: Params) -> int:
    """Of the stored features that a head takes."""
    model, _ = resolve(params)
    return family(model.architecture).feature_width(model)
