"""Poolings over the steps of a clip, and the sequence models inside a model."""

import math
from typing import Any

import pytest
import torch
from torch import nn

import models
from models.layers.pooling import POOLING, AttentionPooling, MeanPooling


def test_mean_pooling_is_the_mean() -> None:
    steps = torch.tensor([[[1.0, 2.0], [3.0, 6.0], [5.0, 1.0]]])
    pooling = MeanPooling(num_features=2)
    assert torch.allclose(pooling(steps), torch.tensor([[3.0, 3.0]]))
    assert not list(pooling.parameters()) and pooling.out_features(3) == 2


def test_attention_pooling_weighs_as_published() -> None:
    pooling = AttentionPooling(num_features=2)
    with torch.no_grad():
        for parameter in pooling.parameters():
            parameter.zero_()
        pooling.value.weight[0] = torch.tensor([1.0, 0.0])
        pooling.gate.weight[0] = torch.tensor([0.0, 1.0])
        pooling.score.weight[0, 0] = 2.0
    steps = torch.tensor([[[1.0, 2.0], [-1.0, 0.5]]])
    scores = [2 * math.tanh(a) / (1 + math.exp(-b)) for a, b in ((1.0, 2.0), (-1.0, 0.5))]
    first = math.exp(scores[0]) / (math.exp(scores[0]) + math.exp(scores[1]))
    expected = [first - (1 - first), 2 * first + 0.5 * (1 - first)]
    assert torch.allclose(pooling(steps), torch.tensor([expected]))
    assert torch.allclose(pooling.weights(steps).sum(1), torch.ones(1, 1))


def test_pooling_does_not_depend_on_the_order() -> None:
    steps = torch.randn(2, 5, 6)
    for kind in POOLING.values():
        pooling = kind(num_features=6)
        assert pooling(steps).shape == (2, 6)
        assert torch.allclose(pooling(steps), pooling(steps.flip(1)), atol=1e-6)


def model(kind: str, **values: Any) -> models.VideoClassifier:
    parameters = {"layer_1_size": 8, "layer_2_size": 6, "layer_3_size": 4, **values}
    config = models.ModelConfig(
        architecture="video_lrcnn_frozen", sequence_length=3, sequence_model=kind, **parameters
    )
    return models.build(config, ["a", "b"], with_backbone=False)


@pytest.mark.parametrize("kind", list(POOLING))
@pytest.mark.parametrize("layers", [1, 2, 3])
def test_all_layers_after_a_pooling_are_dense(kind: str, layers: int) -> None:
    pooled = model(kind, sequence_model_layers=layers)
    dense = [1280 * 8 + 8, 8 * 6 + 6, 6 * 4 + 4, 4 * 2 + 2]
    attention = 2 * (1280 * 128 + 128) + 129 if kind == "AttentionPooling" else 0
    sharpness = 1 if kind == "LogSumExpPooling" else 0
    assert models.param_count(pooled) == sum(dense) + attention + sharpness
    assert pooled(torch.randn(2, 3, 1280)).shape == (2, 2)


def test_a_pooling_may_go_without_layers() -> None:
    pooled = model("MeanPooling", layer_1_size=0, layer_2_size=0, layer_3_size=0)
    assert models.param_count(pooled) == 1280 * 2 + 2


@pytest.mark.parametrize(("layers", "steps"), [(1, 1), (2, 3), (3, 1)])
def test_both_ways_in_a_model(layers: int, steps: int) -> None:
    both = model("GRU", sequence_model_layers=layers, bidirectional=True)
    dense = [module for module in both.modules() if isinstance(module, nn.Linear)]
    assert dense[0].in_features == 2 * (8, 6, 4)[layers - 1] * steps
    assert both(torch.randn(2, 3, 1280)).shape == (2, 2)


@pytest.mark.parametrize(("layers", "steps"), [(1, 1), (2, 3), (3, 1)])
def test_transformer_in_a_model_hands_on_as_recurrent_layers_do(layers: int, steps: int) -> None:
    transformer = model("Transformer", sequence_model_layers=layers).eval()
    width = (8, 6, 4)[layers - 1] * steps
    assert transformer.sequence.out_features(3) == width
    assert transformer(torch.randn(2, 3, 1280)).shape == (2, 2)
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.isfinite(transformer(torch.randn(2, 3, 1280))).all()
