"""The middle stage of a backbone: its features alone and beside the last ones, and its training."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import models
from models.backbones import specs
from models.backbones.folding import folded
from models.backbones.image import Output, outputs, pooled
from models.backbones.load import load_backbone
from models.backbones.specs import spec
from models.config import ModelConfig

# A network with a convolution behind its last stage, one of tokens, one with channels last.
NETWORKS = [
    "efficientnet_lite0",
    "resnet50",
    "vgg16",
    "test_resnet",
    "test_vit",
    "swin_tiny_patch4_window7_224",
]
EVERY = [Output(stage, pooling) for stage in ("last", "middle") for pooling in ("max", "avg")]


@pytest.fixture(autouse=True)
def _no_gradients() -> Iterator[None]:
    with torch.no_grad():
        yield


@pytest.mark.parametrize("name", NETWORKS)
def test_one_pass_gives_what_each_stage_gives_alone(name: str) -> None:
    images = torch.randint(256, (2, 3, *spec(name).frame_size), dtype=torch.uint8)
    whole = load_backbone(name, pooling="max", pretrained=False).giving(EVERY)
    together = whole(images).split([spec(name).width(output.stage) for output in EVERY], dim=1)
    for output, features in zip(EVERY, together, strict=True):
        alone = load_backbone(name, pooling=output.pooling, stage=output.stage, pretrained=False)(
            images
        )
        assert torch.allclose(features, alone, atol=1e-4), output


@pytest.mark.parametrize(
    ("name", "width"), [("efficientnet_lite0", 112), ("resnet50", 1024), ("vgg16", 512)]
)
def test_the_middle_stage_is_the_one_twice_as_fine_as_the_last(name: str, width: int) -> None:
    backbone = load_backbone(name, pooling="avg", stage="middle", pretrained=False)
    images = torch.rand(1, 3, 64, 64)
    (last, (middle,)) = load_backbone(
        name, pooling="avg", pretrained=False
    ).network.forward_intermediates(images, indices=[spec(name).middle_stage])
    assert middle.shape[2] == 2 * last.shape[2]
    assert backbone(images).shape == (1, width)


def test_both_is_the_largest_value_and_then_the_mean() -> None:
    assert outputs("middle", "both") == (Output("middle", "max"), Output("middle", "avg"))
    images = torch.rand(2, 3, 64, 64)
    both, largest, mean = (
        load_backbone("test_resnet", pooling=pooling, pretrained=False)(images)
        for pooling in ("both", "max", "avg")
    )
    assert torch.equal(both, torch.cat([largest, mean], dim=1))


def test_what_lies_behind_the_middle_stage_is_not_kept() -> None:
    def size(stage: str) -> int:
        backbone = load_backbone("resnet50", pooling="avg", stage=stage, pretrained=False)
        return sum(parameter.numel() for parameter in backbone.parameters())

    assert size("middle") < size("last") / 2


def test_a_backbone_of_the_middle_stage_is_folded_like_any_other() -> None:
    backbone = load_backbone("efficientnet_lite0", pooling="both", stage="middle")
    images = torch.randint(256, (2, 3, 224, 224), dtype=torch.uint8)
    quick = folded(backbone, (1, 3, 224, 224))
    assert quick is not backbone
    assert torch.allclose(quick(images), backbone(images), rtol=1e-3, atol=1e-3)


def test_a_network_that_is_trained_ends_at_its_middle_stage() -> None:
    config = ModelConfig(
        architecture="image_mlp_trainable",
        pretrained_model_name="test_resnet",
        pretrained=False,
        backbone_stage="middle",
        pooling="both",
        trainable_layers=1,
    )
    with torch.enable_grad():
        model = models.build(config, ["seal", "noseal"])
        model(torch.rand(2, 1, 3, 64, 64)).sum().backward()
    trained = [p for p in model.backbone.parameters() if p.requires_grad]
    assert trained and all(p.grad is not None for p in trained)
    assert model.num_features == 2 * spec("test_resnet").width("middle")


def test_a_network_whose_middle_stage_is_not_known_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    without = replace(spec("test_resnet"), middle_stage=None)
    monkeypatch.setitem(specs._known, "test_resnet", without)
    config = ModelConfig(
        architecture="image_mlp_frozen",
        pretrained_model_name="test_resnet",
        backbone_stage="middle",
    )
    with pytest.raises(ValueError, match="test_resnet has no middle stage"):
        models.build(config, ["seal", "noseal"], with_backbone=False)


def test_networks_over_clips_give_their_last_stage_only() -> None:
    with pytest.raises(
        ValueError, match=r"backbone_stage \(middle\) must be last for video_3d_frozen"
    ):
        ModelConfig(architecture="video_3d_frozen", sequence_length=16, backbone_stage="middle")


@pytest.mark.parametrize("stage", ["last", "middle"])
def test_a_model_with_such_a_backbone_is_read_back(stage: str, tmp_path: Path) -> None:
    config = ModelConfig(
        architecture="image_mlp_frozen",
        pretrained_model_name="test_resnet",
        pretrained=False,
        backbone_stage=stage,
        pooling="both",
        motion="background",
    )
    model = models.build(config, ["seal", "noseal"]).eval()
    models.save(model, tmp_path / "model.pt")
    again = models.load(tmp_path / "model.pt")
    clips = torch.randint(256, (2, 2, 3, 64, 64), dtype=torch.uint8)
    assert torch.allclose(again(clips), model(clips), atol=1e-5)
    features = model.extract(clips)
    assert features.shape == (2, 1, 4 * spec("test_resnet").width(stage))
    assert torch.allclose(model(features), model(clips), atol=1e-5)


@pytest.mark.parametrize("name", ["efficientnet_lite0", "swin_tiny_patch4_window7_224"])
def test_local_is_the_largest_mean_of_nine_neighbouring_places(name: str) -> None:
    images = torch.rand(2, 3, *spec(name).frame_size)
    places = load_backbone(name, pooling="max", pretrained=False).places(images, "last")
    maps = load_backbone(name, pooling="max", pretrained=False).giving([Output("last", "none")])(
        images
    )
    maps = maps.unflatten(1, (spec(name).num_features, *places))
    means = [
        maps[:, :, row : row + 3, column : column + 3].mean((2, 3))
        for row in range(places[0] - 2)
        for column in range(places[1] - 2)
    ]
    found = load_backbone(name, pooling="local", pretrained=False)(images)
    assert torch.allclose(found, torch.stack(means).amax(dim=0), atol=1e-5)


def test_a_map_smaller_than_nine_places_is_all_one_neighbourhood() -> None:
    maps = torch.rand(2, 4, 2, 2)
    assert torch.allclose(pooled(maps, "local"), maps.mean((2, 3)))


def test_tokens_have_no_neighbours() -> None:
    parameters = {
        "architecture": "image_mlp_frozen",
        "pretrained_model_name": "test_vit",
        "pretrained": False,
        "pooling": "local",
    }
    with pytest.raises(ValueError, match="test_vit gives tokens: max, avg or both"):
        models.build(ModelConfig(**parameters), ["a", "b"])
    models.build(ModelConfig(**parameters, backbone_stage="middle"), ["a", "b"])
