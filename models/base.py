"""What all architectures share: a backbone that may be absent, normalisation, checked shapes."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from models.backbones import Backbone
from models.config import ModelConfig
from models.heads import FeatureNorm

FRAMES_AT_ONCE = 64  # through a frozen backbone, so that long clips don't need more memory


class VideoClassifier(nn.Module, ABC):
    """A model from clips, or from their frames' features, to the logits of its classes.

    Args:
        config (ModelConfig): its parameters.
        classes (Sequence[str]): names of the classes, in the order of the logits.
        num_features (int): width of a frame's feature.

    Attributes:
        backbone (Backbone | None): turns frames into features; None if it takes features only.
        norm (FeatureNorm): applied to the features; does nothing until it is fitted.
        extra (dict): whatever is to be kept in the model's file, JSON-like.
    """

    def __init__(self, *, config: ModelConfig, classes: Sequence[str], num_features: int) -> None:
        super().__init__()
        if len(classes) < 2 or len(set(classes)) < len(classes):
            raise ValueError(f"classes must be two or more different names, not {list(classes)}")
        self.config = config
        self.classes = [str(name) for name in classes]
        self.num_features = num_features
        self.backbone: Backbone | None = None
        self.norm = FeatureNorm(num_features=num_features)
        self.extra: dict[str, Any] = {}

    @abstractmethod
    def classify(self, features: Tensor) -> Tensor:
        """Return the logits of clips given by their normalised features.

        Args:
            features (Tensor): shape ``[B, L, F]``.

        Returns:
            Tensor: shape ``[B, C]``.
        """

    def forward(self, clips: Tensor) -> Tensor:
        """Return the logits of the classes.

        Args:
            clips (Tensor): features, shape ``[B, L, F]``; or RGB frames, shape
                ``[B, L, 3, H, W]``, uint8 or floating point from 0 to 1.

        Returns:
            Tensor: shape ``[B, C]``.

        Raises:
            ValueError: if the shape is another one, or frames are given without a backbone.
        """
        features = self.extract(clips) if clips.ndim == 5 else clips
        expected = [self.config.sequence_length, self.num_features]
        if features.ndim != 3 or list(features.shape[1:]) != expected:
            raise ValueError(
                f"clips must be [B, {expected[0]}, {expected[1]}] or [B, {expected[0]}, 3, H, W],"
                f" not {list(clips.shape)}"
            )
        return self.classify(self.norm(features))

    def extract(self, clips: Tensor) -> Tensor:
        """Return the backbone's features of each frame.

        Args:
            clips (Tensor): shape ``[B, L, 3, H, W]``.

        Returns:
            Tensor: shape ``[B, L, F]``.

        Raises:
            ValueError: if there is no backbone.
        """
        if self.backbone is None:
            raise ValueError(
                f"this {self.config.architecture} has no backbone and takes features, not frames:"
                " models.attach_backbone(model) gives it one"
            )
        frames = clips.flatten(0, 1)
        if self.backbone.frozen:
            with torch.no_grad():
                parts = [self.backbone(part) for part in frames.split(FRAMES_AT_ONCE)]
            return torch.cat(parts).unflatten(0, clips.shape[:2])
        return self.backbone(frames).unflatten(0, clips.shape[:2])
