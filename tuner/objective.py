"""Which of two results is better: what a search selects by, from an epoch to the ranking of trials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    """Sorts trials, the best first."""

    folds: int  # done, with a minus; 0 in a search without folds
    value: float  # the smaller the better
    unfinished: bool
    number: int


@dataclass(frozen=True)
class Objective:
    """What a search selects by.

    A trial reports one step after the other. A step is an epoch, and the best one stands for the trial.
    In a search with folds a step is a fold, and its figures are those over all folds so far: the last
    step stands for the trial, and a trial of more folds comes before one of fewer.

    Args:
        metric: one of `METRICS`.
        folded: whether trials are validated by folds.
    """

    metric: str
    folded: bool = False

    @property
    def direction(self) -> Direction:
        return METRICS[self.metric]

    @property
    def step(self) -> str:
        """What a step of a trial is called."""
        return "fold" if self.folded else "epoch"

    def value(self, figures: Mapping[str, Any]) -> float:
        """The value that is recorded for an epoch with these figures."""
        return figures[self.metric]

    def score(self, figures: Mapping[str, Any]) -> Score:
        """The score of an epoch with these figures."""
        return self._greater(self.value(figures)), -figures[TIES]

    def score_of_values(self, values: Sequence[float]) -> Score:
        """The score of a trial with these recorded values of its steps, the latest last.

        Their losses are not recorded, so a new result wins a tie.
        """
        counted = values[-1:] if self.folded else values
        return max(map(self._greater, counted)), -float("inf")

    def better(self, figures: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
        """Whether an epoch is better than another one; False if they are equal."""
        return self.score(figures) > self.score(other)

    def improves(self, figures: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
        """Whether the metric itself is better; equal ones are not told apart by their loss."""
        return self.score(figures)[0] > self.score(other)[0]

    def best(self, epochs: Sequence[Mapping[str, Any]]) -> int:
        """Index of the best epoch; the first if several are equal."""
        best = 0
        for number, figures in enumerate(epochs):
            if self.better(figures, epochs[best]):
                best = number
        return best

    def place(self, value: float, *, finished: bool, steps: int, number: int) -> Place:
        """A trial's place in the ranking; among equal ones the finished come first, then the earlier.

        Args:
            value: of the step that stands for the trial.
            finished: whether it was trained to its end.
            steps: how many it has done.
            number: of the trial.
        """
        return Place(-steps if self.folded else 0, -self._greater(value), not finished, number)

    def _greater(self, value: float) -> float:
        return value if self.direction == "maximize" else -value
