"""Probabilities are brought to a temperature at which they say how often they are right."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tuner.training.calibration import (
    BOUNDS,
    at_temperature,
    calibration_error,
    fit_temperature,
)


def simulated(count: int, temperature: float, classes: int = 3) -> tuple[Tensor, Tensor]:
    """Probabilities, and labels that come out as these say at a temperature."""
    generator = torch.Generator().manual_seed(0)
    logits = 4 * torch.randn(count, classes, generator=generator, dtype=torch.float64)
    true = (logits / temperature).softmax(dim=1)
    return logits.softmax(dim=1), true.multinomial(1, generator=generator)[:, 0]


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5, 6.0])
def test_a_known_temperature_is_found(temperature):
    probabilities, labels = simulated(20_000, temperature)
    found = fit_temperature(probabilities, labels)
    assert found == pytest.approx(temperature, rel=0.05)
    after = calibration_error(at_temperature(probabilities, found), labels)
    assert after < 0.02
    if temperature != 1:
        assert calibration_error(probabilities, labels) > 3 * after


def test_decisions_stay_and_rows_add_up_to_one():
    probabilities, _ = simulated(1000, 1)
    for temperature in (*BOUNDS, 0.5, 1, 3):
        after = at_temperature(probabilities, temperature)
        assert torch.equal(after.argmax(dim=1), probabilities.argmax(dim=1))
        assert after.sum(dim=1).tolist() == pytest.approx([1] * 1000)
    assert torch.equal(at_temperature(probabilities, 1), probabilities)
    assert (at_temperature(probabilities, 3).amax(1) < probabilities.amax(1)).all()


SURE = torch.tensor([[0.98, 0.02], [0.01, 0.99], [0.97, 0.03]], dtype=torch.float64)


@pytest.mark.parametrize("labels", [[0, 1, 0], [0, 1, 1], [0, 0, 0]])
def test_three_rows_change_little(labels):
    assert 0.8 < fit_temperature(SURE, torch.tensor(labels)) < 4


def test_more_rows_that_are_wrong_make_it_less_sure():
    right, wrong = torch.tensor([0, 1, 0]), torch.tensor([0, 1, 1])
    few, many = (fit_temperature(SURE.repeat(n, 1), wrong.repeat(n)) for n in (1, 100))
    assert 1 < few < many
    assert fit_temperature(SURE, right) < 1


@pytest.mark.parametrize("count", [30, 300, 30_000])
def test_rows_that_are_all_right_do_not_become_certain(count):
    labels = torch.arange(count) % 2
    probabilities = torch.where(labels[:, None] == torch.arange(2), 0.95, 0.05)
    found = fit_temperature(probabilities, labels)
    # As if ten more rows had been right at 0.95: the share that is wrong is 0.5 of count + 10.
    sure = at_temperature(probabilities, found)[0].max()
    assert float(sure) == pytest.approx(1 - 0.5 / (count + 10), abs=1e-4)


def test_one_row_of_a_class_never_shown_does_not_make_all_others_unsure():
    probabilities, labels = simulated(24, 1)
    before = fit_temperature(probabilities, labels)
    never = torch.tensor([[0.3, 0.7, 1e-13]], dtype=torch.float64)
    after = fit_temperature(
        torch.cat([probabilities, never]), torch.cat([labels, torch.tensor([2])])
    )
    assert before <= after < 1.5 * before


def test_what_can_not_be_fitted_stays_within_bounds():
    assert fit_temperature(torch.empty(0, 2), torch.empty(0, dtype=torch.int64)) == 1
    certain = torch.eye(2).repeat(10, 1)
    labels = torch.tensor([0, 1]).repeat(10)
    for given in (labels, 1 - labels):  # all right, all wrong
        assert BOUNDS[0] <= fit_temperature(certain, given) <= BOUNDS[1] * (1 + 1e-9)
    assert at_temperature(certain, 0.05).isfinite().all()
    even = torch.full((4, 2), 0.5)
    assert BOUNDS[0] <= fit_temperature(even, labels[:4]) <= BOUNDS[1] * (1 + 1e-9)


def test_the_calibration_error_by_hand():
    sure = torch.tensor([0.9, 0.9, 0.9, 0.9, 0.6, 0.6])
    probabilities = torch.stack([sure, 1 - sure], dim=1)
    labels = torch.tensor([0, 0, 0, 1, 1, 1])
    # At 0.9 three of four are right, at 0.6 none of two.
    expected = (4 * abs(0.75 - 0.9) + 2 * abs(0 - 0.6)) / 6
    assert calibration_error(probabilities, labels) == pytest.approx(expected)
    # In one bin: 3 of 6 are right, at 0.8 on average.
    assert calibration_error(probabilities, labels, bins=1) == pytest.approx(0.3)


def test_what_is_right_as_often_as_it_says_has_no_error():
    probabilities = torch.tensor([[0.75, 0.25]] * 4)
    assert calibration_error(probabilities, torch.tensor([0, 0, 0, 1])) == pytest.approx(0)
    assert calibration_error(torch.eye(2), torch.tensor([0, 1])) == 0
