"""What tests of architectures share: configurations at which each is quick."""

from typing import Any

import torch
from torch import Tensor

import models
from models import ModelConfig, build, param_count

CLASSES = ["no seal", "seal"]
FROZEN = ["image_mlp_frozen", "video_mlp_concat", "video_lrcnn_frozen", "linear_probe"]
IMAGES = [*FROZEN, "image_mlp_trainable", "video_lrcnn_trainable"]
SMALL: dict[str, dict[str, Any]] = {  # sizes at which each architecture is quick
    **{name: {"pretrained_model_name": "test_resnet", "frame_size": 32} for name in IMAGES},
    "c3d": {"frame_size": 32},
    "c3dsmall": {"frame_size": 64, "sequence_length": 11},
    **{f"video_3d_{kind}": {"frame_size": 24} for kind in ("frozen", "trainable")},
}


def config(architecture: str, **values: Any) -> ModelConfig:
    if architecture.startswith("video_lrcnn"):
        values.setdefault("sequence_model", "GRU")
    if architecture in IMAGES and not architecture.startswith("image"):
        values.setdefault("sequence_length", 3)
    return ModelConfig(architecture=architecture, **values)


def small(architecture: str, **values: Any) -> ModelConfig:
    return config(architecture, **{"pretrained": False, **SMALL[architecture], **values})


def clips_of(model: models.VideoClassifier, count: int = 2) -> Tensor:
    size = (count, model.config.sequence_length, 3, *models.frame_size(model.config))
    return torch.randint(0, 256, size, dtype=torch.uint8)


def count(architecture: str, **values: Any) -> int:
    return param_count(build(config(architecture, **values), CLASSES, with_backbone=False))
