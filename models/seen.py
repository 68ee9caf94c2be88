"""What a model of a configuration sees of a video: which pictures, and how many at once."""

from typing import Literal

from models.config import ModelConfig
from models.registry import REGISTRY

Stream = Literal["frames", "background", "relit", "previous"]


def input_steps(config: ModelConfig) -> int:
    """Return how many steps a model sees: features of frames, or of clips of a network over clips."""
    if config.frames_per_video is not None:
        return config.frames_per_video
    return config.sequence_length if REGISTRY[config.architecture].backbone == "image" else 1


def clip_length(config: ModelConfig) -> int:
    """Return how many frames a network is given for each step."""
    return 1 if REGISTRY[config.architecture].backbone == "image" else config.sequence_length


def steps_after(config: ModelConfig) -> int:
    """Return how many of a clip's frames come after the one that its label is of."""
    whole = config.frames_per_video is not None
    return 0 if whole or config.labelled_frame == "last" else (config.sequence_length - 1) // 2


def streams(config: ModelConfig) -> tuple[Stream, ...]:
    """Return what a model sees of each frame, in the order of its features.

    They are the frame itself, and its motion images against what `motion` names.
    """
    if config.motion == "none":
        return ("frames",)
    motion: tuple[Stream, ...] = (
        ("background", "previous") if config.motion == "both" else (config.motion,)
    )
    return ("frames", *motion) if config.appearance else motion


def compares_frames(config: ModelConfig) -> bool:
    """Return whether what a model sees of a frame is made with others, which have to be stored."""
    return config.motion != "none" or config.crop != "none"
