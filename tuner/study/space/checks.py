"""Whether a space can be searched, and which networks it asks for."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

from data.files.path import unreadable
from models.config import ModelConfig
from models.registry import REGISTRY
from tuner.config.load import Config
from tuner.config.messages import ConfigError
from tuner.config.parameters import shaping
from tuner.preparation.compute import Views
from tuner.study.space.space import Space
from tuner.training.clips.augment import Augmentation


def check(config: Config) -> Space:
    """The space of a configuration.

    Raises:
        ConfigError: it can't be searched.
    """
    space = Space(config)
    problems = space.problems()
    search = config.search
    if search.sampler == "grid":
        problems += [
            f"space.{name}: a grid can't list a continuous range; give step: or choices:"
            for name in space.continuous()
        ]
    elif search.trials is None:
        problems.append(f"search.trials: sampler {search.sampler} needs a number of trials")
    trained = [
        name
        for name in dict.fromkeys(name for (name,) in space.values("architecture"))
        if name in REGISTRY and not REGISTRY[name].frozen
    ]
    if search.validation is not None and trained:
        problems.append(
            f"search.validation needs frozen models: {', '.join(trained)} would train a whole network "
            "for each fold; leave them out of space.architecture, or write search.refit: true instead"
        )
    heads = {config.training.warm_start, *(v for (v,) in space.values("warm_start"))}
    problems += [
        f"warm_start: there is no file {path} ({why}); give a model's file, or best"
        for path in sorted(heads - {None, "best"})
        if (why := unreadable(Path(path)))
    ]
    if problems:
        raise ConfigError(config.name, problems)
    return space


def remarks(space: Space) -> list[str]:
    """What a user should know before the first trial, though the search can run."""
    lines = []
    for name in () if space.whole_videos else ("frames_per_video", "video_pooling", "top_frames"):
        if space.says(name):
            lines.append(f"{name} makes no difference: labels are of frames (data.unit)")
    architectures = {name for (name,) in space.values("architecture")}
    starting = [
        name for name, start in space.values("architecture", "warm_start") if start == "best"
    ]
    for name in dict.fromkeys(starting):
        twin = REGISTRY[name].frozen_twin
        if twin not in architectures:
            reason = f"the space has no {twin}: add it to space.architecture"
        elif unequal := _unequal(space, name, str(twin)):
            reason = f"no {twin} has the same {unequal}: give both a common value"
        else:
            continue
        lines.append(f"warm_start: best: no {name} will find a head to take over: {reason}")
    return lines


def _unequal(space: Space, trained: str, twin: str) -> str | None:
    """A parameter for which an architecture's warm starts and its twin have no value in common."""
    for name in shaping("features", "head"):
        values: dict[str, set[Any]] = {trained: set(), twin: set()}
        for architecture, start, value in space.values("architecture", "warm_start", name):
            if architecture == twin or (architecture == trained and start == "best"):
                values[architecture].add(value)
        if values[trained].isdisjoint(values[twin]):
            return name
    return None


def searched_views(space: Space) -> Views | None:
    """The augmented views that its models train on; None if there are none, or several kinds."""
    names = [field.name for field in fields(Augmentation)]
    if set(names) & set(space.continuous()):
        return None
    found: dict[Augmentation, int] = {}
    for count, *strengths in space.values("views", *names):
        if count is not None and count > 1:
            augmented = Augmentation(**dict(zip(names, strengths, strict=True)))
            found[augmented] = max(count, found.get(augmented, 1))
    return Views(*next(iter(found.items()))) if len(found) == 1 else None


def searched_models(space: Space) -> list[ModelConfig]:
    """One model for each different network of the space, with the frames that it takes."""
    networks = shaping("network", "features")
    # Every model needs these.
    names = (*networks, "frames_per_video", "sequence_length", "sequence_model", "task")
    configs: dict[tuple[Any, ...], ModelConfig] = {}
    for values in space.values(*names):
        params = dict(zip(names, values, strict=True))
        # A network over whole clips may not take clips of every length.
        clips = REGISTRY[params["architecture"]].backbone != "image"
        length = (params["frames_per_video"], params["sequence_length"]) if clips else None
        key = (*values[: len(networks)], length)
        configs.setdefault(key, ModelConfig(**params, convolution_kernel_size=1))
    return list(configs.values())
