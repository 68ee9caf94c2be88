"""The architectures: what their logits depend on, and what training changes."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import models
from models import build, param_count
from tests.models.architectures.families import CLASSES, FROZEN, clips_of, config, small

LONG = [name for name in models.ARCHITECTURES if not name.startswith("image")]
OVER_CLIPS = ["c3d", "c3dsmall", "video_3d_frozen", "video_3d_trainable"]
LENGTH_5 = {"sequence_length": 5}


def test_architectures_are_those_of_the_published_system_and_more() -> None:
    assert list(models.ARCHITECTURES) == [
        *("image_mlp_frozen", "image_mlp_trainable", "video_mlp_concat", "video_lrcnn_frozen"),
        *("video_lrcnn_trainable", "c3d", "c3dsmall", "video_3d_frozen", "video_3d_trainable"),
        "linear_probe",
    ]
    stored = [n for n in models.ARCHITECTURES if models.uses_stored_features(small(n))]
    assert set(stored) == {*FROZEN, "video_3d_frozen"}


@pytest.mark.parametrize("name", models.ARCHITECTURES)
def test_every_architecture_classifies_frames_in_any_form(name: str) -> None:
    model = build(small(name), CLASSES).eval()
    clips = clips_of(model)
    with torch.no_grad():
        logits = model(clips)
        assert logits.shape == (2, 2) and torch.isfinite(logits).all()
        assert torch.allclose(model(clips.float() / 255), logits, atol=1e-4)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert torch.allclose(model(clips).float(), logits, atol=0.3, rtol=0.1)
        with pytest.raises(ValueError, match="clips must be"):
            model(clips[:, :, :2])


@pytest.mark.parametrize("name", models.ARCHITECTURES)
def test_the_same_seed_gives_the_same_start(name: str) -> None:
    states = []
    for _ in range(2):
        torch.manual_seed(5)
        states.append(build(small(name), CLASSES).state_dict())
    assert all(torch.equal(tensor, states[1][key]) for key, tensor in states[0].items())


@pytest.mark.parametrize("name", models.ARCHITECTURES)
def test_every_architecture_is_read_back_as_it_was_written(name: str, tmp_path: Path) -> None:
    model = build(small(name), CLASSES).eval()
    groups = model.parameter_groups()
    with torch.no_grad():
        for parameter in (*groups["backbone"], *groups["head"]):
            parameter.add_(0.01)  # as if trained
    models.save(model, tmp_path / "model.pt")
    loaded = models.load(tmp_path / "model.pt")
    clips = clips_of(model)
    with torch.no_grad():
        assert torch.equal(loaded(clips), model(clips))
    assert loaded.config == model.config
    assert param_count(loaded) == param_count(model)


def test_stored_features_of_a_clip() -> None:
    lengths = {name: models.input_steps(small(name, **LENGTH_5)) for name in LONG}
    assert lengths == {**dict.fromkeys(LONG, 5), **dict.fromkeys(OVER_CLIPS, 1)}
    model = build(small("video_3d_frozen"), CLASSES, with_backbone=False)
    assert model.backbone is None
    assert model(torch.randn(3, 1, 512)).shape == (3, 2)
    with pytest.raises(ValueError, match=r"\[B, 1, 512\] or \[B, 16, 3, H, W\], not \[3, 16"):
        model(torch.randn(3, 16, 512))


def test_linear_classifier_without_layers() -> None:
    for name in ("image_mlp_frozen", "video_mlp_concat"):
        model = build(config(name, layer_1_size=0), CLASSES, with_backbone=False).train()
        clips = torch.randn(3, model.config.sequence_length, 1280)
        expected = clips.flatten(1) @ model.logits.weight.T + model.logits.bias
        assert torch.allclose(model(clips), expected, atol=1e-5)


@pytest.mark.parametrize("architecture", ["video_mlp_concat", "video_lrcnn_frozen"])
def test_order_and_every_frame_matter(architecture: str) -> None:
    model = build(config(architecture), CLASSES, with_backbone=False).eval()
    clip = torch.randn(1, 3, 1280)
    assert not torch.allclose(model(clip), model(clip.flip(1)))
    for i in range(3):
        changed = clip.clone()
        changed[:, i] = 0
        assert not torch.allclose(model(clip), model(changed))


@pytest.mark.parametrize("architecture", FROZEN)
def test_frames_and_their_features_give_the_same_logits(architecture: str) -> None:
    model = build(small(architecture), CLASSES).eval()
    length = model.config.sequence_length
    clips = clips_of(model)
    with torch.no_grad():
        assert model.backbone is not None
        features = model.backbone(clips.flatten(0, 1)).view(2, length, -1)
        model.norm.fit(features.mean((0, 1)), features.std((0, 1)) + 0.1)
        assert torch.allclose(model(clips), model(features), atol=1e-4)
        assert torch.allclose(model(clips), model(clips.float() / 255), atol=1e-5)


def test_features_are_normalised_before_the_head() -> None:
    model = build(config("video_mlp_concat"), CLASSES, with_backbone=False).eval()
    features = torch.randn(2, 3, 1280)
    normalised = (features - 2) / 0.5
    expected = model(normalised)
    model.norm.fit(torch.full((1280,), 2.0), torch.full((1280,), 0.5))
    assert torch.allclose(model(features), expected, atol=1e-4)


def test_many_frames_go_through_a_frozen_backbone_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    model = build(config("video_mlp_concat"), CLASSES).eval()
    clips = torch.rand(3, 3, 3, 32, 32)
    whole = model(clips)
    monkeypatch.setattr("models.architectures.base.FRAMES_AT_ONCE", 4)
    assert torch.allclose(model(clips), whole, atol=1e-4)


def test_training_changes_the_head_and_no_bit_of_a_frozen_backbone() -> None:
    torch.manual_seed(0)
    model = build(config("video_lrcnn_frozen", layer_1_size=16), CLASSES).train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    logits = model(torch.rand(4, 3, 3, 32, 32))
    nn.functional.cross_entropy(logits, torch.tensor([0, 1, 0, 1])).backward()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.grad is not None:
                parameter -= 0.1 * parameter.grad
    assert model.backbone is not None and not model.backbone.training
    changed = {name for name, t in model.state_dict().items() if not torch.equal(t, before[name])}
    assert changed and not any(name.startswith("backbone") for name in changed)
    assert "sequence.layers.0.weight_ih_l0" in changed


def test_backbone_does_not_count_and_does_not_change_the_start() -> None:
    torch.manual_seed(3)
    with_backbone = build(config("image_mlp_frozen"), CLASSES)
    torch.manual_seed(3)
    without = build(config("image_mlp_frozen"), CLASSES, with_backbone=False)
    assert without.backbone is None
    assert param_count(with_backbone) == param_count(without) == 1280 * 256 + 256 + 2 * 256 + 2
    assert torch.equal(with_backbone.logits.weight, without.logits.weight)


def test_backbone_can_be_attached_later() -> None:
    model = build(config("image_mlp_frozen"), CLASSES, with_backbone=False).eval()
    frames = torch.zeros(1, 1, 3, 64, 64, dtype=torch.uint8)
    with pytest.raises(ValueError, match="attach_backbone"):
        model(frames)
    assert models.attach_backbone(model)(frames).shape == (1, 2)
    assert not any(p.requires_grad for p in model.backbone.parameters())


@pytest.mark.parametrize("shape", [(2, 4, 1280), (2, 3, 512), (3, 1280)])
def test_clips_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    model = build(config("video_lrcnn_frozen"), CLASSES, with_backbone=False)
    with pytest.raises(ValueError, match=rf"\[B, 3, 1280\].*not \[{shape[0]}, {shape[1]}"):
        model(torch.zeros(shape))


@pytest.mark.parametrize("classes", [["seal"], [], ["seal", "seal"]])
def test_classes_are_two_or_more_and_different(classes: list[str]) -> None:
    with pytest.raises(ValueError, match="two or more different"):
        build(config("image_mlp_frozen"), classes, with_backbone=False)


def test_frame_size_is_the_backbones_unless_given() -> None:
    def size(**values: Any) -> tuple[int, int]:
        return models.frame_size(config("image_mlp_frozen", **values))

    assert size() == (224, 224)
    assert size(pretrained_model_name="xception") == (299, 299)
    assert size(frame_size=[120, 160]) == (120, 160)
    assert size(pretrained_model_name="vit_tiny_patch16_224", frame_size=224) == (224, 224)
    with pytest.raises(ValueError, match=r"\(160, 160\) does not go with vit_tiny"):
        size(pretrained_model_name="vit_tiny_patch16_224", frame_size=160)


def test_unknown_attribute() -> None:
    with pytest.raises(AttributeError, match="no attribute 'bild'"):
        models.bild  # noqa: B018
