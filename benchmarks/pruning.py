"""What a search finds for the epochs that it spends: our ASHA, Ray Tune's stopping rule, random search.

    python -m benchmarks.pruning

Searches are replayed over learning curves that are known to their end, in milliseconds each: a toy
objective, and those of models trained on real seals (`scripts/curves.py`, ``results/curves.json``).
For each budget and seed the three are given the same trials in the same order, on two workers, and
the same epochs; what counts is the best value that a search has seen when they are spent. The value of
a real curve is the selection metric, the macro-F1 on the validation video.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Callable, Iterator

import numpy as np
from ray.tune.schedulers.async_hyperband import _Bracket

from benchmarks.report import FOLDER, report
from tuner.study.halving.rungs import Rungs

SEEDS, WORKERS, GRACE, FACTOR = 20, 2, 1, 3
Curves = np.ndarray  # [trials, epochs, 2]: the best value so far, and minus the loss of that epoch


def toy(seed: int, trials: int = 1000, epochs: int = 27) -> Curves:
    """Noisy curves that rise towards their quality, each at its own rate."""
    draw = np.random.default_rng(seed)
    quality = draw.beta(4, 2, trials)[:, None]
    depth, rate = draw.uniform(0.1, 0.6, (trials, 1)), draw.uniform(0.3, 1.5, (trials, 1))
    noise = draw.normal(0, 0.01, (trials, epochs))
    values = quality - depth * np.arange(1, epochs + 1) ** -rate + noise
    return _best_so_far(np.stack([values, np.zeros_like(values)], axis=2))


def real(seed: int) -> Curves:
    """The stored curves, in an order drawn with the seed."""
    stored = np.array(json.loads((FOLDER / "curves.json").read_text()))
    stored[:, :, 1] *= -1
    return _best_so_far(stored[np.random.default_rng(seed).permutation(len(stored))])


def _best_so_far(curves: Curves) -> Curves:
    result = curves.copy()
    for curve in result:
        for epoch in range(1, len(curve)):
            if tuple(curve[epoch]) < tuple(curve[epoch - 1]):
                curve[epoch] = curve[epoch - 1]
    return result


class Random:
    """Every trial is trained to its end."""

    def goes_on(self, number: int, epoch: int, score: tuple[float, float]) -> bool:
        return True

    def promoted(self, last: bool) -> int | None:
        return None


class Stopping(Random):
    """Ray Tune's ASHA: at a rung a trial goes on or is stopped at once."""

    def __init__(self, epochs: int) -> None:
        self.bracket = _Bracket(GRACE, epochs, FACTOR, 0)

    def goes_on(self, number: int, epoch: int, score: tuple[float, float]) -> bool:
        class Trial:
            trial_id = str(number)

        return self.bracket.on_result(Trial(), epoch, score[0]) == "CONTINUE"  # type: ignore[arg-type]


class Promotion(Random):
    """Our ASHA: a trial waits at a rung until it is promoted."""

    def __init__(self, epochs: int) -> None:
        self.rungs = Rungs(grace=GRACE, factor=FACTOR, longest=epochs)

    def goes_on(self, number: int, epoch: int, score: tuple[float, float]) -> bool:
        going = self.rungs.report(number, epoch, score)
        self.rungs.give_up()
        return going

    def promoted(self, last: bool) -> int | None:
        return self.rungs.promote(last=last)


def search(curves: Curves, rule: Random, budget: int) -> float:
    """The best value seen when `budget` epochs are spent; all epochs take equally long."""
    new: Iterator[int] = iter(range(len(curves)))
    reached = dict.fromkeys(range(len(curves)), 0)
    running: list[tuple[int, int]] = []  # when its next epoch ends, and which trial
    best, spent, now = -np.inf, 0, 0

    def begin() -> None:
        number = rule.promoted(last=False)
        number = next(new, None) if number is None else number
        if number is None and not running:
            number = rule.promoted(last=True)
        if number is not None:
            heapq.heappush(running, (now + 1, number))

    for _ in range(WORKERS):
        begin()
    while running and spent < budget:
        now, number = heapq.heappop(running)
        spent += 1
        reached[number] += 1
        epoch, score = reached[number], tuple(curves[number, reached[number] - 1])
        best = max(best, score[0])
        if epoch < curves.shape[1] and rule.goes_on(number, epoch, score):
            heapq.heappush(running, (now + 1, number))
        else:
            begin()
    return float(best)


def compare(draw: Callable[[int], Curves], budget: int) -> dict[str, np.ndarray]:
    """For each rule, the best values of all seeds."""
    best_values: dict[str, list[float]] = {"random": [], "stopping": [], "promotion": []}
    for seed in range(SEEDS):
        curves = draw(seed)
        epochs = curves.shape[1]
        rules = {"random": Random(), "stopping": Stopping(epochs), "promotion": Promotion(epochs)}
        for name, rule in rules.items():
            best_values[name].append(search(curves, rule, budget))
    return {name: np.array(values) for name, values in best_values.items()}


def main() -> None:
    ratios, figures = {}, {}
    for name, draw in {"toy": toy, "real seals": real}.items():
        for budget in (50, 100, 200, 400):
            best_values = compare(draw, budget)
            means = {rule: float(values.mean()) for rule, values in best_values.items()}
            figures |= {f"{name}, {budget} epochs, {rule}": v for rule, v in means.items()}
            for other in ("stopping", "random"):
                better = best_values["promotion"] - best_values[other]
                key = f"{name}, {budget} epochs: promotion / {other}"
                ratios[key] = (means["promotion"] / means[other], "1 or more")
                counts = (better > 0).sum(), (better == 0).sum(), (better < 0).sum()
                figures[f"{key}, seeds better"], _, figures[f"{key}, seeds worse"] = map(
                    int, counts
                )
    report("pruning", ratios, figures)


if __name__ == "__main__":
    main()
