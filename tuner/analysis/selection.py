"""Which models predict best together."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from tuner.objective import Objective
from tuner.training.task import Task

ROUNDS = 25


def greedy(
    probabilities: Tensor,
    labels: Tensor,
    task: Task,
    objective: Objective,
    *,
    rounds: int = ROUNDS,
) -> list[int]:
    """Choose models whose mean probabilities are better than those of any single one.

    It starts from the best model, and adds the one with which the mean is best, again and again, also
    one that was chosen before. It ends when none makes it better. So on these rows the outcome is never
    worse than the best model.

    Source: Caruana, Niculescu-Mizil, Crew and Ksikes, Ensemble selection from libraries of models,
    ICML 2004.

    Args:
        probabilities: ``[K, N, C]`` of K models, those first that win a tie.
        labels: int64 ``[N]``.
        objective: says what is better.
        rounds: at most so many models are added.

    Returns:
        the numbers of the models from 0, in the order in which they were added; repeats are weights.
    """
    each = [figures(task, own, labels) for own in probabilities]
    chosen = [objective.best(each)]
    total, reached = probabilities[chosen[0]], each[chosen[0]]
    for _ in range(rounds):
        tried = [figures(task, (total + own) / (len(chosen) + 1), labels) for own in probabilities]
        best = objective.best(tried)
        if not objective.better(tried[best], reached):
            break
        chosen.append(best)
        total, reached = total + probabilities[best], tried[best]
    return chosen


def figures(task: Task, probabilities: Tensor, labels: Tensor) -> dict[str, Any]:
    """What an epoch would report of these probabilities ``[N, C]``: all of `METRICS`."""
    logits = probabilities.clamp(min=torch.finfo(probabilities.dtype).tiny).log()
    return {f"valid_{k}": v for k, v in task.epoch_figures(logits, labels).items()}
