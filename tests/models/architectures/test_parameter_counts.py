"""The layers of each architecture: as many parameters as published, and dropout once."""

from itertools import pairwise

import pytest
import torch
from torch import nn

from models import build
from tests.models.architectures.families import (
    CLASSES,
    config,
    count,
)


def test_published_parameter_count() -> None:
    published = 4_984_578
    second_biases = 4 * 256 + 4 * 512  # PyTorch's LSTM has two bias vectors a gate
    assert published + second_biases == count(
        "video_lrcnn_frozen",
        pretrained_model_name="vgg16",
        sequence_length=20,
        sequence_model="LSTM",
        sequence_model_layers=2,
        layer_1_size=256,
        layer_2_size=512,
        layer_3_size=256,
    )


@pytest.mark.parametrize("sizes", [(0, 0, 0), (64, 0, 0), (64, 32, 0), (64, 32, 16)])
@pytest.mark.parametrize(
    ("architecture", "length"), [("image_mlp_frozen", 1), ("video_mlp_concat", 3)]
)
def test_dense_parameter_counts(
    architecture: str, length: int, sizes: tuple[int, int, int]
) -> None:
    widths = [length * 1280, *(size for size in sizes if size), len(CLASSES)]
    expected = sum(a * b + b for a, b in pairwise(widths))
    layers = {f"layer_{i + 1}_size": size for i, size in enumerate(sizes)}
    assert count(architecture, sequence_length=length, **layers) == expected


@pytest.mark.parametrize(("kind", "gates"), [("LSTM", 4), ("GRU", 3), ("SimpleRNN", 1)])
def test_recurrent_parameter_counts(kind: str, gates: int) -> None:
    recurrent = gates * 32 * (1280 + 32 + 2)
    dense = 32 * 16 + 16 + 16 * 2 + 2
    assert recurrent + dense == count(
        "video_lrcnn_frozen", sequence_model=kind, layer_1_size=32, layer_2_size=16
    )


def test_convolution_hands_every_step_on() -> None:
    convolution = 32 * (3 * 1280 + 1)
    dense = 5 * 32 * 16 + 16 + 16 * 2 + 2
    assert convolution + dense == count(
        "video_lrcnn_frozen",
        sequence_model="Convolution1D",
        sequence_length=5,
        layer_1_size=32,
        layer_2_size=16,
    )


@pytest.mark.parametrize(
    ("layers", "sizes", "steps"),
    [(1, (8, 6, 4), 1), (2, (8, 6, 0), 1), (2, (8, 6, 4), 3), (3, (8, 6, 4), 1)],
)
def test_every_step_only_for_two_recurrent_layers_and_a_dense_one(
    layers: int, sizes: tuple[int, int, int], steps: int
) -> None:
    widths = {f"layer_{i + 1}_size": size for i, size in enumerate(sizes)}
    parameters = config("video_lrcnn_frozen", sequence_model_layers=layers, **widths)
    model = build(parameters, CLASSES, with_backbone=False)
    assert [module.hidden_size for module in model.modules() if isinstance(module, nn.GRU)] == list(
        sizes[:layers]
    )
    dense = [module for module in model.modules() if isinstance(module, nn.Linear)]
    assert dense[0].in_features == steps * sizes[layers - 1]
    assert [module.out_features for module in dense] == [*(s for s in sizes[layers:] if s), 2]


@pytest.mark.parametrize(("sizes", "dropouts"), [((8, 0, 0), 1), ((8, 6, 0), 1), ((8, 6, 4), 2)])
def test_dropout_once_before_the_logits(sizes: tuple[int, int, int], dropouts: int) -> None:
    widths = {f"layer_{i + 1}_size": size for i, size in enumerate(sizes)}
    model = build(config("video_lrcnn_frozen", dropout=0.5, **widths), CLASSES, with_backbone=False)
    called: list[nn.Module] = []
    for module in model.modules():
        if not list(module.children()):
            module.register_forward_hook(lambda module, *_: called.append(module))
    model(torch.randn(2, 3, 1280))
    called = [module for module in called if not isinstance(module, nn.Identity)]
    assert isinstance(called[-1], nn.Linear)
    assert isinstance(called[-2], nn.Dropout) and called[-2].p == 0.5
    assert sum(isinstance(module, nn.Dropout) for module in called) == dropouts
