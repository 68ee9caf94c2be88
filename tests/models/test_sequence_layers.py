"""Layers over time: shapes, start values, what a step may depend on."""

import warnings

import pytest
import torch

from models.sequence import Convolution1D, SequenceStack, recurrent

KINDS = ["LSTM", "GRU", "SimpleRNN", "Convolution1D"]


def stack(kind: str, *, sizes: list[int], return_sequence: bool = False) -> SequenceStack:
    return SequenceStack(
        kind=kind,  # type: ignore[arg-type]
        in_features=6,
        sizes=sizes,
        dropout=0.5,
        kernel_size=3,
        return_sequence=return_sequence,
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sizes", [[4], [4, 5], [3, 4, 5]])
@pytest.mark.parametrize("return_sequence", [False, True])
def test_width(kind: str, sizes: list[int], return_sequence: bool) -> None:
    layers = stack(kind, sizes=sizes, return_sequence=return_sequence)
    every_step = return_sequence or kind == "Convolution1D"
    assert layers(torch.randn(2, 7, 6)).shape == (2, sizes[-1] * (7 if every_step else 1))
    assert layers.out_features(7) == sizes[-1] * (7 if every_step else 1)


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "SimpleRNN"])
def test_last_step_is_the_end_of_every_step(kind: str) -> None:
    last = stack(kind, sizes=[4, 5]).eval()
    every = stack(kind, sizes=[4, 5], return_sequence=True).eval()
    every.load_state_dict(last.state_dict())
    steps = torch.randn(2, 7, 6)
    assert torch.equal(every(steps)[:, -5:], last(steps))


def test_dropout_is_between_layers_only() -> None:
    steps = torch.randn(2, 7, 6)
    one, two = stack("GRU", sizes=[8]).train(), stack("GRU", sizes=[8, 8]).train()
    assert torch.equal(one(steps), one(steps))
    assert not torch.equal(two(steps), two(steps))


def test_lstm_starts_as_in_keras() -> None:
    layer = recurrent("LSTM", in_features=10, size=8)
    bias = layer.bias_ih_l0 + layer.bias_hh_l0
    assert bias.tolist() == [0.0] * 8 + [1.0] * 8 + [0.0] * 16
    gram = layer.weight_hh_l0.T @ layer.weight_hh_l0
    assert torch.allclose(gram, torch.eye(8), atol=1e-5)
    assert layer.weight_ih_l0.abs().max() <= (6 / (10 + 32)) ** 0.5


@pytest.mark.parametrize("kind", ["GRU", "SimpleRNN"])
def test_other_biases_start_at_zero(kind: str) -> None:
    layer = recurrent(kind, in_features=10, size=8)
    assert not layer.bias_ih_l0.any() and not layer.bias_hh_l0.any()


@pytest.mark.parametrize("kernel_size", [1, 2, 3, 4, 5])
def test_convolution_keeps_the_steps(kernel_size: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        layer = Convolution1D(in_features=6, size=4, kernel_size=kernel_size)
        output = layer(torch.randn(2, 5, 6))
    assert output.shape == (2, 5, 4)
    assert output.min() == 0  # ReLU


def test_convolution_sees_its_neighbours_only() -> None:
    layer = Convolution1D(in_features=6, size=32, kernel_size=3)
    steps = torch.randn(1, 9, 6)
    changed = steps.clone()
    changed[0, 4] += 1
    touched = (layer(steps) != layer(changed)).any(2)[0]
    assert touched.nonzero().flatten().tolist() == [3, 4, 5]


@pytest.mark.parametrize("sizes", [[], [4, 0]])
def test_no_layer_is_refused(sizes: list[int]) -> None:
    with pytest.raises(ValueError, match="positive widths"):
        stack("GRU", sizes=sizes)
