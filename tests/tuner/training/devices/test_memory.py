"""Batches that do not fit into memory: taken in parts, ever smaller ones, with the same outcome."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import weakref

import numpy as np
import pytest
import torch
from torch import nn

from tests.tuner.training.test_optimisation import Small, training, weights
from tuner.training.clips.backbone import backbone_callable, on_cpu
from tuner.training.device import AtOnce, OutOfMemory, out_of_memory
from tuner.training.steps import plain as steps

pytestmark = pytest.mark.usefixtures("device")


@pytest.fixture(autouse=True)
def _nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "_known", {})


class Hungry(Small):
    """Has no memory for more than `most` clips at once, as an allocator would have it."""

    def __init__(self, most: int, *, training: bool = True, judging: bool = False) -> None:
        torch.manual_seed(0)  # the same weights as `training` gives its own model
        super().__init__()
        self.most, self.limited = most, {True: training, False: judging}
        self.refused: list[int] = []
        self.held: weakref.ref | None = None  # what the latest attempt has allocated

    def forward(self, clips):
        assert self.held is None or self.held() is None, "the failed attempt still holds its memory"
        allocated = torch.zeros(3)
        self.held = weakref.ref(allocated)
        if self.limited[self.training] and len(clips) > self.most:
            self.refused.append(len(clips))
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")
        return super().forward(clips) + 0 * allocated.sum().item()


@pytest.mark.parametrize(
    "settings",
    [
        {"class_weights": "none"},
        {"class_weights": "balanced", "loss": "focal"},
        {"label_smoothing": 0.1, "gradient_clip": 0.1, "optimizer": "sgd"},
        {"batch_size": 7, "accumulate": 2},
    ],
)
@pytest.mark.parametrize("most", [1, 3, 8])
def test_a_batch_is_halved_until_it_fits_and_learns_the_same(most, settings):
    plain, hungry = training(**settings), training(Hungry(most), **settings)
    for run in (plain, hungry):
        run.step(), run.step()
    assert torch.allclose(weights(hungry), weights(plain), atol=1e-6)
    assert hungry.history[-1]["train_loss"] == pytest.approx(plain.history[-1]["train_loss"])
    size, refused = hungry.config.batch_size, []
    while size > most:
        refused.append(size)
        size = -(-size // 2)
    assert hungry.model.refused == refused  # each size was tried once in two epochs
    assert hungry.step_over.at_once.most == size


def test_where_one_clip_does_not_fit_the_reason_is_told():
    run = training(Hungry(0))
    with pytest.raises(OutOfMemory, match=r"one clip alone .*Tried to allocate 20.*frame_size"):
        run.step()
    assert run.model.refused == [16, 8, 4, 2, 1]


def test_the_size_that_fits_is_in_the_checkpoint(monkeypatch):
    first = training(Hungry(5))
    first.step()
    monkeypatch.setattr(steps, "_known", {})  # another process goes on
    second = training(Hungry(5))
    second.load_state_dict(first.state_dict(), dict(first.best_weights))
    second.step()
    assert second.step_over.parts == 4 and not second.model.refused


def test_a_checkpoint_of_an_earlier_version_tells_it_too():
    first = training()
    first.step()
    second = training()
    second.load_state_dict({**first.state_dict(), "parts": 2}, dict(first.best_weights))
    assert second.step_over.at_once.most == 8


def test_the_next_training_of_the_same_shape_is_told(monkeypatch):
    training(Hungry(5)).step()
    second, larger = training(Hungry(5)), training(Hungry(5), batch_size=40)
    for run in (second, larger):
        run.step()
        assert not run.model.refused and run.step_over.at_once.most == 4
    other = Hungry(5)
    other.more = nn.Linear(3, 3)  # another model, of which nothing is known
    run = training(other)
    run.step()
    assert run.model.refused == [16, 8]


def test_what_validates_is_taken_in_parts_too():
    plain = training()
    hungry = training(Hungry(9, judging=True), batch_size=16)
    hungry.stored = False  # as frames are, of which a batch is judged at once
    plain.step(), hungry.step()
    assert hungry.history[0]["valid_loss"] == pytest.approx(plain.history[0]["valid_loss"])
    assert hungry.model.refused == [16]  # it validates at the size that training has found
    only = training(Hungry(9, training=False, judging=True))  # 30 clips of features at once
    only.step()
    assert only.history[0]["valid_loss"] == pytest.approx(plain.history[0]["valid_loss"])
    assert only.model.refused == [30, 15]


class HungryBackbone(nn.Module):
    def forward(self, images):
        if len(images) > 3:
            raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")
        return images.float().mean((2, 3))


def test_frames_go_through_a_backbone_in_parts(device):
    frames = np.random.default_rng(0).integers(0, 255, (10, 8, 8, 3), np.uint8)
    run = on_cpu(backbone_callable(HungryBackbone(), device))
    np.testing.assert_allclose(run(frames), frames.mean(axis=(1, 2)), rtol=1e-5)
    np.testing.assert_allclose(run(frames[:2]), frames[:2].mean(axis=(1, 2)), rtol=1e-5)


def test_a_few_that_fit_say_nothing_of_more():
    at_once = AtOnce(32)
    assert at_once(lambda size: size, 5) == 5
    assert at_once.most == 32


@pytest.mark.parametrize(
    ("error", "full"),
    [
        (torch.OutOfMemoryError("anything"), True),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: 8 bytes"), True),
        (RuntimeError("CUDA error: out of memory"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate`"), True),
        (RuntimeError("shapes cannot be multiplied"), False),
    ],
)
def test_a_lack_of_memory_is_told_from_other_errors(error, full):
    assert out_of_memory(error) is full


ALLOCATION = """
    import resource, torch
    from tests.tuner.training.test_optimisation import Small, training, weights
    from tuner.training.device import OutOfMemory

    class Hungry(Small):
        def forward(self, clips):
            if self.training:
                torch.empty(len(clips), PER_CLIP, 1024, 1024, dtype=torch.uint8)
            return super().forward(clips)

    torch.manual_seed(0)
    run = training(Hungry())
    used = int(open("/proc/self/statm").read().split()[0]) * 4096
    resource.setrlimit(resource.RLIMIT_AS, (used + 1500 * 2**20,) * 2)
    try:
        result = run.step()
        plain = training()
        plain.step()
        same = torch.allclose(weights(run), weights(plain), atol=1e-6)
        print("parts", run.step_over.parts, bool(same))
    except OutOfMemory as error:
        print("failed:", error)
"""


@pytest.mark.parametrize(
    ("megabytes", "said"),
    [(512, "parts 8 True"), (2048, "failed: one clip alone does not fit into memory")],
)
def test_an_allocation_that_the_system_refuses_is_halved(megabytes, said):
    """16, 8 and 4 clips of 512 MB are too much, 2 are not; of 2 GB one is."""
    code = textwrap.dedent(ALLOCATION).replace("PER_CLIP", str(megabytes))
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=os.environ | {"CUDA_VISIBLE_DEVICES": ""},
    )
    assert said in done.stdout, done.stdout + done.stderr
