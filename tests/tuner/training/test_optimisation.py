"""Optimizers, schedules, averages and accumulation."""

import subprocess
import sys
import textwrap

import pytest
import torch
from torch import nn

import models
from models import ModelConfig, tensors
from tuner.config.parameters import TrainingConfig
from tuner.training.clips.batches import FeatureClips
from tuner.training.device import best_device, precision
from tuner.training.loop import Training
from tuner.training.optimisation import Average, make_optimizer, rate_factor
from tuner.training.task import Multiclass

pytestmark = pytest.mark.usefixtures("device")


class Small(nn.Module):
    """A head over clips of one step."""

    def __init__(self) -> None:
        super().__init__()
        self.config = ModelConfig(architecture="linear_probe")
        self.backbone = None
        self.logits = nn.Linear(6, 2)

    def parameter_groups(self):
        inner = [] if self.backbone is None else list(self.backbone.parameters())
        return {"head": list(self.logits.parameters()), "backbone": inner}

    def forward(self, clips):
        return self.logits(clips.clips()[:, 0])


def made_up(count: int, seed: int = 0) -> FeatureClips:
    generator = torch.Generator().manual_seed(seed)
    labels = (torch.rand(count, generator=generator) < 0.3).long()
    features = torch.randn(count, 6, generator=generator) + labels[:, None]
    return FeatureClips(features.half(), torch.arange(count)[:, None], labels)


def training(model: nn.Module | None = None, **settings) -> Training:
    torch.manual_seed(0)
    settings = {"epochs": 4, "rounds": 1, "batch_size": 16, "precision": "fp32", **settings}
    config = TrainingConfig(**settings)
    task = Multiclass(["a", "b"])
    return Training(
        model or Small(),
        made_up(60),
        made_up(30, 1),
        config=config,
        task=task,
        seed=3,
        device=best_device(),
    )


def weights(run: Training) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in run.model.parameters()])


def test_the_cosine_falls_to_zero_after_a_warm_up():
    config = TrainingConfig(schedule="cosine", epochs=10, warmup_epochs=2)
    factors = [rate_factor(config, epoch=e, number=1) for e in (0, 1, 2, 6, 10)]
    assert factors == pytest.approx([0.0, 0.5, 1.0, 0.5, 0.0])


def test_rounds_fall_by_their_decay():
    config = TrainingConfig(learning_rate_decay=0.1)
    assert [rate_factor(config, epoch=9, number=n) for n in (1, 2, 3)] == pytest.approx(
        [1, 0.1, 0.01]
    )


@pytest.mark.parametrize("sampling", ["shuffled", "balanced"])
@pytest.mark.parametrize(("most", "learnt"), [(None, 60), (500, 60), (20, 20)])
def test_an_epoch_learns_from_so_many_clips_drawn_anew(most, learnt, sampling):
    run = training(clips_per_epoch=most, sampling=sampling)
    seen = []
    batches = run.train.batches
    run.train.batches = lambda order, *args, **more: (
        seen.append(order),
        batches(order, *args, **more),
    )[1]
    run.step()
    run.step()
    assert [len(order) for order in seen] == [learnt, learnt]
    assert not torch.equal(*seen)


def test_few_clips_an_epoch_still_end_at_the_lowest_rate():
    run = training(schedule="cosine", epochs=2, clips_per_epoch=20, learning_rate=0.1)
    run.step()
    run.step()
    assert run.optimizer.param_groups[0]["lr"] == pytest.approx(0.0, abs=1e-6)
    assert run.finished


def test_a_cosine_training_has_its_epochs_and_ends():
    run = training(schedule="cosine", epochs=5)
    while not run.finished:
        run.step()
    rates = [entry["learning_rate"] for entry in run.history]
    assert run.epoch == 5 and rates == sorted(rates, reverse=True)


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
def test_every_optimizer_learns(optimizer):
    run = training(optimizer=optimizer, learning_rate=0.05, epochs=10, patience=10)
    while not run.finished:
        run.step()
    assert run.history[-1]["train_loss"] < 0.8 * run.history[0]["train_loss"]


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
def test_no_worker_loads_the_compiler(optimizer):
    code = f"""
        import sys
        from tests.tuner.training.test_optimisation import training
        run = training(optimizer="{optimizer}")
        run.step()
        run.load_state_dict(run.state_dict(), {{}})
        print("torch._dynamo" in sys.modules)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True
    )
    assert done.stdout == "False\n", done.stdout + done.stderr


def test_a_backbone_has_its_own_rate_and_its_vectors_do_not_decay():
    model = Small()
    model.backbone = nn.Sequential(nn.Linear(3, 3))
    config = TrainingConfig(learning_rate=1e-2, backbone_learning_rate=1e-4, weight_decay=0.1)
    groups = make_optimizer(model, config).param_groups
    assert [(g["lr"], g["weight_decay"]) for g in groups] == [(1e-2, 0.1), (1e-4, 0.1), (1e-4, 0.0)]
    default = make_optimizer(model, TrainingConfig(learning_rate=1e-2)).param_groups
    assert default[1]["lr"] == pytest.approx(1e-3)


@pytest.mark.parametrize("class_weights", ["balanced", "none"])
def test_accumulated_batches_are_one_large_batch(class_weights):
    whole = training(batch_size=20, class_weights=class_weights)
    parts = training(batch_size=5, accumulate=4, class_weights=class_weights)
    for run in (whole, parts):
        run.step()
    assert torch.allclose(weights(whole), weights(parts), atol=1e-6)


def test_gradients_are_clipped():
    torch.manual_seed(1)
    free, clipped = (training(optimizer="sgd", gradient_clip=clip) for clip in (None, 1e-4))
    before = weights(free)
    for run in (free, clipped):
        run.step()
    assert (weights(clipped) - before).norm() < 0.01 * (weights(free) - before).norm()


def test_an_average_follows_the_weights_and_forgets_the_beginning():
    average = Average(0.9)
    average.update({"w": torch.tensor([0.0])})
    for _ in range(100):
        average.update({"w": torch.tensor([1.0])})
    assert 0.99 < float(average.values["w"]) <= 1.0


def test_the_average_is_evaluated_kept_and_restored(tmp_path):
    run = training(ema=0.95, epochs=6, learning_rate=0.05, patience=6)
    for _ in range(3):
        run.step()
    with run.evaluated():
        averaged = weights(run)
    assert not torch.equal(averaged, weights(run))
    tensors.write(run.state_dict(), tmp_path / "last.pt")
    other = training(ema=0.95, epochs=6, learning_rate=0.05, patience=6)
    other.load_state_dict(tensors.read(tmp_path / "last.pt"), dict(run.best_weights))
    for each in (run, other):
        each.step()
    assert torch.equal(weights(run), weights(other))
    assert run.history[-1]["valid_loss"] == other.history[-1]["valid_loss"]


def test_balanced_sampling_shows_each_class_as_often():
    run = training(sampling="balanced", class_weights="none", epochs=40, patience=40)
    seen = []
    original = run.train.batches

    def watched(order, size, **options):
        for clips, labels in original(order, size, **options):
            seen.append(labels)
            yield clips, labels

    object.__setattr__(run.train, "batches", watched)
    for _ in range(20):
        run.step()
    assert torch.cat(seen).float().mean() == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize(
    ("architecture", "backbone", "expected"),
    [
        ("image_mlp_trainable", "efficientnet_lite0", "fp32"),
        ("image_mlp_trainable", "resnet50", "bf16"),
        ("c3dsmall", None, "fp32"),
    ],
)
def test_a_cpu_trains_in_bf16_only_what_is_faster_and_right_so(
    architecture: str, backbone: str | None, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    config = ModelConfig(
        architecture=architecture,
        pretrained_model_name=backbone,
        pretrained=False,
        sequence_length=1 if backbone else 16,
    )
    model = models.build(config, ["a", "b"])
    assert precision("auto", torch.device("cpu"), model, stored=False) == expected
    assert precision("bf16", torch.device("cpu"), model, stored=False) == "bf16"
