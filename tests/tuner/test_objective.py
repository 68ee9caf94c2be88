"""Which of two results is better."""

import pytest

from tuner.config.load import parse
from tuner.objective import METRICS, Objective


def figures(f1: float, loss: float) -> dict[str, float]:
    return {"valid_f1": f1, "valid_loss": loss, "valid_accuracy": 0.5}


def test_of_equal_epochs_the_one_with_the_lower_loss_is_best_and_then_the_first():
    epochs = [figures(0.5, 0.1), figures(0.9, 0.6), figures(0.9, 0.4), figures(0.9, 0.4)]
    assert Objective("valid_f1").best(epochs) == 2
    assert Objective("valid_loss").best(epochs) == 0
    assert not Objective("valid_f1").better(epochs[3], epochs[2])


@pytest.mark.parametrize(("metric", "better", "worse"), [("valid_f1", 2, 1), ("valid_loss", 1, 2)])
def test_epochs_trials_and_rungs_agree(metric, better, worse):
    objective = Objective(metric)
    assert objective.score_of_values([worse, better]) > objective.score_of_values([worse])
    assert objective.score_of_values([better, worse]) > objective.score_of_values([worse])
    best, next_best = (
        objective.place(v, finished=False, steps=steps, number=7)
        for v, steps in ((better, 1), (worse, 5))
    )
    assert best < next_best


@pytest.mark.parametrize(("metric", "better", "worse"), [("valid_f1", 2, 1), ("valid_loss", 1, 2)])
def test_with_folds_the_last_value_counts_and_more_folds_come_first(metric, better, worse):
    objective = Objective(metric, folded=True)
    assert objective.score_of_values([better, worse]) == objective.score_of_values([worse])
    assert objective.score_of_values([worse, better]) > objective.score_of_values([better, worse])
    first, second, third = (
        objective.place(value, finished=steps == 5, steps=steps, number=7)
        for value, steps in ((better, 5), (worse, 5), (better, 3))
    )
    assert first < second < third


def test_of_equal_trials_the_finished_comes_first_and_then_the_earlier():
    objective = Objective("valid_f1")
    places = [
        objective.place(0.9, finished=finished, steps=1, number=number)
        for number, finished in enumerate([False, True, True])
    ]
    assert [place.number for place in sorted(places)] == [1, 2, 0]


def test_a_metric_of_the_table_may_be_searched_by(monkeypatch):
    monkeypatch.setitem(METRICS, "valid_balanced_accuracy", "maximize")
    tree = {"name": "a", "search": {"metric": "valid_balanced_accuracy"}}
    assert parse(tree, "x").search.metric == "valid_balanced_accuracy"
