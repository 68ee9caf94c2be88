"""A Transformer's layer over the steps of a clip."""

import math

import torch
from torch import Tensor, nn

from models.layers.dense import linear

HEADS = 4  # at most; fewer if the width can't be divided by it


class TransformerLayer(nn.Module):
    """Self-attention between the steps and a feed-forward network, each added to its input.

    The normalisation comes before each of the two (Xiong et al., On layer normalization in the
    Transformer architecture, ICML 2020), so that it trains without a warm-up.

    Source: Vaswani et al., Attention is all you need, NeurIPS 2017.

    Args:
        in_features (int): width of a step; brought to ``size`` by a linear layer if it differs.
        size (int): width of the output; the feed-forward network is twice as wide.
        dropout (float): rate inside the layer.
        positions (bool): whether sines of the steps' numbers are added first. Only the first
            layer of a stack needs them, to know the order of the steps.
    """

    def __init__(self, *, in_features: int, size: int, dropout: float, positions: bool) -> None:
        super().__init__()
        same = in_features == size
        self.projection: nn.Module = nn.Identity() if same else linear(in_features, size)
        self.positions = positions
        self.encoder = nn.TransformerEncoderLayer(
            size,
            nhead=math.gcd(size, HEADS),
            dim_feedforward=2 * size,
            dropout=dropout,
            batch_first=True,
            norm_first=True,
        )

    def forward(self, steps: Tensor) -> Tensor:
        """Return the layer's output at every step.

        Args:
            steps (Tensor): shape ``[B, L, in_features]``.

        Returns:
            Tensor: shape ``[B, L, size]``.
        """
        steps = self.projection(steps)
        if self.positions:
            steps = steps + positions(steps.shape[1], steps.shape[2]).to(steps)
        return self.encoder(steps)


def positions(length: int, size: int) -> Tensor:
    """Return a different vector for each step: sines and cosines of falling frequencies.

    Returns:
        Tensor: shape ``[length, size]``, from -1 to 1; sines in the even columns.
    """
    frequencies = torch.exp(torch.arange(0, size, 2) * (-math.log(10_000) / size))
    angles = torch.arange(length)[:, None] * frequencies
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)[:, :size]
