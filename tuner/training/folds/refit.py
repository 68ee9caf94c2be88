"""The last training of a trial that was validated by folds: on all that validated, as long as was best.

Each fold's model has learnt from a part of the videos. With few videos the rest counts, so one more
model learns from them all. Nothing is left to validate it: how long it is trained, or how strong its
penalty is, is what was best in the folds.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import numpy as np
from torch import Tensor

from tuner.objective import Objective
from tuner.training.loop import Training
from tuner.training.probe import ProbeTraining

History = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Plan:
    """How to train without validation.

    Attributes:
        rounds: epochs of each round, the first at least one.
        strength: of a linear probe; None for other models.
    """

    rounds: tuple[int, ...]
    strength: float | None = None

    @classmethod
    def of(cls, histories: Sequence[History], objective: Objective) -> Plan:
        """What was best in trainings with validation, on the average.

        Args:
            histories: of each, an entry an epoch, as `Training.step` gives it.
            objective: of a single training: says which epoch is the best.
        """
        counted = zip_longest(*(counted_epochs(own, objective) for own in histories), fillvalue=0)
        first, *others = (round(sum(epochs) / len(epochs)) for epochs in counted)
        strengths = [own[0]["strength"] for own in histories if "strength" in own[0]]
        middle = float(np.exp(np.median(np.log(strengths)))) if strengths else None
        return cls((max(1, first), *others), middle)


def counted_epochs(history: History, objective: Objective) -> list[int]:
    """Epochs of each round up to its best; none where a round has found nothing better."""
    counted: list[int] = []
    best, begin = 0, 0
    for number, epoch in enumerate(history):
        while len(counted) < epoch["round"]:
            counted.append(0)
            begin = number
        if number == 0 or objective.better(epoch, history[best]):
            best = number
            counted[-1] = number - begin + 1
    return counted


class Refit(Training):
    """Trains as `Training` does, without validation: so many epochs of each round, and keeps the last.

    A round goes on from the end of the one before, as it would from its best.
    """

    def __init__(self, *args: Any, plan: Plan, **rest: Any) -> None:
        super().__init__(*args, **rest)
        self.plan = plan

    def _judge(self, result: dict[str, Any]) -> None:
        """Nothing: there is nothing to judge it by."""

    def _keep_if_best(self, judged: tuple[Tensor, Tensor] | None) -> None:
        self._keep()

    def _end_round_if_due(self) -> None:
        rounds = self.plan.rounds
        if self.epoch - self.round_start < rounds[self.round - 1]:
            return
        later = [number for number in range(self.round, len(rounds)) if rounds[number]]
        if later:
            self._begin_round(later[0] + 1)
        else:
            self.finished = True


class ProbeRefit(ProbeTraining):
    """Fits a linear probe with a strength that is known."""

    def __init__(self, *args: Any, plan: Plan, **rest: Any) -> None:
        super().__init__(*args, **rest)
        self.plan = plan

    def step(self) -> dict[str, Any]:
        """Fit it; the figures are those of the train split."""
        start = time.perf_counter()
        strength = self.plan.strength
        assert strength is not None  # as the folds were of a probe
        weight, bias, seen, labels = self._fit([strength])
        return self._end(self._result(strength, seen[0], labels), weight[0], bias[0, 0], start)
