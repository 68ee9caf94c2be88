"""Recurrent layers over short clips, with fewer and larger matrix products than PyTorch's on CPUs.

PyTorch's oneDNN LSTM always computes the gradient of its input, a quarter of the work, but stored
features need no gradient. Its GRU and RNN multiply once a step for their weights' gradient. Here the
projection of the input is one product for all steps, in the backward pass too; only
``hidden @ weight`` remains inside the loop. Parameters are those of the PyTorch layer, and results are
equal up to rounding.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Recurrent = nn.LSTM | nn.GRU | nn.RNN


def run(layer: Recurrent, steps: Tensor, index: Tensor | None = None) -> Tensor:
    """Return the hidden state at every step, both directions side by side.

    Args:
        layer (nn.LSTM | nn.GRU | nn.RNN): one layer, batch first.
        steps (Tensor): shape ``[B, L, in_features]``; or with an index ``[U, in_features]``.
        index (Tensor | None): shape ``[B, L]``: which of ``steps`` each step is. A step that several
            clips share is multiplied by the input's weights once.

    Returns:
        Tensor: shape ``[B, L, directions * size]``.
    """
    if steps.is_cuda:  # cuDNN's kernels are faster than any loop
        return layer(steps if index is None else steps[index])[0]
    outputs = [_direction(layer, steps, index, back=False)]
    if layer.bidirectional:
        outputs.append(_direction(layer, steps, index, back=True))
    output = outputs[0] if len(outputs) == 1 else torch.cat(outputs, dim=-1)
    return output.transpose(0, 1)


def _direction(layer: Recurrent, steps: Tensor, index: Tensor | None, *, back: bool) -> Tensor:
    """Hidden states ``[L, B, size]`` of one direction."""
    suffix = "_l0_reverse" if back else "_l0"
    weight, recurrent, bias, recurrent_bias = (
        getattr(layer, name + suffix) for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    )
    gru = isinstance(layer, nn.GRU)  # its reset gate is between the two biases
    if index is None:
        steps = steps.transpose(0, 1).contiguous()  # copies nothing after another such layer
    projected = F.linear(steps, weight, bias if gru else bias + recurrent_bias)
    if index is not None:
        projected = F.embedding(index.t(), projected)
    if back:
        projected = projected.flip(0)
    if gru:
        hidden = _GRU.apply(projected, recurrent, recurrent_bias)
    else:
        scan = _LSTM if isinstance(layer, nn.LSTM) else _RNN
        hidden = scan.apply(projected, recurrent)
    return hidden.flip(0) if back else hidden


def _compute_type(projected: Tensor) -> torch.dtype:
    """The type in which matrices are multiplied."""
    if torch.is_autocast_enabled("cpu"):
        return torch.get_autocast_dtype("cpu")
    return projected.dtype


def _product(left: Tensor, right: Tensor) -> Tensor:
    """``left.T @ right`` summed over all steps but the first, computed in their type; float32."""
    return (left[1:].flatten(0, 1).t() @ right[:-1].flatten(0, 1)).float()


class _LSTM(torch.autograd.Function):
    """Hochreiter and Schmidhuber, Long short-term memory, Neural Computation 1997; with forget gates."""

    @staticmethod
    def forward(ctx: Any, projected: Tensor, weight: Tensor) -> Tensor:
        """From ``[L, B, 4 * H]`` (input, forget, cell, output) and ``[4 * H, H]`` to ``[L, B, H]``."""
        length, batch, width = projected.shape
        size, kind = width // 4, _compute_type(projected)
        matrix = weight.to(kind)
        gates = projected.float().clone()
        cells, hidden = gates.new_empty(2, length, batch, size).unbind()
        for step in range(length):
            gate = gates[step]
            if step:
                gate += hidden[step - 1].to(kind) @ matrix.t()
            gate[:, : 2 * size].sigmoid_()
            gate[:, 2 * size : 3 * size].tanh_()
            gate[:, 3 * size :].sigmoid_()
            enter, forget, cell, leave = gate.split(size, dim=1)
            torch.mul(enter, cell, out=cells[step])
            if step:
                cells[step].addcmul_(forget, cells[step - 1])
            torch.mul(leave, cells[step].tanh(), out=hidden[step])
        ctx.save_for_backward(matrix, gates, cells, hidden)
        return hidden

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        matrix, gates, cells, hidden = ctx.saved_tensors
        length, batch, size = hidden.shape
        enter, forget, cell, leave = gates.split(size, dim=2)
        outer = cells.tanh()
        # The factors of each step's gradient, for all steps at once.
        factors = gates.new_empty(length, batch, 3, size)
        factors[:, :, 0] = cell * enter * (1 - enter)
        factors[0, :, 1] = 0
        factors[1:, :, 1] = cells[:-1] * forget[1:] * (1 - forget[1:])
        factors[:, :, 2] = enter * (1 - cell * cell)
        leaving = outer * leave * (1 - leave)
        inward = leave * (1 - outer * outer)
        result = torch.empty_like(gates, dtype=matrix.dtype)
        grad_hidden, grad_cell = grad[-1], torch.zeros_like(cells[0])
        for step in reversed(range(length)):
            grad_cell = torch.addcmul(grad_cell, grad_hidden, inward[step])
            torch.mul(grad_cell[:, None], factors[step], out=factors[step])
            result[step, :, : 3 * size] = factors[step].flatten(1)
            result[step, :, 3 * size :] = grad_hidden * leaving[step]
            if step:
                grad_hidden = grad[step - 1] + result[step] @ matrix
                grad_cell = grad_cell * forget[step]
        return result, _product(result, hidden.to(matrix.dtype))


class _GRU(torch.autograd.Function):
    """Cho et al., Learning phrase representations using RNN encoder-decoder, EMNLP 2014; as cuDNN's."""

    @staticmethod
    def forward(ctx: Any, projected: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """From ``[L, B, 3 * H]`` (reset, update, new), ``[3 * H, H]``, ``[3 * H]`` to ``[L, B, H]``."""
        length, batch, width = projected.shape
        size, kind = width // 3, _compute_type(projected)
        matrix = weight.to(kind)
        gates = projected.float().clone()
        hidden, inner = gates.new_empty(2, length, batch, size).unbind()
        for step in range(length):
            gate = gates[step]
            if step:
                recurrent = (hidden[step - 1].to(kind) @ matrix.t()).float().add_(bias)
            else:
                recurrent = bias.expand(batch, -1)
            gate[:, : 2 * size].add_(recurrent[:, : 2 * size]).sigmoid_()
            reset, update, new = gate.split(size, dim=1)
            inner[step] = recurrent[:, 2 * size :]
            new.addcmul_(reset, inner[step]).tanh_()
            if step:
                torch.lerp(new, hidden[step - 1], update, out=hidden[step])
            else:
                torch.mul(new, 1 - update, out=hidden[step])
        ctx.save_for_backward(matrix, gates, hidden, inner)
        return hidden

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        matrix, gates, hidden, inner = ctx.saved_tensors
        length, batch, size = hidden.shape
        reset, update, new = gates.split(size, dim=2)
        # The factors of each step's gradient, for all steps at once.
        factors = gates.new_empty(length, batch, 4, size)
        slope = (1 - update) * (1 - new * new)
        factors[:, :, 0] = slope * inner * reset * (1 - reset)
        factors[:, :, 1] = -new
        factors[1:, :, 1] += hidden[:-1]
        factors[:, :, 1] *= update * (1 - update)
        factors[:, :, 2] = slope * reset
        factors[:, :, 3] = slope
        result = torch.empty_like(factors, dtype=matrix.dtype)
        recurrent = result.view(length, batch, -1)[:, :, : 3 * size]
        grad_hidden = grad[-1]
        for step in reversed(range(length)):
            result[step] = torch.mul(grad_hidden[:, None], factors[step], out=factors[step])
            if step:
                before = grad[step - 1] + recurrent[step] @ matrix
                grad_hidden = torch.addcmul(before, grad_hidden, update[step])
        grad_bias = recurrent.float().sum(dim=(0, 1))
        projected = result[:, :, [0, 1, 3]].flatten(2)
        return projected, _product(recurrent, hidden.to(matrix.dtype)), grad_bias


class _RNN(torch.autograd.Function):
    """Elman, Finding structure in time, Cognitive Science 1990."""

    @staticmethod
    def forward(ctx: Any, projected: Tensor, weight: Tensor) -> Tensor:
        """From ``[L, B, H]`` and ``[H, H]`` to ``[L, B, H]``."""
        kind = _compute_type(projected)
        matrix = weight.to(kind)
        hidden = projected.float().clone()
        for step in range(len(hidden)):
            if step:
                hidden[step] += hidden[step - 1].to(kind) @ matrix.t()
            hidden[step].tanh_()
        ctx.save_for_backward(matrix, hidden)
        return hidden

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        matrix, hidden = ctx.saved_tensors
        slope = 1 - hidden * hidden
        result = torch.empty_like(hidden, dtype=matrix.dtype)
        grad_hidden = grad[-1]
        for step in reversed(range(len(hidden))):
            result[step] = grad_hidden * slope[step]
            if step:
                grad_hidden = grad[step - 1] + result[step] @ matrix
        return result, _product(result, hidden.to(matrix.dtype))
