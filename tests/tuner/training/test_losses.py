"""Losses against PyTorch's and by hand; orders that see every class equally often."""

import math

import pytest
import torch
from torch import nn

from tuner.training.losses import balanced_order, make_loss


def example() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    logits = 3 * torch.randn(20, 4, generator=generator)
    return logits, torch.randint(0, 4, (20,), generator=generator)


WEIGHTS = torch.tensor([1.0, 0.2, 5.0, 2.0])


@pytest.mark.parametrize("name", ["cross_entropy", "focal"])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_gamma_0_is_cross_entropy(name, weights, smoothing):
    logits, labels = example()
    loss = make_loss(name, weights=weights, label_smoothing=smoothing, focal_gamma=0)
    expected = nn.CrossEntropyLoss(weights, label_smoothing=smoothing)(logits, labels)
    torch.testing.assert_close(loss(logits, labels), expected, rtol=1e-6, atol=0)


def test_focal_by_hand():
    probabilities = torch.tensor([[0.9, 0.1], [0.3, 0.7]])
    labels = torch.tensor([0, 0])
    loss = make_loss("focal", weights=torch.tensor([2.0, 1.0]), focal_gamma=2)
    expected = (0.1**2 * -math.log(0.9) + 0.7**2 * -math.log(0.3)) / 2
    assert float(loss(probabilities.log(), labels)) == pytest.approx(expected)
    other = loss(probabilities.log(), torch.tensor([0, 1]))
    weighted = 2 * 0.1**2 * -math.log(0.9) + 0.3**2 * -math.log(0.7)
    assert float(other) == pytest.approx(weighted / 3)


def test_what_is_told_well_counts_less_with_a_higher_gamma():
    logits, labels = torch.tensor([[4.0, 0.0], [0.0, 0.5]]), torch.tensor([0, 0])
    shares = []
    for gamma in (0.0, 1.0, 3.0):
        loss = make_loss("focal", focal_gamma=gamma)
        shares.append(float(loss(logits[:1], labels[:1]) / loss(logits[1:], labels[1:])))
    assert shares == sorted(shares, reverse=True)


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0])
def test_gradients_are_finite_however_sure_the_model_is(gamma):
    logits = torch.tensor([[200.0, -200.0], [-200.0, 200.0]], requires_grad=True)
    make_loss("focal", focal_gamma=gamma)(logits, torch.tensor([0, 0])).backward()
    assert logits.grad is not None and logits.grad.isfinite().all()


def test_the_weights_move_with_the_loss():
    for name in ("cross_entropy", "focal"):
        moved = make_loss(name, weights=WEIGHTS).to(torch.float64)
        assert [buffer.dtype for buffer in moved.buffers()] == [torch.float64]


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("hinge", {}, "cross_entropy, focal"),
        ("focal", {"focal_gamma": -1.0}, "focal_gamma"),
        ("focal", {"focal_gamma": math.nan}, "focal_gamma"),
        ("cross_entropy", {"label_smoothing": 1.5}, "label_smoothing"),
    ],
)
def test_mistakes_are_named(name, options, message):
    with pytest.raises(ValueError, match=message):
        make_loss(name, **options)


def test_a_balanced_order_draws_every_class_equally_often():
    labels = torch.tensor([0] * 9000 + [3] * 900 + [1] * 100)[torch.randperm(10_000)]
    order = balanced_order(labels, torch.Generator().manual_seed(0))
    assert order.dtype == torch.int64 and order.shape == labels.shape
    shares = torch.bincount(labels[order], minlength=4) / len(order)
    assert shares.tolist() == pytest.approx([1 / 3, 1 / 3, 0, 1 / 3], abs=0.02)
    # Within a class all clips are drawn alike: each of the 100 about 33 times.
    rare = torch.bincount(order, minlength=len(labels))[labels == 1]
    assert rare.min() > 10 and rare.max() < 70


def test_a_balanced_order_follows_its_seed():
    labels = torch.arange(50) % 3
    first, same, other = (
        balanced_order(labels, torch.Generator().manual_seed(seed)) for seed in (4, 4, 5)
    )
    assert torch.equal(first, same) and not torch.equal(first, other)
    assert len(balanced_order(labels[:0])) == 0
