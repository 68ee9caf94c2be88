"""Figures, by hand."""

import numpy as np
import pytest
import torch

from tuner.training.metrics import class_weights, confusion, plot_confusion, scores


def one_hot(classes: list[int], count: int) -> torch.Tensor:
    return torch.nn.functional.one_hot(torch.tensor(classes), count).float()


def test_a_model_that_is_wrong_every_time_has_accuracy_0():
    labels = torch.arange(7).repeat(10)
    assert scores(one_hot(((labels + 1) % 7).tolist(), 7), labels, 7)["accuracy"] == 0
    assert scores(one_hot(labels.tolist(), 7), labels, 7) == {"accuracy": 1, "f1": 1}


def test_f1_is_the_mean_over_classes():
    labels = torch.tensor([0, 0, 0, 1])
    found = scores(one_hot([0, 0, 1, 1], 2), labels, 2)
    assert found["accuracy"] == pytest.approx(0.75)
    assert found["f1"] == pytest.approx((0.8 + 2 / 3) / 2)


def test_confusion_rows_are_true_and_columns_predicted():
    matrix = confusion(one_hot([1, 1, 1, 0], 3), torch.tensor([0, 0, 1, 2]), 3)
    assert matrix.tolist() == [[0, 2, 0], [0, 1, 0], [1, 0, 0]]


def test_the_picture_labels_its_axes_so():
    (axes,) = plot_confusion(np.array([[5, 1], [2, 7]]), ["a", "b"]).axes
    assert (axes.get_ylabel(), axes.get_xlabel()) == ("true", "predicted")
    texts = {tuple(text.get_position()): text.get_text() for text in axes.texts}
    assert texts[(1, 0)] == "1"  # column b, row a: one a that was taken for b


def test_balanced_weights_make_classes_equal():
    labels = torch.tensor([0] * 9 + [1])
    weights = class_weights(labels, 2, "balanced")
    assert weights is not None
    assert weights[0] * 9 == pytest.approx(float(weights[1]))
    assert class_weights(labels, 2, "none") is None
