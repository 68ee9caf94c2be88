"""What can be known of models before any trains: that they can be built, and their weights had."""

from __future__ import annotations

from collections.abc import Iterable

import models
from models import ModelConfig, WeightsError
from tuner.config.messages import ConfigError
from tuner.config.sections import DataConfig


def check_models(searched: Iterable[ModelConfig], data: DataConfig) -> None:
    """Build what only building tells: whether clips leave something behind a network's pools, and
    whether it has so many stages to train.

    Raises:
        ConfigError: everything that can't be built, at once.
    """
    problems = []
    for config in searched:
        if config.motion != "none" and data.frames == "direct":
            problems.append(
                f"motion ({config.motion}) needs data.frames: stored: it compares frames with others"
            )
        plain = config.model_copy(update={"pretrained": False, "model_weights_path": None})
        try:
            models.frame_size(plain)
            if not models.uses_stored_features(plain):
                models.build(plain, ["one", "other"])
        except ValueError as error:
            problems.append(str(error))
    if problems:
        raise ConfigError("model", list(dict.fromkeys(problems)))


def check_weights(searched: Iterable[ModelConfig], *, download: bool) -> list[str]:
    """Where the weights of each backbone come from, as lines.

    Raises:
        WeightsError: all the weights that can't be had (only with `download`, those to download).
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
