"""Which of two results is better: what a search selects by, from an epoch to the ranking of trials."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

Direction = Literal["maximize", "minimize"]

# The figures of the validation videos that a search may select by; each epoch reports them all. After
# "valid_" comes the loss, or the name of a figure of `tuner.training.metrics`.
METRICS: dict[str, Direction] = {
    "valid_loss": "minimize",
    "valid_accuracy": "maximize",
    "valid_f1": "maximize",
}
# Decides between equal results, the lower the better: with few frames many are equal.
TIES = "valid_loss"

Score = tuple[float, float]  # of an epoch or a trial, the greater the better


class Place(NamedTuple):
    """Sorts trials that have ended, the best first."""

    value: float  # the smaller the better
    unfinished: bool
    number: int


@dataclass(frozen=True)
class Objective:
    """What a search selects by.

    Args:
        metric: one of `METRICS`.
    """

    metric: str

    @property
    def direction(self) -> Direction:
        return METRICS[self.metric]

    def value(self, figures: Mapping[str, Any]) -> float:
        """The value that is recorded for an epoch with these figures."""
        return figures[self.metric]

    def score(self, figures: Mapping[str, Any]) -> Score:
        """The score of an epoch with these figures."""
        return self._greater(self.value(figures)), -figures[TIES]

    def score_of_values(self, values: Iterable[float]) -> Score:
        """The score of the best of several recorded values.

        Their losses are not recorded, so a new result wins a tie.
        """
        return max(map(self._greater, values)), -float("inf")

    def better(self, figures: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
        """Whether an epoch is better than another one; False if they are equal."""
        return self.score(figures) > self.score(other)

    def best(self, epochs: Sequence[Mapping[str, Any]]) -> int:
        """Index of the best epoch; the first if several are equal."""
        best = 0
        for number, figures in enumerate(epochs):
            if self.better(figures, epochs[best]):
                best = number
        return best

    def improves(self, value: float, best: float | None) -> bool:
        """Whether a recorded value is better than the best one so far, if there is one."""
        return best is None or self._greater(value) > self._greater(best)

    def place(self, value: float, *, finished: bool, number: int) -> Place:
        """A trial's place in the ranking; among equal ones the finished come first, then the earlier.

        Args:
            value: at the trial's best epoch.
            finished: whether it was trained to its end.
            number: of the trial.
        """
        return Place(-self._greater(value), not finished, number)

    def _greater(self, value: float) -> float:
        return value if self.direction == "maximize" else -value
