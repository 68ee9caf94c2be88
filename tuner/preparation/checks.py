"""Checks of models before any is trained: whether they can be built, and have their weights."""

from __future__ import annotations

from collections.abc import Iterable

import models
from models import ModelConfig, WeightsError
from tuner.config.messages import ConfigError
from tuner.config.sections import DataConfig


def check_models(searched: Iterable[ModelConfig], data: DataConfig) -> None:
    """Check what only building a model shows.

    A clip may be too small for a network's pools, more stages are to be trained than it has, or it has
    not the stage or map that is asked for.

    Raises:
        ConfigError: all models that can't be built, at once.
    """
    problems = []
    for config in searched:
        for name in ("motion", "crop", "relative"):
            value = getattr(config, name)
            if value != "none" and name != "relative" and data.frames == "direct":
                problems.append(
                    f"{name} ({value}) needs data.frames: stored: it compares frames with others"
                )
            if value != "none" and data.max_frames == 1:
                problems.append(
                    f"{name} ({value}) compares frames with others, but data.max_frames is 1: raise it"
                    " (unless given, it is the largest frames_per_video)"
                )
        plain = config.model_copy(update={"pretrained": False, "model_weights_path": None})
        try:
            models.frame_size(plain)
            stored = models.uses_stored_features(plain)
            models.build(plain, ["one", "other"], with_backbone=not stored)
        except ValueError as error:
            problems.append(str(error))
    if problems:
        raise ConfigError("model", list(dict.fromkeys(problems)))


def check_weights(searched: Iterable[ModelConfig], *, download: bool) -> list[str]:
    """Where the weights of each backbone come from, as lines.

    Raises:
        WeightsError: all weights that are not available; those to download count only with `download`.
    """
    from models.backbones.load import check_weights as origin

    wanted = dict.fromkeys(
        (c.pretrained_model_name, c.pretrained, c.model_weights_path) for c in searched
    )
    lines, missing = [], []
    for name, pretrained, path in wanted:
        if name is None:
            continue
        try:
            source = origin(name, pretrained=pretrained, weights_path=path, download=download)
            lines.append(f"{name}: {source}")
        except WeightsError as error:
            missing.append(str(error))
    if missing:
        raise WeightsError("\n".join(missing))
    return lines
