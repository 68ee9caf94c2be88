"""Figures, by hand."""

import numpy as np
import pytest
import torch

from tuner.training.losses import class_weights
from tuner.training.metrics import (
    at_thresholds,
    average_precision,
    confusion,
    recall_by_class,
    scores,
    thresholds,
)
from tuner.training.pictures import ConfusionPicture


def test_a_model_that_is_wrong_every_time_has_accuracy_0():
    labels = torch.arange(7).repeat(10)
    assert scores(confusion((labels + 1) % 7, labels, 7))["accuracy"] == 0
    assert set(scores(confusion(labels, labels, 7)).values()) == {1}


def test_figures_of_nothing_are_not_numbers():
    none = torch.tensor([], dtype=torch.long)
    assert all(np.isnan(value) for value in scores(confusion(none, none, 3)).values())


def test_f1_is_the_mean_over_classes():
    labels = torch.tensor([0, 0, 0, 1])
    found = scores(confusion(torch.tensor([0, 0, 1, 1]), labels, 2))
    assert found["accuracy"] == pytest.approx(0.75)
    assert found["f1"] == pytest.approx((0.8 + 2 / 3) / 2)


def test_balanced_accuracy_is_the_mean_recall_of_the_classes_that_occur():
    labels = torch.tensor([0, 0, 0, 1])
    # 2 and 3 do not occur, one of them is predicted.
    matrix = confusion(torch.tensor([0, 0, 2, 1]), labels, 4)
    assert recall_by_class(matrix) == {0: pytest.approx(2 / 3), 1: 1}
    assert scores(matrix)["balanced_accuracy"] == pytest.approx((2 / 3 + 1) / 2)


def columns(first: list[float]) -> torch.Tensor:
    """Probabilities of two classes from those of the first one."""
    return torch.tensor([[p, 1 - p] for p in first], dtype=torch.float64)


def test_average_precision_by_hand():
    labels = torch.tensor([0, 1, 0, 1])
    found = average_precision(columns([0.9, 0.8, 0.7, 0.1]), labels, 2)
    # Class 0 is at ranks 1 and 3 of 4; class 1 at ranks 1 and 3 from the other end.
    assert found == {0: pytest.approx((1 + 2 / 3) / 2), 1: pytest.approx((1 + 2 / 3) / 2)}


def test_average_precision_leaves_out_classes_that_do_not_occur():
    assert average_precision(columns([0.9, 0.2]), torch.tensor([0, 0]), 2) == {0: 1}
    assert average_precision(columns([]).view(0, 2), torch.tensor([], dtype=torch.long), 2) == {}


def test_average_precision_is_not_misled_by_a_rounding_error():
    probabilities = columns([0.9, 0.5, 0.4, 0.1])
    labels = torch.tensor([0, 1, 0, 1])
    beyond = probabilities.clone()
    beyond[0, 0] = 1 + 1e-12
    exact = probabilities.clone()
    exact[0, 0] = 1
    assert average_precision(beyond, labels, 2) == average_precision(exact, labels, 2)


def best_f1(probabilities: np.ndarray, positive: np.ndarray, threshold: float) -> float:
    taken = probabilities >= threshold
    return 2 * (taken & positive).sum() / (taken.sum() + positive.sum())


def test_a_threshold_is_in_the_middle_of_the_gap_it_cuts():
    found = thresholds(columns([0.9, 0.8, 0.3, 0.1]), torch.tensor([0, 0, 1, 1]), 2)
    assert found == [pytest.approx(0.55), pytest.approx(0.45)]


def test_a_threshold_below_all_and_of_a_class_that_does_not_occur():
    found = thresholds(columns([0.9, 0.6, 0.4]), torch.tensor([0, 0, 0]), 2)
    assert found == [pytest.approx(0.2), 0.5]


def test_equal_probabilities_are_not_cut_apart():
    probabilities = columns([0.7, 0.7, 0.7, 0.2])
    assert thresholds(probabilities, torch.tensor([0, 1, 0, 1]), 2)[0] == pytest.approx(0.45)


def test_neighbouring_numbers_have_no_middle_but_a_threshold():
    high = 0.5
    low = float(np.nextafter(high, 0))
    probabilities = columns([high, low])
    threshold = thresholds(probabilities, torch.tensor([0, 1]), 2)[0]
    assert low < threshold <= high


def test_no_other_threshold_has_a_better_f1():
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 3, (60,), generator=generator)
    logits = torch.randn(60, 3, generator=generator, dtype=torch.float64)
    logits += torch.nn.functional.one_hot(labels, 3)
    probabilities = (logits.softmax(dim=1) * 20).round() / 20  # with many ties
    for number, threshold in enumerate(thresholds(probabilities, labels, 3)):
        own, positive = probabilities[:, number].numpy(), (labels == number).numpy()
        others = [best_f1(own, positive, other) for other in np.linspace(0, 1, 401)]
        assert best_f1(own, positive, threshold) == pytest.approx(max(others))


def test_precision_and_recall_from_a_threshold_on():
    probabilities = columns([0.9, 0.8, 0.3, 0.1])
    precision, recall = at_thresholds(probabilities, torch.tensor([0, 1, 0, 0]), [0.8, 0.95])
    assert precision == [0.5, None] and recall == [pytest.approx(1 / 3), 0]


def test_confusion_rows_are_true_and_columns_predicted():
    matrix = confusion(torch.tensor([1, 1, 1, 0]), torch.tensor([0, 0, 1, 2]), 3)
    assert matrix.tolist() == [[0, 2, 0], [0, 1, 0], [1, 0, 0]]


def test_the_picture_labels_its_axes_so():
    axes = ConfusionPicture(np.array([[5, 1], [2, 7]]), ["a", "b"], "model 1").axes
    assert (axes.get_ylabel(), axes.get_xlabel()) == ("true", "predicted")
    texts = {tuple(text.get_position()): text.get_text() for text in axes.texts}
    assert texts[(1, 0)] == "1"  # column b, row a: one a that was taken for b


def test_a_picture_of_many_classes_shows_those_with_most_errors():
    matrix = np.diag(np.full(1000, 9))
    for wrong in (3, 500, 999):
        matrix[wrong, 0] = 5
    picture = ConfusionPicture(matrix, [f"class {n}" for n in range(1000)], "model 1")
    names = [label.get_text() for label in picture.axes.get_xticklabels()]
    assert len(names) == 30 and {"class 0", "class 3", "class 500", "class 999"} <= set(names)
    assert "30 of 1000 classes" in picture.figure.texts[0].get_text()
    row, column = names.index("class 500"), names.index("class 0")
    texts = {tuple(text.get_position()): text.get_text() for text in picture.axes.texts}
    assert texts[(column, row)] == "5"


@pytest.mark.parametrize("name", [r"$\frac$", "$", "a" * 10_000, "läufe\n", "{", "__"])
def test_any_name_of_a_class_is_drawn(name, tmp_path):
    picture = ConfusionPicture(np.eye(2, dtype=int), [name, "b"], "model 1, test split")
    picture.figure.savefig(tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size < 500_000


def test_balanced_weights_make_classes_equal():
    labels = torch.tensor([0] * 9 + [1])
    weights = class_weights(labels, 2, "balanced")
    assert weights is not None
    assert weights[0] * 9 == pytest.approx(float(weights[1]))
    assert class_weights(labels, 2, "none") is None
