"""Poolings over the steps of a clip: they weigh the steps, whatever their order."""

from abc import ABC, abstractmethod

from torch import Tensor, nn

from models.layers.dense import linear

HIDDEN = 128  # width of the attention's hidden layer, as in its source


class Pooling(nn.Module, ABC):
    """A weighted mean of the steps.

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
    def weights(self, steps: Tensor) -> Tensor:
        """Return how much each step counts.

        Args:
            steps (Tensor): shape ``[B, L, num_features]``.

        Returns:
            Tensor: shape ``[B, L, 1]``, positive, with sum 1 over the steps.
        """

    def forward(self, steps: Tensor) -> Tensor:
        """Return the weighted mean.

        Args:
            steps (Tensor): shape ``[B, L, num_features]``.

        Returns:
            Tensor: shape ``[B, num_features]``.
        """
        return (self.weights(steps) * steps).sum(1)


class MeanPooling(Pooling):
    """The mean over the steps."""

    def weights(self, steps: Tensor) -> Tensor:
        """Return the same weight for every step, arguments and shapes as ``Pooling.weights``."""
        return steps.new_full((*steps.shape[:2], 1), 1 / steps.shape[1])


class AttentionPooling(Pooling):
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
        """Return each step's weight, arguments and shapes as ``Pooling.weights``."""
        scores = self.score(self.value(steps).tanh() * self.gate(steps).sigmoid())
        return scores.softmax(dim=1)


POOLING: dict[str, type[Pooling]] = {
    "AttentionPooling": AttentionPooling,
    "MeanPooling": MeanPooling,
}
