"""From parameters to a model: the registry's class, and a backbone below it."""

from collections.abc import Sequence
from importlib import import_module

from torch import nn

from models.architectures.base import VideoClassifier
from models.config import ModelConfig
from models.registry import REGISTRY


def family(architecture: str) -> type[VideoClassifier]:
    """Return the class that the registry names for an architecture."""
    module, name = REGISTRY[architecture].model.split(":")
    found: type[VideoClassifier] = getattr(import_module(f"models.architectures.{module}"), name)
    return found


def build(
    config: ModelConfig, classes: Sequence[str], *, with_backbone: bool = True
) -> VideoClassifier:
    """Build the model that ``config`` describes.

    Args:
        config (ModelConfig): its parameters.
        classes (Sequence[str]): names of the classes, in the order of the logits.
        with_backbone (bool): False for a model that takes stored features only: the backbone is
            neither built nor loaded. The other layers start the same either way. A backbone that
            is trained is always part of its model.

    Raises:
        ValueError: if there are fewer than two classes, or two of the same name; if clips or frames
            are too small for the architecture, or its backbone can't be trained as asked for.
        WeightsError: if the backbone's weights can't be had or don't fit.
    """
    kind = family(config.architecture)
    model = kind(config=config, classes=classes, num_features=kind.feature_width(config))
    trained = not REGISTRY[config.architecture].frozen
    return attach_backbone(model) if with_backbone or trained else model


def attach_backbone(model: VideoClassifier) -> VideoClassifier:
    """Give a model the backbone that its features come from, so that it takes frames.

    A model of an architecture without a backbone is returned as it is.

    Raises:
        ValueError: if the backbone can't be trained as its parameters say.
        WeightsError: if its weights can't be had or don't fit.
    """
    config = model.config
    if config.pretrained_model_name is None:
        return model
    from models.backbones.load import load_backbone  # imports timm, which takes seconds

    backbone = load_backbone(
        config.pretrained_model_name,
        pooling=config.pooling,
        stage=config.backbone_stage,
        pretrained=config.pretrained,
        weights_path=config.model_weights_path,
    )
    if REGISTRY[config.architecture].frozen:
        backbone.freeze()
    else:
        backbone.unfreeze(config.trainable_layers)
        if config.gradient_checkpointing:
            backbone.checkpoint_gradients()
    model.backbone = backbone.to(model.norm.mean.device)
    return model


def param_count(model: nn.Module) -> int:
    """Return how many numbers training changes: those of a frozen backbone don't count."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)
