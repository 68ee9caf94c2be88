"""A linear probe on small made-up features."""

from __future__ import annotations

import pytest
import torch

import models
from models import ModelConfig
from tuner.config.parameters import TrainingConfig
from tuner.training.clips.batches import FeatureClips
from tuner.training.clips.source import fit_normalisation
from tuner.training.probe import ProbeTraining
from tuner.training.task import Multiclass

TASK = Multiclass(["a", "b"])
TELLS, HARDLY_VARIES = slice(0, 4), 4  # of the features


def made_up(count: int, seed: int) -> FeatureClips:
    """Four features tell the class, most are chance; one is all but constant, with a trace of it."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 2
    features = torch.randn(count, 1280, generator=generator)
    features[:, TELLS] += labels[:, None] * 6.0
    features[:, HARDLY_VARIES] = labels * 1e-2
    return FeatureClips(features.half(), torch.arange(count)[:, None], labels)


@pytest.mark.parametrize(("scale", "fooled"), [("own", True), ("common", False)])
def test_a_feature_that_hardly_varied_does_not_decide_at_a_new_site(scale, fooled, device):
    config = ModelConfig(architecture="linear_probe", feature_scale=scale)
    model = models.build(config, TASK.classes, with_backbone=False)
    train = made_up(60, 1)
    fit_normalisation(model, train)
    run = ProbeTraining(
        model, train, made_up(40, 2), config=TrainingConfig(), task=TASK, device=device
    )
    assert run.step()["valid_accuracy"] > 0.7
    new = made_up(40, 3)
    new.features[:, HARDLY_VARIES] = 200.0  # as it is at the next site, whatever is seen
    model.cpu()
    with torch.no_grad():
        decided = TASK.decode(TASK.decide(model.classify(model.given(new.features[:, None]))))
    assert (set(decided) == {"b"}) == fooled
    if not fooled:
        right = decided == TASK.decode(new.labels)
        assert right.mean() > 0.7
