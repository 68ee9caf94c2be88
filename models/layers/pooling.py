"""Poolings over steps, of a clip or of a whole video: one vector of them, whatever their order."""

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from models.layers.dense import linear

HIDDEN = 128  # width of the attention's hidden layer, as in its source


class Pooling(nn.Module, ABC):
    """One vector of several steps.

    Args:
        num_features (int): width of a step, and of the output.
    """

    def __init__(self, *, num_features: int) -> None:
        super().__init__()
        self.size = num_features

    def out_features(self, sequence_length: int) -> int:
        """Return the width of the output for clips of ``sequence_length`` steps."""
        return self.size

    @abstractmethod
    def forward(self, steps: Tensor) -> Tensor:
        """Return one vector for each row of steps.

        Args:
            steps (Tensor): shape ``[B, L, num_features]``.

        Returns:
            Tensor: shape ``[B, num_features]``.
        """

    @abstractmethod
    def shares(self, steps: Tensor) -> Tensor:
        """Return how much of the vector comes from each step.

        Args:
            steps (Tensor): shape ``[B, L, num_features]``.

        Returns:
            Tensor: shape ``[B, L]``, from 0 to 1, with sum 1 over the steps.
        """


class WeightedMean(Pooling):
    """A mean in which steps may count differently."""

    @abstractmethod
    def weights(self, steps: Tensor) -> Tensor:
        """Return how much each step counts.

        Args:
            steps (Tensor): shape ``[B, L, num_features]``.

        Returns:
            Tensor: shape ``[B, L, 1]``, positive, with sum 1 over the steps.
        """

    def forward(self, steps: Tensor) -> Tensor:
        """Return the weighted mean, arguments and shapes as ``Pooling.forward``."""
        return (self.weights(steps) * steps).sum(1)

    def shares(self, steps: Tensor) -> Tensor:
        """Return the weights, arguments and shapes as ``Pooling.shares``."""
        return self.weights(steps).squeeze(2)


class MeanPooling(WeightedMean):
    """The mean over the steps."""

    def weights(self, steps: Tensor) -> Tensor:
        """Return the same weight for every step, arguments and shapes as ``WeightedMean.weights``."""
        return steps.new_full((*steps.shape[:2], 1), 1 / steps.shape[1])


class AttentionPooling(WeightedMean):
    """Gated attention: a small network says how much each step counts.

    Source: Ilse, Tomczak and Welling, Attention-based deep multiple instance learning, ICML 2018,
    equation 9.

    Args:
        num_features (int): width of a step, and of the output.
    """

    def __init__(self, *, num_features: int) -> None:
        super().__init__(num_features=num_features)
        self.value = linear(num_features, HIDDEN)
        self.gate = linear(num_features, HIDDEN)
        self.score = linear(HIDDEN, 1)

    def weights(self, steps: Tensor) -> Tensor:
        """Return each step's weight, arguments and shapes as ``WeightedMean.weights``."""
        scores = self.score(self.value(steps).tanh() * self.gate(steps).sigmoid())
        return scores.softmax(dim=1)


class MaxPooling(Pooling):
    """The largest value of each feature: one step in which a thing is seen is enough."""

    def forward(self, steps: Tensor) -> Tensor:
        """Return the largest values, arguments and shapes as ``Pooling.forward``."""
        return steps.amax(dim=1)

    def shares(self, steps: Tensor) -> Tensor:
        """Return the share of the features that are largest in each step."""
        places = steps.argmax(dim=1, keepdim=True)
        return torch.zeros_like(steps).scatter_(1, places, 1.0).mean(dim=2)


class LogSumExpPooling(Pooling):
    """Between the mean and the largest value of each feature; how far between is learnt.

    It is ``log(mean(exp(r * x))) / r``, with one ``r`` that begins at 1.

    Source: Pinheiro and Collobert, From image-level to pixel-level labeling with convolutional
    networks, CVPR 2015, equation 6.

    Args:
        num_features (int): width of a step, and of the output.
    """

    def __init__(self, *, num_features: int) -> None:
        super().__init__(num_features=num_features)
        self.log_sharpness = nn.Parameter(torch.zeros(()))

    def forward(self, steps: Tensor) -> Tensor:
        """Return the soft maximum, arguments and shapes as ``Pooling.forward``."""
        sharpness = self.log_sharpness.exp()
        total = (sharpness * steps).logsumexp(dim=1)
        return (total - math.log(steps.shape[1])) / sharpness

    def shares(self, steps: Tensor) -> Tensor:
        """Return each step's share in the slopes of the features."""
        return (self.log_sharpness.exp() * steps).softmax(dim=1).mean(dim=2)


POOLING: dict[str, type[Pooling]] = {
    "AttentionPooling": AttentionPooling,
    "MeanPooling": MeanPooling,
    "MaxPooling": MaxPooling,
    "LogSumExpPooling": LogSumExpPooling,
}
