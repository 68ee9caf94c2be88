"""linear_probe: a linear classifier of what features are like over a clip or a video."""

from collections.abc import Sequence

import torch
from torch import Tensor

from models.architectures.base import VideoClassifier
from models.config import ModelConfig
from models.layers.dense import linear


class LinearProbe(VideoClassifier):
    """Mean, largest value and deviation of each feature over the steps, and one linear layer.

    Of a single step it is the feature itself. It is fitted, not trained by epochs: it is what a search
    has to beat.

    Args:
        config (ModelConfig): its parameters.
        classes (Sequence[str]): names of the classes, in the order of the logits.
        num_features (int): width of a step's feature.
    """

    def __init__(self, *, config: ModelConfig, classes: Sequence[str], num_features: int) -> None:
        super().__init__(config=config, classes=classes, num_features=num_features)
        width = num_features if self.steps == 1 else 3 * num_features
        self.logits = linear(width, len(self.classes))

    @staticmethod
    def pooled(features: Tensor) -> Tensor:
        """Return what the linear layer is given.

        Args:
            features (Tensor): shape ``[B, steps, F]``.

        Returns:
            Tensor: shape ``[B, F]`` of a single step, else ``[B, 3 * F]``.
        """
        if features.shape[1] == 1:
            return features[:, 0]
        mean = features.mean(dim=1)
        # torch.std_mean is slow over a dimension that is not the last: a quarter of a probe's time.
        deviation = (features - mean[:, None]).square_().mean(dim=1).sqrt()
        return torch.cat([mean, features.amax(dim=1), deviation], dim=1)

    def classify(self, features: Tensor) -> Tensor:
        """Return the logits of each clip.

        Args:
            features (Tensor): shape ``[B, steps, F]``.

        Returns:
            Tensor: shape ``[B, C]``.
        """
        return self.logits(self.pooled(features))

    def alone(self, features: Tensor) -> Tensor:
        """Return the logits of each step; equal steps do not deviate."""
        if self.steps == 1:
            return self.logits(features)
        return self.logits(torch.cat([features, features, torch.zeros_like(features)], dim=1))
