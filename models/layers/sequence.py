"""Stacked layers over time: recurrent layers, a one-dimensional convolution, a Transformer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.layers.attention import TransformerLayer
from models.layers.recurrence import Recurrent, run

RECURRENT: dict[str, type[Recurrent]] = {"LSTM": nn.LSTM, "GRU": nn.GRU, "SimpleRNN": nn.RNN}


def recurrent(kind: str, *, in_features: int, size: int, bidirectional: bool = False) -> Recurrent:
    """Return one recurrent layer that starts as in Keras.

    Input weights are Glorot uniform, recurrent ones orthogonal (Saxe et al., Exact solutions to
    the nonlinear dynamics of learning in deep linear neural networks, ICLR 2014), biases zero
    except an LSTM's forget gate, at 1 (Jozefowicz et al., An empirical exploration of recurrent
    network architectures, ICML 2015). PyTorch adds up two biases a gate; the 1 is in one of them.
    """
    layer = RECURRENT[kind](in_features, size, batch_first=True, bidirectional=bidirectional)
    for name, parameter in layer.named_parameters():
        if name.startswith("weight_ih"):
            nn.init.xavier_uniform_(parameter)
        elif name.startswith("weight_hh"):
            nn.init.orthogonal_(parameter)
        else:
            nn.init.zeros_(parameter)
        if kind == "LSTM" and name.startswith("bias_ih"):
            nn.init.ones_(parameter[size : 2 * size])  # gates: input, forget, cell, output
    return layer


class Convolution1D(nn.Module):
    """A convolution over time that keeps the number of steps, and ReLU.

    Args:
        in_features (int): width of a step.
        size (int): number of filters.
        kernel_size (int): steps that each filter sees.
    """

    def __init__(self, *, in_features: int, size: int, kernel_size: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(in_features, size, kernel_size)
        nn.init.xavier_uniform_(self.conv.weight)
        if self.conv.bias is not None:
            nn.init.zeros_(self.conv.bias)
        before = (kernel_size - 1) // 2
        self.padding = (before, kernel_size - 1 - before)

    def forward(self, steps: Tensor) -> Tensor:
        """Return the filters' output at every step.

        Args:
            steps (Tensor): shape ``[B, L, in_features]``.

        Returns:
            Tensor: shape ``[B, L, size]``.
        """
        padded = F.pad(steps.transpose(1, 2), self.padding)
        return self.conv(padded).relu().transpose(1, 2)


@dataclass(frozen=True, kw_only=True)
class Place:
    """The options of a layer over time, and its place in the stack.

    Attributes:
        in_features (int): width of a step.
        size (int): width of the layer.
        dropout (float): rate inside a layer that has any.
        kernel_size (int): steps that a filter sees.
        bidirectional (bool): whether it reads the clip both ways.
        first (bool): whether no other layer comes before it.
    """

    in_features: int
    size: int
    dropout: float
    kernel_size: int
    bidirectional: bool
    first: bool


def _recurrent(kind: str, place: Place) -> nn.Module:
    return recurrent(
        kind,
        in_features=place.in_features,
        size=place.size,
        bidirectional=place.bidirectional,
    )


# Each takes steps ``[B, L, in_features]`` and gives ``[B, L, size]``.
LAYERS: dict[str, Callable[[Place], nn.Module]] = {
    **{kind: partial(_recurrent, kind) for kind in RECURRENT},
    "Convolution1D": lambda its: Convolution1D(
        in_features=its.in_features, size=its.size, kernel_size=its.kernel_size
    ),
    "Transformer": lambda its: TransformerLayer(
        in_features=its.in_features, size=its.size, dropout=its.dropout, positions=its.first
    ),
}


class SequenceStack(nn.Module):
    """One kind of layer over time, stacked, with dropout between the layers.

    Args:
        kind (str): a name of `LAYERS`.
        in_features (int): width of a step.
        sizes (Sequence[int]): widths of the layers, at least one.
        dropout (float): rate between two layers; there is none after the last one.
        kernel_size (int): steps that a filter of a convolution sees.
        return_sequence (bool): whether every step of the last layer is returned, flattened,
            instead of the last step alone. A ``Convolution1D`` always returns every step.
        bidirectional (bool): whether recurrent layers read the clip both ways, each way with the
            layer's width. The last step is then the last one that each way reads: the way back
            ends at the first step of the clip.

    Source of reading both ways: Schuster and Paliwal, Bidirectional recurrent neural networks,
    IEEE Transactions on Signal Processing 45, 1997.

    Raises:
        ValueError: if there is no layer, or one of width 0; if ``bidirectional`` and not recurrent.
    """

    def __init__(
        self,
        *,
        kind: str,
        in_features: int,
        sizes: Sequence[int],
        dropout: float,
        kernel_size: int,
        return_sequence: bool,
        bidirectional: bool = False,
    ) -> None:
        super().__init__()
        if not sizes or min(sizes) < 1:
            raise ValueError(f"sizes must be one or more positive widths, not {list(sizes)}")
        if bidirectional and kind not in RECURRENT:
            raise ValueError(f"{kind} can't be bidirectional: only {', '.join(RECURRENT)} can")
        self.return_sequence = return_sequence or kind == "Convolution1D"
        self.bidirectional = bidirectional
        self.size = sizes[-1] * (2 if bidirectional else 1)
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.ModuleList()
        width = in_features
        for i, size in enumerate(sizes):
            place = Place(
                in_features=width,
                size=size,
                dropout=dropout,
                kernel_size=kernel_size,
                bidirectional=bidirectional,
                first=i == 0,
            )
            self.layers.append(LAYERS[kind](place))
            width = 2 * size if bidirectional else size

    def out_features(self, sequence_length: int) -> int:
        """Return the width of the output for clips of ``sequence_length`` steps."""
        return self.size * sequence_length if self.return_sequence else self.size

    def forward(self, steps: Tensor, index: Tensor | None = None) -> Tensor:
        """Return the last layer's output for each clip.

        Args:
            steps (Tensor): shape ``[B, L, in_features]``; or with an index ``[U, in_features]``.
            index (Tensor | None): shape ``[B, L]``: which of ``steps`` each step of a clip is.

        Returns:
            Tensor: shape ``[B, size]``, or ``[B, L * size]`` if every step is returned.
        """
        for i, layer in enumerate(self.layers):
            if i:
                steps = self.dropout(steps)
            if isinstance(layer, Recurrent):
                steps = run(layer, steps, index)
            else:
                steps = layer(steps if index is None else steps[index])
            index = None  # only for the input of the first layer
        if self.return_sequence:
            return steps.flatten(1)
        if self.bidirectional:
            forward, back = steps.chunk(2, dim=-1)
            return torch.cat([forward[:, -1], back[:, 0]], dim=-1)
        return steps[:, -1]
