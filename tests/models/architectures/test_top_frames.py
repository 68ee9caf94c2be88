"""Of a whole video, the share of the steps in which most is seen."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

import models
from models.config import ModelConfig
from models.layers.windows import Windows

CLASSES = ["bird", "empty", "fox"]
STEPS, WIDTH = 8, 1280


def build(**parameters: Any) -> models.VideoClassifier:
    given = {
        "architecture": "image_mlp_frozen",
        "frames_per_video": STEPS,
        "video_pooling": "MaxPooling",
        "layer_1_size": 16,
        "top_frames": 0.25,
    }
    torch.manual_seed(0)
    model = models.build(ModelConfig(**(given | parameters)), CLASSES).eval()
    model.backbone = None  # features are given
    return model


def video(*sizes: float) -> Tensor:
    """Steps of these sizes, ``[1, STEPS, WIDTH]``."""
    directions = torch.nn.functional.normalize(
        torch.rand(STEPS, WIDTH, generator=torch.Generator().manual_seed(1)), dim=1
    )
    return (torch.tensor(sizes)[:, None] * directions)[None]


SIZES = (1.0, 1.0, 7.0, 1.0, 1.0, 9.0, 1.0, 1.0)  # most is seen in steps 2 and 5


@pytest.mark.parametrize("architecture", ["image_mlp_frozen", "linear_probe"])
def test_only_the_steps_with_the_largest_features_count(architecture: str) -> None:
    steps = video(*SIZES)
    seen = build(architecture=architecture)
    every = build(architecture=architecture, top_frames=1.0)
    every.load_state_dict(seen.state_dict())
    assert torch.allclose(seen.given(steps), steps[:, [2, 5]])
    assert torch.allclose(seen(steps), every.classify(steps[:, [2, 5]]))
    others = steps.clone()
    others[:, [0, 1, 3, 4, 6, 7]] = others[:, [7, 6, 4, 3, 1, 0]] * 0.5
    assert torch.allclose(seen(others), seen(steps))
    assert not torch.allclose(every(others), every(steps))


def test_at_least_one_step_is_seen_and_the_first_of_equal_ones() -> None:
    steps = video(*SIZES)[:, :1].expand(-1, STEPS, -1)
    assert torch.equal(build(top_frames=0.01).given(steps), steps[:, :1])


def test_large_features_in_half_precision_are_told_apart() -> None:
    """Their squares are beyond its largest number."""
    sizes = [300.0, 310.0, 5000.0, 300.0, 6000.0, 300.0, 300.0, 300.0]
    steps = video(*sizes).half()
    assert torch.equal(build().given(steps).half(), steps[:, [2, 4]])


def test_clips_that_share_frames_are_seen_alike() -> None:
    steps = video(*SIZES)
    index = torch.arange(STEPS)[None]
    assert torch.allclose(build()(Windows(steps[0], index)), build()(steps))


def test_members_see_the_same_steps_alone_and_together() -> None:
    one, other = build(), build()
    torch.nn.init.ones_(other.logits.weight)
    steps = video(*SIZES)
    together = models.Mixture([one, other])(steps).exp()
    wanted = (one(steps).softmax(1) + other(steps).softmax(1)) / 2
    assert torch.allclose(together, wanted, atol=1e-6)


@pytest.mark.parametrize("mixed", [False, True])
def test_steps_that_do_not_count_have_no_share(mixed: bool) -> None:
    model = build(video_pooling="MeanPooling")
    shares = (models.Mixture([model]) if mixed else model).shares(video(*SIZES))
    assert shares is not None
    assert torch.allclose(shares, torch.tensor([[0, 0, 0.5, 0, 0, 0.5, 0, 0]]))


@pytest.mark.parametrize(
    "parameters",
    [
        {"frames_per_video": None},
        {"architecture": "video_lrcnn_frozen", "sequence_model": "GRU"},
        {"architecture": "video_mlp_concat"},
    ],
)
def test_where_all_steps_count_it_makes_no_difference(parameters: dict[str, Any]) -> None:
    model = build(**parameters)
    steps = video(*SIZES)[:, : model.steps]
    assert torch.equal(model.given(steps), steps)


@pytest.mark.parametrize("share", [0, -0.5, 1.01])
def test_a_share_lies_between_nothing_and_all(share: float) -> None:
    with pytest.raises(ValueError, match="top_frames"):
        ModelConfig(architecture="linear_probe", top_frames=share)
