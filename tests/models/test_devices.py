"""Every model on a GPU: the same logits and gradients as on the CPU."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

import models
from models.registry import SEQUENCE_MODELS
from tests.models.architectures.families import CLASSES, clips_of, config, small

pytestmark = pytest.mark.gpu
CUDA = torch.device("cuda")


@pytest.fixture(autouse=True)
def _whole_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)


def compare(model: models.VideoClassifier, clips: torch.Tensor) -> None:
    """Logits and gradients of a model on both devices, in float32."""
    torch.manual_seed(0)
    nn.init.normal_(model.logits.weight, std=0.1)  # it begins with zeros
    results = []
    for device in (torch.device("cpu"), CUDA):
        there = copy.deepcopy(model).to(device)
        logits = there(clips.to(device))
        nn.functional.cross_entropy(logits, torch.tensor([0, 1], device=device)).backward()
        found = {name: p.grad for name, p in there.named_parameters() if p.grad is not None}
        results.append({"logits": logits.detach(), **found})
    here, there = results
    assert here.keys() == there.keys() and len(here) > 1
    for name, value in here.items():
        assert there[name].device.type == CUDA.type, name
        largest = float(value.abs().max())
        difference = float((there[name].cpu() - value).abs().max())
        assert difference <= 1e-5 + 0.01 * largest, f"{name}: {difference} of {largest}"


@pytest.mark.parametrize("name", models.ARCHITECTURES)
def test_every_architecture_computes_the_same(name: str) -> None:
    model = models.build(small(name, dropout=0.0), CLASSES).train()  # as cuDNN asks for
    compare(model, clips_of(model))


@pytest.mark.parametrize("name", SEQUENCE_MODELS)
def test_every_sequence_model_computes_the_same(name: str) -> None:
    values = {"sequence_model": name, "dropout": 0.0, "sequence_length": 5, "layer_1_size": 8}
    model = models.build(config("video_lrcnn_frozen", **values), CLASSES, with_backbone=False)
    compare(model.train(), torch.randn(2, 5, model.num_features))
