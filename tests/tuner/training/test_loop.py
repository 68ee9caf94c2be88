"""The training loop on small made-up features."""

import copy
import time

import pytest
import torch

import models
from models import ModelConfig, tensors
from tuner.config.parameters import TrainingConfig
from tuner.training.clips.batches import FeatureClips
from tuner.training.clips.source import fit_normalisation
from tuner.training.device import best_device
from tuner.training.loop import Diverged, OutOfTime, Training
from tuner.training.state import trained_state
from tuner.training.task import Multiclass

pytestmark = pytest.mark.usefixtures("device")
CONFIG = ModelConfig(
    architecture="video_lrcnn_frozen",
    sequence_model="GRU",
    sequence_length=3,
    layer_1_size=8,
    dropout=0.3,
)
TASK = Multiclass(["a", "b"])


def made_up(count: int, seed: int, noise: float = 1.0) -> FeatureClips:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 2, (count,), generator=generator)
    features = torch.randn(count, 1280, generator=generator) * noise
    features[:, :4] += labels[:, None] * 2.0
    index = (torch.arange(count)[:, None] + torch.arange(-2, 1)).clamp(min=0)
    return FeatureClips(features.half(), index, labels)


def training(seed: int = 0, **settings) -> Training:
    torch.manual_seed(seed)
    model = models.build(CONFIG, TASK.classes, with_backbone=False)
    train, valid = made_up(70, 1), made_up(40, 2)
    fit_normalisation(model, train)
    config = TrainingConfig(**{"epochs": 4, "patience": 2, **settings})
    return Training(model, train, valid, config=config, task=TASK, seed=seed, device=best_device())


def finish(run: Training) -> Training:
    while not run.finished:
        run.step()
    return run


def same(one: dict, other: dict) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


def figures(run: Training) -> list[dict]:
    return [
        {k: v for k, v in entry.items() if k not in ("seconds", "data_wait")}
        for entry in run.history
    ]


def test_the_same_seed_gives_the_same_figures_and_weights():
    one, other = finish(training()), finish(training())
    assert figures(one) == figures(other)
    assert same(one.best_weights, other.best_weights)
    assert figures(finish(training(seed=1))) != figures(one)


@pytest.mark.parametrize("stop_after", [1, 3, 5, 8])
def test_an_interrupted_training_ends_like_one_that_was_not(stop_after, tmp_path):
    whole = finish(training())
    first = training()
    for _ in range(stop_after):
        first.step()
    tensors.write(first.state_dict(), tmp_path / "last.pt")
    second = training()
    second.load_state_dict(tensors.read(tmp_path / "last.pt"), copy.deepcopy(first.best_weights))
    finish(second)
    assert figures(second) == figures(whole)
    assert same(trained_state(second.model), trained_state(whole.model))
    assert same(second.best_weights, whole.best_weights)


def test_learning_rates_fall_by_round():
    run = finish(training(learning_rate=1e-3, learning_rate_decay=0.1, rounds=3))
    rates = {entry["round"]: entry["learning_rate"] for entry in run.history}
    assert rates == pytest.approx({1: 1e-3, 2: 1e-4, 3: 1e-5})
    assert sum(run.stopped_epochs) == run.epoch
    assert len(run.stopped_epochs) == 3


def test_each_round_begins_with_the_best_weights():
    run = training(learning_rate=0.3, rounds=2, epochs=6, patience=3)
    while run.round == 1:
        run.step()
    assert run.best_epoch < run.epoch  # so there was something better to go back to
    assert same(trained_state(run.model), run.best_weights)


def test_the_best_weights_give_the_best_figures():
    run = finish(training(learning_rate=0.1))
    run.model.load_state_dict(run.best_weights)
    logits, labels = run.predict(run.valid)
    accuracy = (logits.argmax(1) == labels).float().mean()
    assert float(accuracy) == pytest.approx(run.best["valid_accuracy"])
    assert run.best["valid_f1"] == max(entry["valid_f1"] for entry in run.history)


def test_a_round_ends_when_patience_does():
    run = training(learning_rate=1e-12, epochs=50, patience=3, rounds=1)
    finish(run)
    assert run.epoch <= 10  # it can't learn, so it is not better for three epochs soon


def test_every_clip_counts_also_in_the_last_batch():
    run = training(batch_size=32)  # 70 clips: the last batch has 6
    assert run.predict(run.train)[0].shape == (70, 2)
    seen = []
    run.model.register_forward_hook(lambda module, args, out: seen.append(len(out)))
    run.step()
    assert sum(seen) == 70 + 40


def test_a_loss_that_is_no_number_ends_the_training_with_the_reason():
    run = training()
    run.train.features[3, 5] = float("nan")
    with pytest.raises(Diverged, match=r"loss is .* in epoch .* learning rate"):
        finish(run)


def test_windows_are_gathered_and_not_copied():
    clips = made_up(50, 0)
    windows, labels = clips.batch(torch.tensor([0, 10]))
    batch = windows.clips()
    assert len(windows.features) == 4  # each frame once
    assert batch.shape == (2, 3, 1280)
    assert torch.equal(batch[1], clips.features[[8, 9, 10]].float())
    assert torch.equal(batch[0], clips.features[[0, 0, 0]].float())
    assert torch.equal(labels, clips.labels[[0, 10]])


def test_a_rare_class_is_weighted_up():
    torch.manual_seed(0)
    model = models.build(CONFIG, ["a", "b"], with_backbone=False)
    train = made_up(60, 1)
    train.labels[5:] = 0
    train.labels[:5] = 1
    both = {
        scheme: Training(
            model, train, train, config=TrainingConfig(class_weights=scheme), task=TASK
        ).step_over.loss.weights
        for scheme in ("balanced", "none")
    }
    assert both["none"] is None
    assert both["balanced"][1] == pytest.approx(11 * float(both["balanced"][0]))


def test_when_time_is_over_the_epoch_does_not_count():
    run, other = training(), training()
    run.step(), other.step()
    run.deadline = time.time()
    with pytest.raises(OutOfTime):
        run.step()
    assert figures(run) == figures(other)
    with run.at_best(), other.at_best():
        assert same(trained_state(run.model), trained_state(other.model))
