"""Steps that are recorded and played: they change nothing but the time."""

from __future__ import annotations

import pytest
import torch

import models
from data.files.patience import telling
from models import ModelConfig
from tests.tuner.training.test_optimisation import training, weights
from tuner.config.parameters import TrainingConfig
from tuner.training import loop
from tuner.training.loop import Training
from tuner.training.speed import noise_clips
from tuner.training.steps.graph import GraphedStep, take, unchanged
from tuner.training.steps.plain import Step
from tuner.training.task import task_of

CUDA = torch.device("cuda")
HEAD = ModelConfig(
    architecture="video_lrcnn_frozen",
    pretrained_model_name="efficientnet_lite0",
    pretrained=False,
    sequence_model="LSTM",
    sequence_length=4,
    layer_1_size=16,
    dropout=0.0,
)
SCRATCH = ModelConfig(architecture="c3dsmall", sequence_length=11, frame_size=54, dropout=0.0)


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
@pytest.mark.parametrize("steps", [0, 2])
def test_what_is_tried_before_a_recording_changes_nothing(optimizer, steps):
    one, other = (training(optimizer=optimizer) for _ in range(2))
    for run in (one, other):
        for _ in range(steps):
            run.step()
    clips, labels = next(one.train.batches(torch.arange(8), 8))
    places = [weight.data_ptr() for weight in one.model.parameters()]
    drawn = torch.get_rng_state()
    with unchanged(one.model, one.optimizer):
        for _ in range(3):
            torch.rand(3)
            take(one.step_over, one.optimizer, clips, labels)
        assert not torch.equal(weights(one), weights(other))
    assert torch.equal(weights(one), weights(other))
    assert torch.equal(torch.get_rng_state(), drawn)
    assert [weight.data_ptr() for weight in one.model.parameters()] == places
    for run in (one, other):  # the optimizers, too
        run.step()
    assert torch.equal(weights(one), weights(other))


def trained(model: ModelConfig, epochs: int = 2, count: int = 40, **settings) -> Training:
    """On the card, over clips of noise; the last batch is not a whole one."""
    torch.manual_seed(0)
    task = task_of("multiclass", ["one", "other"])
    config = {"epochs": 9, "patience": 9, "batch_size": 16, "precision": "fp32"} | settings
    run = Training(
        models.build(model, task.classes, with_backbone=False),
        noise_clips(model, task.noise(count)),
        noise_clips(model, task.noise(8)),
        config=TrainingConfig(**config),
        task=task,
        device=CUDA,
    )
    for _ in range(epochs):
        run.step()
    return run


@pytest.mark.gpu
@pytest.mark.parametrize(
    "settings",
    [{}, {"optimizer": "sgd"}, {"optimizer": "adamw", "ema": 0.9}, {"gradient_clip": 0.1}],
    ids=["adam", "sgd", "ema", "clipped"],
)
@pytest.mark.parametrize("model", [HEAD, SCRATCH], ids=["head", "trained"])
def test_a_recorded_training_is_that_of_a_plain_loop(model, settings, monkeypatch):
    played = trained(model, **settings)
    assert isinstance(played.step_over, GraphedStep) and played.step_over._recorded
    monkeypatch.setattr(loop, "GraphedStep", Step)
    plain = trained(model, **settings)
    for one, other in zip(played.history, plain.history, strict=True):
        assert one["train_loss"] == pytest.approx(other["train_loss"], rel=1e-3)
    for one, other in zip(played.model.parameters(), plain.model.parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-3)


@pytest.mark.gpu
def test_what_is_drawn_differs_from_play_to_play():
    """With one batch an epoch, an epoch's loss is that of its dropout."""
    model = HEAD.model_copy(update={"dropout": 0.5})
    run = trained(model, epochs=6, count=16, learning_rate=1e-12)
    assert len({entry["train_loss"] for entry in run.history[2:]}) > 1


@pytest.mark.gpu
def test_a_recorded_training_goes_on_from_its_state(monkeypatch):
    whole, first = trained(HEAD, epochs=4), trained(HEAD, epochs=2)
    second = trained(HEAD, epochs=0)
    second.load_state_dict(first.state_dict(), first.best_weights)
    for _ in range(2):
        second.step()
    for one, other in zip(whole.model.parameters(), second.model.parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-4)


@pytest.mark.gpu
def test_a_model_that_waits_for_the_card_is_trained_step_by_step_and_that_is_said(monkeypatch):
    kind = type(models.build(HEAD, ["one", "other"], with_backbone=False))
    plain = kind.classify

    def waiting(self, features):
        float(features.sum())
        return plain(self, features)

    monkeypatch.setattr(kind, "classify", waiting)
    said: list[str] = []
    with telling(said.append):
        run = trained(HEAD)
    (line,) = said
    assert "step by step" in line and run.step_over._recorded is None
    monkeypatch.setattr(loop, "GraphedStep", Step)
    other = trained(HEAD)
    for one, two in zip(run.model.parameters(), other.model.parameters(), strict=True):
        assert torch.allclose(one, two, atol=1e-4)
