"""Layers over time: shapes, start values, what a step may depend on."""

import math
import warnings

import pytest
import torch
from torch import nn

from models.layers.attention import TransformerLayer, positions
from models.layers.pooling import POOLING
from models.layers.sequence import LAYERS, Convolution1D, SequenceStack, recurrent
from models.registry import SEQUENCE_MODELS

RECURRENT = ["LSTM", "GRU", "SimpleRNN"]
KINDS = list(LAYERS)


def stack(
    kind: str, *, sizes: list[int], return_sequence: bool = False, bidirectional: bool = False
) -> SequenceStack:
    return SequenceStack(
        kind=kind,
        in_features=6,
        sizes=sizes,
        dropout=0.5,
        kernel_size=3,
        return_sequence=return_sequence,
        bidirectional=bidirectional,
    )


def test_each_name_that_a_user_may_write_has_its_layer() -> None:
    assert sorted({*LAYERS, *POOLING}) == sorted(SEQUENCE_MODELS)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sizes", [[4], [4, 5], [3, 4, 5]])
@pytest.mark.parametrize("return_sequence", [False, True])
def test_width(kind: str, sizes: list[int], return_sequence: bool) -> None:
    layers = stack(kind, sizes=sizes, return_sequence=return_sequence)
    every_step = return_sequence or kind == "Convolution1D"
    assert layers(torch.randn(2, 7, 6)).shape == (2, sizes[-1] * (7 if every_step else 1))
    assert layers.out_features(7) == sizes[-1] * (7 if every_step else 1)


@pytest.mark.parametrize("kind", sorted(LAYERS.keys() - {"Convolution1D"}))
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


@pytest.mark.parametrize("kind", RECURRENT)
@pytest.mark.parametrize("sizes", [[4], [4, 5]])
def test_both_ways_have_the_layers_width(kind: str, sizes: list[int]) -> None:
    steps = torch.randn(2, 7, 6)
    last = stack(kind, sizes=sizes, bidirectional=True).eval()
    assert last(steps).shape == (2, last.out_features(7)) == (2, 2 * sizes[-1])
    every = stack(kind, sizes=sizes, bidirectional=True, return_sequence=True).eval()
    assert every(steps).shape == (2, every.out_features(7)) == (2, 7 * 2 * sizes[-1])
    every.load_state_dict(last.state_dict())
    by_step = every(steps).view(2, 7, 2, sizes[-1])
    # each way hands on what it says after the whole clip: forward at the end, back at the start
    assert torch.equal(last(steps), torch.cat([by_step[:, -1, 0], by_step[:, 0, 1]], 1))


def test_the_way_back_is_a_layer_of_its_own_over_the_reversed_clip() -> None:
    both = recurrent("GRU", in_features=6, size=4, bidirectional=True)
    back = recurrent("GRU", in_features=6, size=4)
    back.load_state_dict({name: both.state_dict()[f"{name}_reverse"] for name in back.state_dict()})
    steps = torch.randn(2, 7, 6)
    assert torch.allclose(both(steps)[0][..., 4:], back(steps.flip(1))[0].flip(1), atol=1e-6)


def test_both_ways_of_an_lstm_start_as_in_keras() -> None:
    layer = recurrent("LSTM", in_features=10, size=8, bidirectional=True)
    for end in ("", "_reverse"):
        bias = getattr(layer, f"bias_ih_l0{end}") + getattr(layer, f"bias_hh_l0{end}")
        assert bias.tolist() == [0.0] * 8 + [1.0] * 8 + [0.0] * 16


@pytest.mark.parametrize("kind", sorted(LAYERS.keys() - {*RECURRENT}))
def test_only_recurrent_layers_have_a_direction(kind: str) -> None:
    with pytest.raises(ValueError, match=f"{kind} can't be bidirectional"):
        stack(kind, sizes=[4], bidirectional=True)


@pytest.mark.parametrize("size", [1, 2, 6, 7, 12])
def test_transformer_of_any_width(size: int) -> None:
    layers = stack("Transformer", sizes=[size, 4])
    assert layers(torch.randn(2, 5, 6)).shape == (2, 4)
    assert isinstance(layers.layers[0].projection, nn.Identity) == (size == 6)  # type: ignore[union-attr]


def test_transformer_sees_every_step_and_their_order() -> None:
    layers = stack("Transformer", sizes=[8]).eval()
    steps = torch.randn(1, 5, 6)
    for i in range(4):
        changed = steps.clone()
        changed[0, i] += 1
        assert not torch.allclose(layers(steps), layers(changed), atol=1e-6)
    swapped = steps[:, [1, 0, 2, 3, 4]]
    assert not torch.allclose(layers(steps), layers(swapped), atol=1e-6)
    layers.layers[0].positions = False  # type: ignore[assignment]
    assert torch.allclose(layers(steps), layers(swapped), atol=1e-5)


def test_transformer_layer_is_pre_norm_with_four_heads() -> None:
    encoder = TransformerLayer(in_features=6, size=12, dropout=0.3, positions=True).encoder
    assert encoder.norm_first and encoder.self_attn.num_heads == 4
    assert encoder.linear1.out_features == 24 and encoder.dropout.p == 0.3


def test_positions_are_sines_and_cosines() -> None:
    vectors = positions(3, 5)
    assert vectors.shape == (3, 5)
    assert vectors[0].tolist() == [0, 1, 0, 1, 0]
    expected = [math.sin(2), math.cos(2), math.sin(2 / 10_000**0.4)]
    assert torch.allclose(vectors[2, :3], torch.tensor(expected))
