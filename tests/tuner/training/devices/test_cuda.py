"""What only a GPU can do: its precision, its memory, and its shares among trials."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
import torch

from models import ModelConfig
from tests.devices import equal
from tests.tuner.training.test_optimisation import Small, training, weights
from tuner.study.store.results import ResultsStore
from tuner.training.device import OutOfMemory
from tuner.training.speed import noise_clips
from tuner.training.steps import plain as steps

pytestmark = pytest.mark.gpu
CUDA = torch.device("cuda")
CLIPS = ModelConfig(architecture="c3dsmall", sequence_length=11, frame_size=54)


def test_a_training_computes_in_bfloat16_and_keeps_its_weights_in_float32():
    run, kinds = training(precision="auto"), set()
    if not torch.cuda.is_bf16_supported():
        pytest.skip("this card does not compute in bfloat16")
    run.model.logits.register_forward_hook(lambda layer, given, out: kinds.add(out.dtype))
    run.step()
    assert run.precision == "bf16" and kinds == {torch.bfloat16}
    assert {weight.dtype for weight in run.model.parameters()} == {torch.float32}
    assert {weight.device.type for weight in run.model.parameters()} == {"cuda"}


def test_frames_come_through_pinned_memory_as_they_are(monkeypatch):
    clips, pinned = noise_clips(CLIPS, torch.arange(10) % 2), []
    pin = torch.Tensor.pin_memory
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda one: (pinned.append(1), pin(one))[1])
    there = list(clips.to(CUDA).batches(torch.arange(10), 4))
    here = list(clips.batches(torch.arange(10), 4))
    assert len(pinned) == len(there) == len(here) == 3
    for one, other in zip(there, here, strict=True):
        for found, wanted in zip(one, other, strict=True):
            assert found.device.type == "cuda" and equal(found, wanted)


class Hungry(Small):
    """Allocates so many MB of the card for each clip."""

    def __init__(self, megabytes: int) -> None:
        torch.manual_seed(0)  # the same weights as `training` gives its own model
        super().__init__()
        self.megabytes = megabytes

    def forward(self, clips):
        if self.training:
            torch.empty(len(clips), self.megabytes, 1024, 1024, dtype=torch.uint8, device=CUDA)
        return super().forward(clips)


@pytest.fixture
def little_memory(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This process may have 1.5 GiB more of the card than it has now."""
    monkeypatch.setattr(steps, "_known", {})
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(0).total_memory
    most = torch.cuda.memory_reserved(0) + 1.5 * 2**30
    torch.cuda.set_per_process_memory_fraction(most / total, 0)
    yield
    torch.cuda.set_per_process_memory_fraction(1.0, 0)
    torch.cuda.empty_cache()


def test_a_batch_that_the_card_refuses_is_halved_and_learns_the_same(little_memory):
    """16 and 8 clips of 256 MB are too much, 4 are not."""
    plain, hungry = training(), training(Hungry(256))
    plain.step(), hungry.step()
    assert hungry.step_over.parts == 4
    assert torch.allclose(weights(hungry), weights(plain), atol=1e-5)


def test_a_trial_that_does_not_fit_leaves_no_memory_behind(little_memory):
    before = torch.cuda.memory_allocated()
    run = training(Hungry(2048))
    with pytest.raises(OutOfMemory, match="one clip alone does not fit"):
        run.step()
    del run
    torch.cuda.empty_cache()
    assert torch.cuda.memory_allocated() - before < 2**24


def test_without_visible_cards_all_is_on_the_cpu():
    code = "from tuner.training.device import *; print(best_device(), gpus_here())"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=os.environ | {"CUDA_VISIBLE_DEVICES": ""},
    )
    assert done.stdout == "cpu 0\n", done.stderr


def cards_of(share: float, count: int) -> list[str]:
    """What so many workers see that run at once, each with a share of a card."""
    import ray

    @ray.remote(num_cpus=0, num_gpus=share)
    class Worker:
        def cards(self) -> str:
            import os

            from tuner.training.device import best_device, gpus_here

            assert best_device().type == "cuda" and gpus_here() == 1
            assert float(torch.ones(2, device="cuda").sum()) == 2
            return os.environ["CUDA_VISIBLE_DEVICES"]

    workers = [Worker.remote() for _ in range(count)]
    return ray.get([worker.cards.remote() for worker in workers], timeout=120)


def test_trials_share_a_card(ray_session):
    assert len(set(cards_of(0.5, 2))) == 1


def test_each_of_two_cards_has_a_trial(ray_session):
    if torch.cuda.device_count() < 2:
        pytest.skip("one card here")
    assert len(set(cards_of(1, 2))) == 2


@pytest.mark.shared_cache
def test_a_search_with_promoted_and_resumed_trials_has_none_that_failed(
    command, write_config, ray_session, tmp_path
):
    path = write_config(
        model={"frame_size": [64, 64], "pretrained": False},
        training={"epochs": 4, "patience": 4, "rounds": 1, "batch_size": 8, "ema": 0.9},
        space={
            "architecture": ["image_mlp_trainable", "video_lrcnn_frozen", "video_3d_trainable"],
            "pretrained_model_name": [
                {"when": {"architecture": "video_3d_trainable"}, "choices": ["r3d_18"]},
                {"choices": ["test_resnet"]},
            ],
            "sequence_model": ["GRU"],
            "sequence_length": [4],
            "layer_1_size": [8],
            "optimizer": ["adam", "adamw", "sgd"],
        },
        search={"trials": 4, "probes": 1, "grace_period": 1, "reduction_factor": 2},
        resources={"cpus": 0.5, "gpus": 0.25},
    )
    for trials in (4, 8):
        status, out, err = command("search", path, "--resume", "--set", f"search.trials={trials}")
        assert status == 0, out + err
    store = ResultsStore.open(f"sqlite:///{tmp_path}/runs/results.db", "small")
    assert store.counts()["failed"] == 0, out
    assert any(record.results.get("resumed_epochs") for record in store.records())
    status, out, err = command("best", "--results", f"sqlite:///{tmp_path}/runs/results.db")
    assert status == 0, out + err
