"""The architectures: published sizes, what their logits depend on, and what training changes."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import models
from models import ModelConfig, build, param_count

CLASSES = ["no seal", "seal"]
FROZEN = ["image_mlp_frozen", "video_mlp_concat", "video_lrcnn_frozen"]
IMAGES = [*FROZEN, "image_mlp_trainable", "video_lrcnn_trainable"]
SMALL: dict[str, dict[str, Any]] = {  # sizes at which each architecture is quick
    **{name: {"pretrained_model_name": "test_resnet", "frame_size": 32} for name in IMAGES},
    "c3d": {"frame_size": 32},
    "c3dsmall": {"frame_size": 64, "sequence_length": 11},
    **{f"video_3d_{kind}": {"frame_size": 24} for kind in ("frozen", "trainable")},
}


def config(architecture: str, **values: Any) -> ModelConfig:
    if architecture.startswith("video_lrcnn"):
        values.setdefault("sequence_model", "GRU")
    if architecture in IMAGES and not architecture.startswith("image"):
        values.setdefault("sequence_length", 3)
    return ModelConfig(architecture=architecture, **values)


def small(architecture: str, **values: Any) -> ModelConfig:
    return config(architecture, **{"pretrained": False, **SMALL[architecture], **values})


LONG = [name for name in models.ARCHITECTURES if not name.startswith("image")]
LENGTH_5 = {"sequence_length": 5}


def clips_of(model: models.VideoClassifier, count: int = 2) -> Tensor:
    size = (count, model.config.sequence_length, 3, *models.frame_size(model.config))
    return torch.randint(0, 256, size, dtype=torch.uint8)


def count(architecture: str, **values: Any) -> int:
    return param_count(build(config(architecture, **values), CLASSES, with_backbone=False))


def test_architectures_are_those_of_the_published_system_and_more() -> None:
    assert list(models.ARCHITECTURES) == [
        *("image_mlp_frozen", "image_mlp_trainable", "video_mlp_concat", "video_lrcnn_frozen"),
        *("video_lrcnn_trainable", "c3d", "c3dsmall", "video_3d_frozen", "video_3d_trainable"),
    ]
    stored = [n for n in models.ARCHITECTURES if models.uses_stored_features(small(n))]
    assert stored == [*FROZEN, "video_3d_frozen"]


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
    lengths = {name: models.feature_length(small(name, **LENGTH_5)) for name in LONG}
    assert lengths == {**dict.fromkeys(LONG, 5), "video_3d_frozen": 1}
    model = build(small("video_3d_frozen"), CLASSES, with_backbone=False)
    assert model.backbone is None
    assert model(torch.randn(3, 1, 512)).shape == (3, 2)
    with pytest.raises(ValueError, match=r"\[B, 1, 512\] or \[B, 16, 3, H, W\], not \[3, 16"):
        model(torch.randn(3, 16, 512))


def test_published_parameter_count() -> None:
    published = 4_984_578
    second_biases = 4 * 256 + 4 * 512  # PyTorch's LSTM has two bias vectors a gate
    assert published + second_biases == count(
        "video_lrcnn_frozen",
        pretrained_model_name="vgg16",
        sequence_length=20,
        sequence_model="LSTM",
        sequence_model_layers=2,
        layer_1_size=256,
        layer_2_size=512,
        layer_3_size=256,
    )


@pytest.mark.parametrize("sizes", [(0, 0, 0), (64, 0, 0), (64, 32, 0), (64, 32, 16)])
@pytest.mark.parametrize(
    ("architecture", "length"), [("image_mlp_frozen", 1), ("video_mlp_concat", 3)]
)
def test_dense_parameter_counts(
    architecture: str, length: int, sizes: tuple[int, int, int]
) -> None:
    widths = [length * 1280, *(size for size in sizes if size), len(CLASSES)]
    expected = sum(a * b + b for a, b in pairwise(widths))
    layers = {f"layer_{i + 1}_size": size for i, size in enumerate(sizes)}
    assert count(architecture, sequence_length=length, **layers) == expected


@pytest.mark.parametrize(("kind", "gates"), [("LSTM", 4), ("GRU", 3), ("SimpleRNN", 1)])
def test_recurrent_parameter_counts(kind: str, gates: int) -> None:
    recurrent = gates * 32 * (1280 + 32 + 2)
    dense = 32 * 16 + 16 + 16 * 2 + 2
    assert recurrent + dense == count(
        "video_lrcnn_frozen", sequence_model=kind, layer_1_size=32, layer_2_size=16
    )


def test_convolution_hands_every_step_on() -> None:
    convolution = 32 * (3 * 1280 + 1)
    dense = 5 * 32 * 16 + 16 + 16 * 2 + 2
    assert convolution + dense == count(
        "video_lrcnn_frozen",
        sequence_model="Convolution1D",
        sequence_length=5,
        layer_1_size=32,
        layer_2_size=16,
    )


@pytest.mark.parametrize(
    ("layers", "sizes", "steps"),
    [(1, (8, 6, 4), 1), (2, (8, 6, 0), 1), (2, (8, 6, 4), 3), (3, (8, 6, 4), 1)],
)
def test_every_step_only_for_two_recurrent_layers_and_a_dense_one(
    layers: int, sizes: tuple[int, int, int], steps: int
) -> None:
    widths = {f"layer_{i + 1}_size": size for i, size in enumerate(sizes)}
    parameters = config("video_lrcnn_frozen", sequence_model_layers=layers, **widths)
    model = build(parameters, CLASSES, with_backbone=False)
    assert [module.hidden_size for module in model.modules() if isinstance(module, nn.GRU)] == list(
        sizes[:layers]
    )
    dense = [module for module in model.modules() if isinstance(module, nn.Linear)]
    assert dense[0].in_features == steps * sizes[layers - 1]
    assert [module.out_features for module in dense] == [*(s for s in sizes[layers:] if s), 2]


@pytest.mark.parametrize(("sizes", "dropouts"), [((8, 0, 0), 1), ((8, 6, 0), 1), ((8, 6, 4), 2)])
def test_dropout_once_before_the_logits(sizes: tuple[int, int, int], dropouts: int) -> None:
    widths = {f"layer_{i + 1}_size": size for i, size in enumerate(sizes)}
    model = build(config("video_lrcnn_frozen", dropout=0.5, **widths), CLASSES, with_backbone=False)
    called: list[nn.Module] = []
    for module in model.modules():
        if not list(module.children()):
            module.register_forward_hook(lambda module, *_: called.append(module))
    model(torch.randn(2, 3, 1280))
    called = [module for module in called if not isinstance(module, nn.Identity)]
    assert isinstance(called[-1], nn.Linear)
    assert isinstance(called[-2], nn.Dropout) and called[-2].p == 0.5
    assert sum(isinstance(module, nn.Dropout) for module in called) == dropouts


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
