"""What a choice of parameters means for the others: which make no difference any more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from models.backbones.names import VIDEO_BACKBONES
from models.registry import POOLING_MODELS, RECURRENT_MODELS, REGISTRY


def sequence_layers(params: Mapping[str, Any]) -> int:
    """How many of the layer sizes are those of layers over time."""
    if params.get("sequence_model") in (None, *POOLING_MODELS):
        return 0
    return int(params.get("sequence_model_layers", 1))


def unused_parameters(params: Mapping[str, Any]) -> set[str]:
    """Parameters that make no difference after the choices in `params`.

    They have one value then, so that no model is proposed twice under different names.
    """
    architecture = REGISTRY[params["architecture"]]
    sequence_model, views = params.get("sequence_model"), params.get("views", 1)
    unused: set[str] = set()
    if params.get("sequence_length", 2) == 1:
        unused |= {"sequence_stride", "time_jitter", "frame_drop"}
    if architecture.backbone is None:
        unused |= {"pretrained_model_name", "pretrained", "model_weights_path", "pooling"}
    if architecture.backbone != "image":
        unused |= {"pooling", "motion"}
    if architecture.frozen or architecture.backbone is None:
        unused |= {"trainable_layers", "gradient_checkpointing", "backbone_learning_rate"}
        unused |= {"warm_start"}
    if not architecture.layers:
        unused |= {"layer_1_size", "layer_2_size", "layer_3_size"}
    if not architecture.sequential:
        unused |= {"sequence_model", "sequence_model_layers", "bidirectional"}
    elif "sequence_model" in params:
        if sequence_model not in RECURRENT_MODELS:
            unused |= {"bidirectional"}
        if sequence_model in POOLING_MODELS:
            unused |= {"sequence_model_layers"}
    if sequence_model != "Convolution1D":
        unused |= {"convolution_kernel_size"}
    if architecture.frozen:
        if views == 1:
            unused |= {"flip", "rotation", "shift", "zoom", "colour"}
        if architecture.backbone == "video":
            unused |= {"time_jitter", "frame_drop"}  # a clip is one stored feature
    else:
        unused |= {"views"}
    if params.get("schedule") == "cosine":
        unused |= {"rounds", "learning_rate_decay", "patience"}
    if params.get("loss") == "cross_entropy":
        unused |= {"focal_gamma"}
    return unused


def takes(architecture: str) -> str:
    """Which backbones go with an architecture, in words."""
    video = REGISTRY[architecture].backbone == "video"
    return ", ".join(VIDEO_BACKBONES) if video else "networks of images, such as efficientnet_lite0"
