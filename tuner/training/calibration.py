"""Probabilities that mean something: of rows that are said to be right at 0.9, nine in ten are."""

from __future__ import annotations

import math

import torch
from torch import Tensor

BOUNDS = (0.05, 20.0)
_PRIOR_ROWS = 10  # so many made-up rows hold a temperature near 1
_TINY = 1e-300  # in place of a probability of 0, whose logarithm is infinite
_ODD = 0.01  # the share of rows that may have any label, whatever a model says
_STEPS = (13, 7, 7, 7, 7)  # of the search, ever closer
_AT_ONCE = 10_000_000  # numbers


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
    all right do not make each prediction certain. One row in a hundred may have any label: one that is
    labelled wrong, or is of a class that the model was never shown, does not make all others unsure.

    Source: Guo, Pleiss, Sun and Weinberger, On calibration of modern neural networks, ICML 2017; the
    made-up rows are ours, and the odd ones are as in Huber's contaminated distributions.

    Args:
        probabilities: ``[N, C]``.
        labels: int64 ``[N]``.
    """
    if not len(labels):
        return 1.0
    logs = _logs(probabilities)
    true = labels.to(logs.device)[:, None]
    share = _PRIOR_ROWS / len(labels)

    def costs(inverses: Tensor) -> Tensor:
        """Of values of 1 / temperature, ``[S]``."""
        scaled = (logs * inverses[:, None, None]).log_softmax(dim=2)
        picked = scaled.gather(2, true.expand(len(inverses), -1, 1)).exp()
        odd = (1 - _ODD) * picked + _ODD / logs.shape[1]
        as_said = (logs.exp() * scaled).sum(dim=(1, 2))
        return -(odd.log().sum(dim=(1, 2)) + share * as_said)

    low, high = (-math.log(bound) for bound in reversed(BOUNDS))
    for steps in _STEPS:  # it may have several hollows: the lowest of a row of points, then closer
        places = torch.linspace(low, high, steps, dtype=torch.float64, device=logs.device)
        parts = places.exp().split(max(1, _AT_ONCE // logs.numel()))
        best = int(torch.cat([costs(part) for part in parts]).argmin())
        low, high = float(places[max(best - 1, 0)]), float(places[min(best + 1, steps - 1)])
    return math.exp(-float(places[best]))


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
