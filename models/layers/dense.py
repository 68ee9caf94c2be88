"""Layers that every head is made of: dense layers, and the normalisation of features."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn


def linear(in_features: int, out_features: int) -> nn.Linear:
    """Return a linear layer that starts as in Keras: Glorot uniform weights, zero biases.

    Source: Glorot and Bengio, Understanding the difficulty of training deep feedforward neural
    networks, AISTATS 2010.
    """
    layer = nn.Linear(in_features, out_features)
    nn.init.xavier_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


class DenseStack(nn.Sequential):
    """One (linear, ReLU, dropout) for each size; a size of 0 adds no layer.

    Args:
        in_features (int): width of the input.
        sizes (Sequence[int]): widths of the layers.
        dropout (float): rate after each layer.
    """

    def __init__(self, *, in_features: int, sizes: Sequence[int], dropout: float) -> None:
        layers: list[nn.Module] = []
        width = in_features
        for size in sizes:
            if size:
                layers += [linear(width, size), nn.ReLU(), nn.Dropout(dropout)]
                width = size
        super().__init__(*layers)
        self.out_features = width

    def forward(self, features: Tensor) -> Tensor:
        """Return the last layer's output.

        Args:
            features (Tensor): shape ``[..., in_features]``.

        Returns:
            Tensor: shape ``[..., out_features]``.
        """
        return super().forward(features)


SMALLEST_STD = 1e-6  # below it a feature is constant, but for rounding
FeatureScale = Literal["own", "common"]
# How many times the usual deviation a feature is at least divided by.
_LEAST: dict[FeatureScale, float] = {"own": 0.1, "common": 2.0}


def divisors(std: Tensor, scale: FeatureScale) -> Tensor:
    """What features are divided by: their deviation, and no less than a multiple of the usual one.

    A feature that hardly varies in training may be large at the next site. Divided by its own deviation
    alone, it would there outweigh all others, whatever they say. The usual deviation is the median of
    the features that vary.

    Args:
        std (Tensor): shape ``[num_features]``.
        scale: ``own``: no less than a tenth of the usual deviation, which few features are below;
            ``common``: no less than twice the usual one, which nearly all are below.

    Returns:
        Tensor: the same shape; 1 if nothing varies.
    """
    varying = std[std >= SMALLEST_STD]
    if not len(varying):
        return torch.ones_like(std)
    return std.clamp(min=float(_LEAST[scale] * varying.median()))


class FeatureNorm(nn.Module):
    """Brings features to mean 0 and a deviation of 1, or below, over the training frames (`divisors`).

    It has no parameters: mean and scale are buffers, so they are saved with the model. Until
    ``fit`` is called it changes nothing.

    Args:
        num_features (int): width of a feature vector.
        feature_scale: as of `divisors`.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, *, num_features: int, feature_scale: FeatureScale = "own") -> None:
        super().__init__()
        self.feature_scale = feature_scale
        self.register_buffer("mean", torch.zeros(num_features))
        self.register_buffer("scale", torch.ones(num_features))

    def fit(self, mean: Tensor, std: Tensor) -> None:
        """Set what is subtracted and divided by.

        Args:
            mean (Tensor): shape ``[num_features]``, over the training frames only.
            std (Tensor): shape ``[num_features]``.

        Raises:
            ValueError: if a shape is another one or a value is not finite.
        """
        for name, value in (("mean", mean), ("std", std)):
            if value.shape != self.mean.shape:
                raise ValueError(
                    f"{name} must have shape {list(self.mean.shape)}, not {list(value.shape)}"
                )
            if not torch.isfinite(value).all():
                raise ValueError(
                    f"{name} has {int((~torch.isfinite(value)).sum())} non-finite values"
                )
        self.mean.copy_(mean)
        self.scale.copy_(1 / divisors(std, self.feature_scale))

    def forward(self, features: Tensor) -> Tensor:
        """Return the features normalised.

        Args:
            features (Tensor): shape ``[..., num_features]``, of any floating type.

        Returns:
            Tensor: the same shape, of the type of the buffers.
        """
        return (features.to(self.mean.dtype) - self.mean) * self.scale
