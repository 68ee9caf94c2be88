"""Which trials go on at a rung: asynchronous successive halving by promotion, without any Ray."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

from tuner.config.load import Config
from tuner.objective import Objective, Score


class Rungs:
    """ASHA as published (Li et al., A system for massively parallel hyperparameter tuning, MLSys 2020,
    algorithm 2): a trial waits at a rung until it is among the best there, one of `factor` trials.

    Ray Tune's own variant decides at once: the first trials at a rung have nothing to be compared
    with, and all go on. Here they wait. A trial that will hardly be promoted any more is given up, so
    that few wait: their checkpoints take disk space.

    Args:
        grace: steps (epochs or folds) that every trial gets, the first rung.
        factor: one of so many trials at a rung goes on, to so many times the steps.
        longest: steps of a trial that nothing stops.

    Attributes:
        waiting: the trials that wait, each with the number of its rung; this is the only record of them.
    """

    def __init__(self, *, grace: int, factor: float, longest: int) -> None:
        self.factor = factor
        self.levels: list[int] = []
        level = float(grace)
        while round(level) < longest:
            if round(level) not in self.levels:
                self.levels.append(round(level))
            level *= factor
        self.reached: list[dict[int, Score]] = [{} for _ in self.levels]
        self.promoted: list[set[int]] = [set() for _ in self.levels]
        self.waiting: dict[int, int] = {}

    @classmethod
    def of_folds(cls, folds: int, *, factor: float) -> Rungs:
        """The rungs of trials that are validated by folds.

        The first is after one fold. The last saves a third of the folds at least: for less it is not
        worth to compare trials on a part of the videos.
        """
        return cls(grace=1, factor=factor, longest=2 * folds // 3 + 1)

    @classmethod
    def of(cls, config: Config) -> Rungs:
        """The rungs of a search's trials; without ASHA there are none."""
        search = config.search
        if search.scheduler == "asha" and search.validation is not None:
            return cls.of_folds(search.validation.folds, factor=search.reduction_factor)
        most = longest(config) if search.scheduler == "asha" else 0
        return cls(grace=search.grace_period, factor=search.reduction_factor, longest=most)

    def remember(self, number: int, epochs: Mapping[int, float], objective: Objective) -> None:
        """Take over what a trial of an earlier run of the search reached at each rung.

        Args:
            epochs: the recorded value of each epoch, by its number.
        """
        for rung, level in enumerate(self.levels):
            if not epochs or max(epochs) < level:
                break
            reached = [value for epoch, value in sorted(epochs.items()) if epoch <= level]
            self.reached[rung][number] = objective.score_of_values(reached)
            if max(epochs) > level:
                self.promoted[rung].add(number)

    def report(self, number: int, epoch: int, score: Score, *, sure: bool = False) -> bool:
        """Whether a trial may go on after an epoch; if not, it waits.

        Args:
            score: of the trial so far. At a rung the first report counts.
            sure: it goes on however it does; the others are compared with it all the same.
        """
        rung = -1
        for rung_number, level in enumerate(self.levels):
            if epoch < level:
                break
            rung = rung_number
            self.reached[rung].setdefault(number, score)
        if rung < 0 or number in self.promoted[rung]:
            return True
        if sure or number in self._best(rung, self._places(rung)):
            self.promoted[rung].add(number)
            return True
        self.waiting[number] = rung
        return False

    def promote(self, *, last: bool = False) -> int | None:
        """The waiting trial that is to go on, at the highest rung that has one.

        Args:
            last: no further trial will arrive: the best at a rung goes on, however few there are.
        """
        for rung in reversed(range(len(self.levels))):
            places = max(1, self._places(rung)) if last else self._places(rung)
            for number in self._best(rung, places):
                if self.waiting.get(number) == rung:
                    del self.waiting[number]
                    self.promoted[rung].add(number)
                    return number
        return None

    def give_up(self) -> list[int]:
        """Give up waiting trials that will hardly be among the best any more; returns them."""
        given_up = []
        for rung in range(len(self.levels)):
            count = len(self.reached[rung])
            # In a random order, a place changes by about the square root of the number of trials.
            near = self._best(rung, math.ceil(count / self.factor + 2 * math.sqrt(count)))
            given_up += [n for n, r in self.waiting.items() if r == rung and n not in near]
        self.leave(*given_up)
        return given_up

    def hold(self, numbers: Collection[int]) -> None:
        """Note that these trials wait, and no others; another scheduler has decided it."""
        self.leave(*(self.waiting.keys() - set(numbers)))
        for number in numbers:
            self.waiting.setdefault(number, 0)

    def leave(self, *numbers: int) -> None:
        """Forget that these trials wait; what they reached still counts."""
        for number in numbers:
            self.waiting.pop(number, None)

    def _places(self, rung: int) -> int:
        return int(len(self.reached[rung]) / self.factor)

    def _best(self, rung: int, places: int) -> list[int]:
        """The best trials at a rung; among equal ones the earlier goes first."""
        scores = self.reached[rung]
        return sorted(scores, key=lambda n: (scores[n], -n), reverse=True)[:places]


def longest(config: Config) -> int:
    """Steps of the longest trial in the space: folds, or epochs."""
    validation = config.search.validation
    return most_epochs(config) if validation is None else validation.folds


def usual(config: Config) -> float:
    """Steps of a trial that nobody stops, as a first guess."""
    validation = config.search.validation
    return usual_epochs(config) if validation is None else validation.folds


def most_epochs(config: Config) -> int:
    """Epochs of the longest training in the space."""
    epochs = config.training.max_epochs
    for name in ("rounds", "epochs"):
        for domain in config.space.get(name, []):
            most = max(domain.choices) if domain.choices else domain.high
            epochs = epochs * int(most or 1) // getattr(config.training, name)
    return epochs


def usual_epochs(config: Config) -> float:
    """Epochs of a training, as a first guess: without better validation, rounds end about half way."""
    most = most_epochs(config)
    return most / 2 if config.training.schedule == "rounds" else most
