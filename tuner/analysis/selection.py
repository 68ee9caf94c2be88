"""Which models predict best together."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tuner.objective import Objective
from tuner.training.task import Task

ROUNDS = 25
LEAST = 5
_DRAWS = 200
_UNITS = 10  # that are drawn, at least


def as_good(
    probabilities: Tensor,
    labels: Tensor,
    videos: Sequence[Any],
    task: Task,
    objective: Objective,
    *,
    preferred: Collection[int] = (),
) -> list[int]:
    """The models that are within two standard errors of the best one, or the best five; the best first.

    With few validation videos the best is lucky in part, and models within its error may be as good
    as it is. The best of many is the luckiest, so one standard error would be too little.

    Source: after the one-standard-error rule of Breiman, Friedman, Olshen and Stone, Classification and
    regression trees, 1984; the error by bootstrap over videos, or over parts of them if they are few.
    At least some of the best: sorted initialisation, Caruana et al. (see `greedy`). As that rule takes
    the simplest of the models within the error, only `preferred` ones are taken if one of them is.

    Args:
        probabilities: ``[K, N, C]`` of K models, those first that win a tie.
        labels: int64 ``[N]``.
        videos: which video each row is of, ``[N]``.
        objective: says what is better.
        preferred: numbers of the models that are thought to do better elsewhere.
    """
    each = [figures(task, own, labels) for own in probabilities]
    best = objective.best(each)
    rows = [torch.from_numpy(part) for part in _units(videos)]
    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(_DRAWS):
        picked = torch.cat([rows[one] for one in rng.integers(len(rows), size=len(rows))])
        drawn.append(objective.value(figures(task, probabilities[best][picked], labels[picked])))
    error = max(
        2 * float(np.std(drawn)), _of_one(probabilities[best], labels, rows, task, objective)
    )
    order = sorted(range(len(each)), key=lambda k: objective.score(each[k]), reverse=True)

    def behind(value: dict[str, Any]) -> float:
        """How far it is behind the best model; below 0 if it is better."""
        gap = objective.value(each[best]) - objective.value(value)
        return gap if objective.direction == "maximize" else -gap

    if any(behind(each[k]) <= error for k in preferred):
        order = [k for k in order if k in preferred]
    chosen = [k for n, k in enumerate(order) if n < LEAST or behind(each[k]) <= error]
    while behind(figures(task, probabilities[chosen].mean(dim=0), labels)) > error:
        chosen.pop()  # those that were taken to be enough are too poor
    return chosen


def _of_one(
    probabilities: Tensor, labels: Tensor, rows: Sequence[Tensor], task: Task, objective: Objective
) -> float:
    """How much the figure loses if one more video, or part of one, of the rarest class is wrong.

    The bootstrap sees no error where all are right, however few there are of a class.
    """
    if objective.direction == "minimize":
        return 0.0
    before, lost = objective.value(figures(task, probabilities, labels)), 0.0
    one_each = {
        str(labels[part[0]].tolist()): part for part in rows
    }  # of many videos, each would take long
    for part in one_each.values():
        wrong = probabilities.clone()
        wrong[part] = task.upset(wrong[part])
        lost = max(lost, before - objective.value(figures(task, wrong, labels)))
    return lost


def _units(videos: Sequence[Any]) -> list[np.ndarray]:
    """The rows of each video; of fewer than ten videos, those of their parts, ten in all or more.

    Rows that follow one another are nearly the same, so single ones would seem to say too much.
    """
    _, number = np.unique(np.array(videos), return_inverse=True)
    each = [np.flatnonzero(number == one) for one in range(number.max() + 1)]
    parts = -(-_UNITS // len(each))
    return [part for rows in each for part in np.array_split(rows, parts) if len(part)]


def greedy(
    probabilities: Tensor,
    labels: Tensor,
    task: Task,
    objective: Objective,
    *,
    start: Sequence[int] = (),
    rounds: int = ROUNDS,
) -> list[int]:
    """Choose models whose mean probabilities are better than those of any single one.

    It starts from some models, and adds the one with which the mean is best, again and again, also
    one that was chosen before. It ends when none makes it better. So on these rows the outcome is never
    worse than the start.

    Source: Caruana, Niculescu-Mizil, Crew and Ksikes, Ensemble selection from libraries of models,
    ICML 2004.

    Args:
        probabilities: ``[K, N, C]`` of K models, those first that win a tie.
        labels: int64 ``[N]``.
        objective: says what is better.
        start: the numbers of the models that it starts from; empty: the best one.
        rounds: at most so many models are added.

    Returns:
        the numbers of the models from 0, in the order in which they were added; repeats are weights.
    """
    chosen = list(start)
    if not chosen:
        chosen = [objective.best([figures(task, own, labels) for own in probabilities])]
    total = probabilities[chosen].sum(dim=0)
    reached = figures(task, total / len(chosen), labels)
    for _ in range(rounds):
        tried = [figures(task, (total + own) / (len(chosen) + 1), labels) for own in probabilities]
        best = objective.best(tried)
        # Equal ones are told apart by their loss elsewhere; here that would add the same few again and
        # again, which fits the validation videos alone.
        if not objective.improves(tried[best], reached):
            break
        chosen.append(best)
        total, reached = total + probabilities[best], tried[best]
    return chosen


def figures(task: Task, probabilities: Tensor, labels: Tensor) -> dict[str, Any]:
    """What an epoch would report of these probabilities ``[N, C]``: all of `METRICS`."""
    figures = task.epoch_figures(task.logits(probabilities), labels)
    return {f"valid_{k}": v for k, v in figures.items()}
