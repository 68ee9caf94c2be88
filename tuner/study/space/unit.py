"""What a label is of, frames or whole videos, before any video is opened."""

from __future__ import annotations

from data.files.path import place
from data.labels.file import label_form
from models.registry import REGISTRY
from tuner.config.load import Config
from tuner.config.sections import DataConfig
from tuner.study.space.checks import check
from tuner.study.space.space import Space


def with_unit(config: Config) -> Config:
    """`config` with `data.unit` known, and with `data.max_frames` if it is not given.

    Whole videos are seen through a few frames each: no more than the largest model needs are kept.
    Networks over clips need all frames, as theirs are consecutive.

    Raises:
        DataError: the label file can't be read.
    """
    data = config.data
    if data.unit == "auto":
        data = data.model_copy(update={"unit": _unit(data)})
        config = config.model_copy(update={"data": data})
    if data.unit == "video" and data.max_frames is None:
        data = data.model_copy(update={"max_frames": _most(config)})
    return config.model_copy(update={"data": data})


def searchable(config: Config) -> tuple[Config, Space]:
    """`with_unit`, and its space.

    Raises:
        ConfigError: it can't be searched.
        DataError: the label file can't be read.
    """
    check(config)
    config = with_unit(config)
    return config, check(config)


def fitting(config: Config) -> str:
    """Which of the configurations that come with the product is made for such labels, in a line."""
    if config.data.unit == "video":
        return "labels of whole videos: configs/cameratraps.yaml fits them"
    return "labels of frames: configs/seals.yaml fits, animalborne.yaml if cameras move"


def _unit(data: DataConfig) -> str:
    if data.labels is None:
        return "frame" if data.videos == "sample" else "video"
    form = label_form(place(data.labels), data.grouped_by, data.columns)
    return "video" if form == "video" else "frame"


def _most(config: Config) -> int | None:
    values = Space(config).values("architecture", "frames_per_video")
    known = [(REGISTRY[name], most) for name, most in values if name is not None]
    if any(architecture.backbone != "image" for architecture, _ in known):
        return None
    return max((most for _, most in known), default=None)
