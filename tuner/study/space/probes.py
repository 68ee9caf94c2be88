"""The linear probes that a search begins with: the simplest model over each kind of picture."""

from __future__ import annotations

from models.config import ModelConfig
from models.registry import PROBE, REGISTRY
from tuner.config.load import Config
from tuner.config.parameters import PARAMETERS, Params, shaping
from tuner.study.space.checks import searched_models
from tuner.study.space.space import Space, resolve


def probes(config: Config) -> list[Params]:
    """One probe for each backbone over images, kind of picture, share of top frames, scale and length.

    Of frames, a probe sees the frame alone or the longest clip of the space; of whole videos, the most
    frames. At most `search.probes` are taken, evenly from all of them.
    """
    pictures = (*shaping("features"), "top_frames", "feature_scale")
    length = "frames_per_video" if config.data.unit == "video" else "sequence_length"
    kinds: dict[tuple[object, ...], Params] = {}
    longest = 1
    for values in Space(config).values("architecture", length, *pictures):
        architecture, steps, *rest = values
        if REGISTRY[architecture].backbone == "image":
            longest = max(longest, steps)
            kinds.setdefault(tuple(rest), dict(zip(pictures, rest, strict=True)))
    lengths = [longest] if config.data.unit == "video" else sorted({1, longest})
    wanted = [{**kind, length: steps} for kind in kinds.values() for steps in lengths]
    most = config.search.probes
    if len(wanted) > most:
        wanted = [wanted[i * len(wanted) // most] for i in range(most)]
    return [_complete(config, {"architecture": PROBE, **chosen}) for chosen in wanted]


def networks(config: Config, space: Space) -> list[ModelConfig]:
    """`searched_models`, and those of the probes."""
    return [*searched_models(space), *(resolve(params)[0] for params in probes(config))]


def _complete(config: Config, chosen: Params) -> Params:
    """Every parameter: those chosen, and the others as `model` and `training` have them."""
    space, params = Space(config.model_copy(update={"space": {}})), Params()
    for name in PARAMETERS:
        choices = space.domain(name, params).choices
        assert choices  # of a fixed parameter
        params[name] = chosen.get(name, choices[0])
    return params
