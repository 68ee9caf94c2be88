"""Which models are chosen to predict together."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tuner.analysis.selection import as_good, figures, greedy
from tuner.objective import METRICS, Objective
from tuner.training.task import Multiclass

TASK = Multiclass(["a", "b", "c"])
LABELS = torch.arange(300) % 3


def model(right: Tensor) -> Tensor:
    """Probabilities ``[N, C]``: sure where `right` is true, elsewhere less so of the next class."""
    said = torch.where(right, LABELS, (LABELS + 1) % 3)
    sure = torch.where(right, 0.8, 0.4)[:, None]
    return torch.where(said[:, None] == torch.arange(3), sure, (1 - sure) / 2).double()


def made_up(count: int, rows: int, classes: int = 3) -> tuple[Tensor, Tensor]:
    """Models that are sometimes wrong, each somewhere else."""
    generator = torch.Generator().manual_seed(1)
    labels = torch.randint(classes, (rows,), generator=generator)
    logits = 1.5 * torch.randn(count, rows, classes, generator=generator, dtype=torch.float64)
    logits[:, torch.arange(rows), labels] += torch.linspace(1, 1.5, count)[:, None]
    return logits.softmax(dim=2), labels


def mean(probabilities: Tensor, chosen: list[int]) -> Tensor:
    return probabilities[chosen].mean(dim=0)


def test_models_that_are_wrong_elsewhere_are_combined():
    rows = torch.arange(300)
    wrong = [rows < 100, rows >= 240, (rows >= 50) & (rows < 200)]
    together = torch.stack([model(~part) for part in wrong])
    chosen = greedy(together, LABELS, TASK, Objective("valid_accuracy"))
    assert chosen[:2] == [1, 0]  # the best, and the one that is wrong where it is right
    assert 2 not in chosen
    assert figures(TASK, together[1], LABELS)["valid_accuracy"] == 0.8
    assert figures(TASK, mean(together, chosen), LABELS)["valid_accuracy"] == 1


def test_a_model_that_counts_more_is_repeated():
    probabilities, labels = made_up(2, 3000)
    objective = Objective("valid_loss")
    chosen = greedy(probabilities, labels, TASK, objective)
    assert chosen.count(1) > chosen.count(0) > 0
    once, more = (figures(TASK, mean(probabilities, n), labels) for n in ([0, 1], chosen))
    assert objective.better(more, once)


@pytest.mark.parametrize("metric", METRICS)
def test_each_addition_improves_on_the_best_model(metric):
    objective = Objective(metric)
    probabilities, labels = made_up(6, 60)
    for few in (2, 5, 20, 60):
        some, of_some = probabilities[:, :few], labels[:few]
        alone = max(objective.score(figures(TASK, own, of_some)) for own in some)
        chosen = greedy(some, of_some, TASK, objective)
        parts = [chosen[: end + 1] for end in range(len(chosen))]
        scores = [objective.score(figures(TASK, mean(some, part), of_some)) for part in parts]
        assert scores[0] == alone and scores == sorted(set(scores))


def test_it_ends_when_nothing_improves_or_after_so_many():
    perfect = model(torch.ones(300, dtype=torch.bool))
    wrong = model(torch.zeros(300, dtype=torch.bool))
    assert greedy(torch.stack([wrong, perfect]), LABELS, TASK, Objective("valid_f1")) == [1]
    assert greedy(torch.stack([perfect, perfect]), LABELS, TASK, Objective("valid_f1")) == [0]
    probabilities, labels = made_up(8, 3000)
    assert len(greedy(probabilities, labels, TASK, Objective("valid_loss"), rounds=2)) == 3


def test_models_within_the_error_of_the_best_are_as_good():
    rows = torch.arange(300)
    right = [*(rows >= 30 + k for k in range(6)), rows >= 60]
    together, objective = torch.stack([model(part) for part in right]), Objective("valid_accuracy")
    alone = list(range(300))  # a video a row
    assert as_good(together, LABELS, alone, TASK, objective) == [0, 1, 2, 3, 4, 5]
    # Rows of one video are alike: ten videos say little, so even a poor model may be as good.
    alike = torch.stack([model(part[::30].repeat_interleave(30)) for part in right])
    few = as_good(alike, LABELS, [n // 30 for n in range(300)], TASK, objective)
    assert len(few) == len(right)
    chosen = greedy(together, LABELS, TASK, objective, start=[0, 1])
    assert chosen[:2] == [0, 1]


def test_preferred_models_alone_are_taken_if_one_is_within_the_error():
    rows = torch.arange(300)
    right = [rows >= 20, rows >= 25, rows >= 30, rows >= 100]
    together, objective = torch.stack([model(part) for part in right]), Objective("valid_accuracy")
    alone = list(range(300))

    def taken(preferred):
        return as_good(together, LABELS, alone, TASK, objective, preferred=preferred)

    assert taken([]) == taken([3]) == [0, 1, 2, 3]  # the last is too poor to be preferred
    assert taken([1]) == [1]
    assert taken([2, 1]) == [1, 2]


def test_the_best_five_predict_together_unless_the_others_spoil_it():
    rows = torch.arange(300)
    alone, objective = list(range(300)), Objective("valid_accuracy")
    worse = torch.stack([model(rows % 10 >= k) for k in range(1, 8)])  # .9, .8, ... of the rows
    assert as_good(worse, LABELS, alone, TASK, objective) == [0, 1, 2, 3, 4]
    surely_wrong = model(rows >= 0).roll(1, dims=1)
    spoilt = torch.stack([model(rows >= 1), *[surely_wrong] * 6])
    assert as_good(spoilt, LABELS, alone, TASK, objective) == [0]


def test_a_perfect_model_may_have_been_lucky():
    labels = torch.tensor([0, 1, 2, 0, 1, 2])
    perfect = torch.eye(3, dtype=torch.float64)[labels] * 0.7 + 0.1
    other = perfect.clone()
    other[0] = torch.tensor([0.1, 0.8, 0.1])
    both = torch.stack([other, perfect])
    assert as_good(both, labels, list("abcdef"), TASK, Objective("valid_accuracy")) == [1, 0]
