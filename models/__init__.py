"""Models: parameters in, a classifier of clips out. They know nothing of searching or of files
of videos.

    config = ModelConfig(architecture="video_lrcnn_frozen", sequence_model="GRU", sequence_length=5)
    model = build(config, ["no seal", "seal"])
    logits = model(clips)  # [B, 5, 3, H, W] or features [B, 5, F]  ->  [B, 2]

An architecture is a subclass of ``VideoClassifier`` and one line of ``models.registry.REGISTRY``.
Importing this package costs little: torch and timm are imported when first needed.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from models.config import ModelConfig
from models.errors import WeightsError
from models.registry import ARCHITECTURES, REGISTRY
from models.seen import clip_length, compares_frames, input_steps, steps_after, streams

if TYPE_CHECKING:
    from models.architectures.base import VideoClassifier, frame_size
    from models.architectures.mixture import Mixture, answering, members
    from models.assembly import attach_backbone, build, param_count
    from models.files import load, save

__all__ = [
    "ARCHITECTURES",
    "REGISTRY",
    "Mixture",
    "ModelConfig",
    "VideoClassifier",
    "WeightsError",
    "answering",
    "attach_backbone",
    "build",
    "clip_length",
    "compares_frames",
    "frame_size",
    "input_steps",
    "load",
    "members",
    "param_count",
    "save",
    "steps_after",
    "streams",
    "uses_stored_features",
]

_HOMES = {
    **dict.fromkeys(("attach_backbone", "build", "param_count"), "models.assembly"),
    **dict.fromkeys(("VideoClassifier", "frame_size"), "models.architectures.base"),
    **dict.fromkeys(("Mixture", "answering", "members"), "models.architectures.mixture"),
    **dict.fromkeys(("load", "save"), "models.files"),
}


def uses_stored_features(config: ModelConfig) -> bool:
    """Return whether the backbone is frozen, so that features are computed once and stored."""
    return REGISTRY[config.architecture].frozen


def __getattr__(name: str) -> Any:
    """Import what needs torch when it is first asked for (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
