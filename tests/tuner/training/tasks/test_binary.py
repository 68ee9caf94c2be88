"""Losses and figures of yes or no by class, against PyTorch, scikit-learn and by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn import metrics
from torch import nn

from tuner.training.tasks.binary import (
    BinaryLoss,
    average_precision,
    counts,
    f1_by_class,
    positive_weights,
    scores,
    thresholds,
)


def example(seed: int = 1, rows: int = 60, classes: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    labels = (torch.rand(rows, classes, generator=generator) < 0.3).float()
    return 2 * torch.randn(rows, classes, generator=generator) + 2 * labels - 1, labels


def figures(decided: np.ndarray, true: np.ndarray) -> np.ndarray:
    return counts(decided, true, np.zeros(len(true), int), 1)[0]


def test_without_more_the_loss_is_binary_cross_entropy() -> None:
    logits, labels = example()
    torch.testing.assert_close(
        BinaryLoss()(logits, labels), nn.BCEWithLogitsLoss()(logits, labels), rtol=1e-6, atol=0
    )
    weights = torch.tensor([1.0, 0.2, 5.0, 2.0])
    expected = nn.BCEWithLogitsLoss(pos_weight=weights)(logits, labels)
    torch.testing.assert_close(BinaryLoss(weights)(logits, labels), expected, rtol=1e-6, atol=0)


def test_smoothing_is_as_if_labels_were_less_sure() -> None:
    logits, labels = example()
    expected = nn.BCEWithLogitsLoss()(logits, labels * 0.8 + 0.1)
    loss = BinaryLoss(label_smoothing=0.2)(logits, labels)
    torch.testing.assert_close(loss, expected, rtol=1e-6, atol=0)


def test_the_focal_loss_by_hand() -> None:
    logits = torch.tensor([[0.9, 0.3]]).logit()
    loss = BinaryLoss(torch.tensor([2.0, 7.0]), gamma=2.0)(logits, torch.tensor([[1.0, 0.0]]))
    expected = (2 * 0.1**2 * -math.log(0.9) + 0.3**2 * -math.log(0.7)) / 2
    assert float(loss) == pytest.approx(expected)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_gradients_are_finite_however_sure_the_model_is(gamma: float) -> None:
    logits = torch.tensor([[200.0, -200.0], [-200.0, 200.0]], requires_grad=True)
    BinaryLoss(gamma=gamma)(logits, torch.tensor([[1.0, 0.0], [1.0, 0.0]])).backward()
    assert logits.grad is not None and logits.grad.isfinite().all()


def test_the_loss_of_parts_by_their_weights_is_that_of_the_whole() -> None:
    logits, labels = example()
    loss = BinaryLoss(positive_weights(labels, "balanced"))
    parts = [
        loss(*part) * loss.total_weight(part[1])
        for part in zip(logits.split(25), labels.split(25), strict=True)
    ]
    whole = loss(logits, labels) * loss.total_weight(labels)
    assert float(sum(parts)) == pytest.approx(float(whole))


def test_balanced_weights_give_clips_with_a_class_as_much_as_the_others() -> None:
    labels = torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 1.0], [0.0, 0.0, 1.0], [0.0, 0.0, 1.0]])
    weights = positive_weights(labels, "balanced")
    assert weights is not None and weights.tolist() == [3, 4, 0.25]
    assert positive_weights(labels, "none") is None


@pytest.mark.parametrize("seed", range(5))
def test_figures_are_those_of_scikit_learn(seed: int) -> None:
    logits, labels = example(seed)
    true, decided = labels.numpy() > 0, logits.numpy() > 0
    found = figures(decided, true)
    score = scores(found)
    assert score["accuracy"] == pytest.approx(metrics.accuracy_score(true, decided))
    assert score["f1"] == pytest.approx(metrics.f1_score(true, decided, average="macro"))
    each = [metrics.balanced_accuracy_score(t, d) for t, d in zip(true.T, decided.T, strict=True)]
    assert score["balanced_accuracy"] == pytest.approx(np.mean(each))
    assert f1_by_class(found) == pytest.approx(metrics.f1_score(true, decided, average=None))
    expected = metrics.multilabel_confusion_matrix(true, decided)
    assert (found[:-1] == expected).all()
    areas = average_precision(logits.sigmoid(), labels)
    assert [areas[number] for number in range(4)] == pytest.approx(
        [metrics.average_precision_score(t, p) for t, p in zip(true.T, logits.T, strict=True)],
        abs=1e-6,
    )


def test_classes_that_are_neither_shown_nor_said_are_left_out() -> None:
    true = np.array([[True, False, False], [False, False, False]])
    decided = np.array([[True, False, False], [False, False, True]])
    found = figures(decided, true)
    assert f1_by_class(found) == [1, None, 0]
    assert scores(found) == {"accuracy": 0.5, "f1": 0.5, "balanced_accuracy": 1}
    areas = average_precision(torch.rand(2, 3), torch.from_numpy(true).float())
    assert list(areas) == [0]
    nothing = figures(np.zeros((0, 2), bool), np.zeros((0, 2), bool))
    assert all(math.isnan(value) for value in scores(nothing).values())


def test_counts_by_group_are_those_of_each_group() -> None:
    logits, labels = example(rows=90)
    true, decided = labels.numpy() > 0, logits.numpy() > 0
    group = np.arange(90) % 7
    each = counts(decided, true, group, 7)
    for number in range(7):
        own = group == number
        assert (each[number] == figures(decided[own], true[own])).all()
    assert (each.sum(axis=0) == figures(decided, true)).all()


@pytest.mark.parametrize("seed", range(5))
def test_no_other_threshold_of_a_class_has_a_better_f1(seed: int) -> None:
    logits, labels = example(seed)
    probabilities, true = logits.double().sigmoid(), labels.numpy() > 0
    for number, chosen in enumerate(thresholds(probabilities, labels)):
        values = probabilities[:, number].numpy()
        best = max(metrics.f1_score(true[:, number], values >= at) for at in values)
        assert metrics.f1_score(true[:, number], values >= chosen) == pytest.approx(best)
    assert thresholds(probabilities, torch.zeros_like(labels)) == [0.5] * 4
