"""Probabilities that mean something: of rows that are said to be right at 0.9, nine in ten are."""

from __future__ import annotations

import math

import torch
from torch import Tensor

BOUNDS = (0.05, 20.0)
_PRIOR_ROWS = 10  # so many made-up rows hold a temperature near 1
_TINY = 1e-300  # in place of a probability of 0, whose logarithm is infinite
_HALVINGS = 40


def at_temperature(probabilities: Tensor, temperature: float) -> Tensor:
    """Probabilities at a temperature: above 1 they are less sure, below 1 surer.

    The most probable class stays the same.

    Args:
        probabilities: ``[N, C]``.

    Returns:
        float64 ``[N, C]``.
    """
    if temperature == 1:
        return probabilities.double()
    return (_logs(probabilities) / temperature).softmax(dim=1)


def fit_temperature(probabilities: Tensor, labels: Tensor) -> float:
    """The temperature at which probabilities fit labels best, within `BOUNDS`; of no rows 1.

    It minimises the cross-entropy of the rows and of ten made-up ones, whose labels come out as the
    probabilities themselves say. These alone would give 1. So few rows change little, and rows that are
    all right do not make each prediction certain.

    Source: Guo, Pleiss, Sun and Weinberger, On calibration of modern neural networks, ICML 2017; the
    made-up rows are ours.

    Args:
        probabilities: ``[N, C]``.
        labels: int64 ``[N]``.
    """
    if not len(labels):
        return 1.0
    logs = _logs(probabilities)
    true = logs.gather(1, labels.to(logs.device)[:, None]).sum()
    said = (logs.exp() * logs).sum()  # what `true` would be if labels came out as said
    share = _PRIOR_ROWS / len(labels)
    wanted = true + share * said

    def slope(inverse: float) -> float:
        """Of the cross-entropy over 1 / temperature, in which it is convex."""
        expected = ((logs * inverse).softmax(dim=1) * logs).sum()
        return float((1 + share) * expected - wanted)

    low, high = (math.log(1 / bound) for bound in reversed(BOUNDS))
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if slope(math.exp(middle)) > 0:
            high = middle
        else:
            low = middle
    return math.exp(-(low + high) / 2)


def calibration_error(probabilities: Tensor, labels: Tensor, bins: int = 15) -> float:
    """How far the probability of the predicted class is from how often it is right, on average.

    Rows are binned by that probability, in bins of equal width; the differences of the bins are
    averaged by their rows (the expected calibration error).

    Source: Guo et al., as above, section 2.

    Args:
        probabilities: ``[N, C]``, N at least 1.
        labels: int64 ``[N]``.
    """
    sure, decided = probabilities.double().max(dim=1)
    right = (decided == labels).double()
    place = (sure * bins).ceil().long().clamp(1, bins) - 1
    off = torch.zeros(bins, dtype=torch.float64, device=sure.device)
    off.index_add_(0, place, right - sure)
    return float(off.abs().sum() / len(labels))


def _logs(probabilities: Tensor) -> Tensor:
    return probabilities.double().clamp(min=_TINY).log()
