"""Several models in one, which answer together."""

from pathlib import Path
from typing import Any

import pytest
import torch

import models
from models import Mixture, ModelConfig, VideoClassifier, build, load, save
from models.layers.windows import Windows

CLASSES = ["walking", "swimming", "resting"]
LRCN: dict[str, Any] = {"architecture": "video_lrcnn_frozen", "sequence_model": "GRU"}
LRCN |= {"sequence_length": 3, "layer_1_size": 8}
WHOLE: dict[str, Any] = {"architecture": "image_mlp_frozen", "video_pooling": "AttentionPooling"}
WHOLE |= {"frames_per_video": 4, "layer_1_size": 0}


def several(count: int, **values: Any) -> list[VideoClassifier]:
    config = ModelConfig(pretrained_model_name="test_resnet", pretrained=False, **values)
    members = []
    for seed in range(count):
        torch.manual_seed(seed)
        member = build(config, CLASSES, with_backbone=False)
        width = member.num_features
        member.norm.fit(torch.rand(width), torch.rand(width) + 0.5)
        members.append(member.eval())
    return members


@pytest.mark.parametrize("kind", [LRCN, WHOLE])
def test_it_answers_with_the_mean_of_the_probabilities(kind: dict[str, Any]) -> None:
    members = several(3, **kind)
    mixture, steps = Mixture(members).eval(), members[0].steps
    features = torch.randn(5, steps, members[0].num_features)
    expected = torch.stack([member(features).softmax(1) for member in members]).mean(dim=0)
    assert torch.allclose(mixture(features).softmax(1), expected, atol=1e-6)
    assert torch.allclose(mixture(features).exp(), expected, atol=1e-6)
    index = torch.arange(steps) + torch.arange(2)[:, None]
    windows = Windows(torch.randn(steps + 1, members[0].num_features), index)
    assert torch.allclose(mixture(windows), mixture(windows.clips()), atol=1e-5)


FRAMES: dict[str, Any] = {"architecture": "image_mlp_frozen", "frames_per_video": 4}
OVER_FRAMES = {
    "architecture": "video_lrcnn_frozen",
    "sequence_model": "LSTM",
    "frames_per_video": 4,
}
POOLINGS = ["MeanPooling", "MaxPooling", "LogSumExpPooling", "AttentionPooling"]


@pytest.mark.parametrize(
    "kind",
    [
        *({**FRAMES, "video_pooling": pooling, "layer_1_size": 8} for pooling in POOLINGS),
        {"architecture": "linear_probe", "frames_per_video": 4},
        {"architecture": "linear_probe", "frames_per_video": 1},
        OVER_FRAMES,
    ],
)
def test_a_step_alone_is_judged_as_a_video_that_shows_nothing_else(kind: dict[str, Any]) -> None:
    members = several(2, **kind)
    features = torch.randn(6, members[0].num_features)
    for model in (members[0], Mixture(members).eval()):
        alike = model(features[:, None].expand(-1, model.steps, -1))
        assert torch.allclose(model.alone(model.norm(features)), alike, atol=1e-5)


def test_it_weighs_as_its_members_do_on_average() -> None:
    members = several(2, **WHOLE)
    features = torch.randn(5, 4, members[0].num_features)
    each = [member.weigh(member.norm(features)) for member in members]
    weights = Mixture(members).weigh(features)
    assert weights is not None and torch.allclose(weights.sum(dim=1), torch.ones(5))
    assert torch.allclose(weights, torch.stack([w for w in each if w is not None]).mean(dim=0))
    assert Mixture(several(2, **LRCN)).weigh(torch.randn(5, 3, members[0].num_features)) is None


def test_its_file_holds_all_members_and_one_backbone(tmp_path: Path) -> None:
    mixture = models.attach_backbone(Mixture(several(2, **LRCN))).eval()
    clips = torch.randint(0, 256, (2, 3, 3, 64, 64), dtype=torch.uint8)
    save(mixture, tmp_path / "model.pt", {"fps": 2.5})
    loaded = load(tmp_path / "model.pt")
    assert torch.equal(loaded(clips), mixture(clips))
    assert loaded.config == mixture.config and not loaded.training
    assert len(models.members(loaded)) == 2 and loaded.backbone is not None
    assert all(member.backbone is None for member in models.members(loaded))
    assert all(m.extra == loaded.extra == {"fps": 2.5} for m in models.members(loaded))
    save(loaded, tmp_path / "again.pt")
    assert torch.equal(load(tmp_path / "again.pt")(clips), mixture(clips))


def test_one_of_one_is_still_a_mixture(tmp_path: Path) -> None:
    (member,) = several(1, **LRCN)
    save(Mixture([member]), tmp_path / "model.pt")
    assert isinstance(load(tmp_path / "model.pt"), Mixture)
    features = torch.randn(2, 3, member.num_features)
    assert torch.allclose(load(tmp_path / "model.pt")(features).exp(), member(features).softmax(1))
    assert models.members(member) == [member]


def test_members_are_of_one_kind() -> None:
    with pytest.raises(ValueError, match="one configuration"):
        Mixture([*several(1, **LRCN), *several(1, **WHOLE)])
    with pytest.raises(ValueError, match="share one backbone"):
        Mixture([models.attach_backbone(member) for member in several(2, **LRCN)])
