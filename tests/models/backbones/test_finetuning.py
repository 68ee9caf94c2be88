"""Fine-tuning: exactly the stages that are to be trained change, and nothing else."""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import models
from models import ModelConfig, VideoClassifier, build
from models.backbones.load import Backbone, load_backbone

CLASSES = ["no seal", "seal"]
IMAGE = {"pretrained_model_name": "test_resnet", "frame_size": 32}
VIDEO = {"pretrained_model_name": "mc3_18", "frame_size": 24, "sequence_length": 3}
LRCN = {**IMAGE, "sequence_model": "GRU", "sequence_length": 3}
FAMILIES: list[tuple[str, dict[str, Any]]] = [
    ("image_mlp_trainable", IMAGE),
    ("video_lrcnn_trainable", LRCN),
    ("video_3d_trainable", VIDEO),
]


def make(architecture: str, **values: Any) -> VideoClassifier:
    config = ModelConfig(architecture=architecture, pretrained=False, layer_1_size=8, **values)
    return build(config, CLASSES, with_backbone=False)


def frames(model: VideoClassifier, count: int = 4) -> Tensor:
    size = (count, model.config.sequence_length, 3, *models.frame_size(model.config))
    return torch.randint(0, 256, size, dtype=torch.uint8)


def step(model: VideoClassifier) -> set[str]:
    """Train one step; return the names of all that changed, buffers included."""
    before = copy.deepcopy(model.state_dict())
    parameters = [p for group in model.parameter_groups().values() for p in group]
    optimizer = torch.optim.SGD(parameters, lr=1.0)
    loss = nn.functional.cross_entropy(model.train()(frames(model)), torch.tensor([0, 1, 0, 1]))
    loss.backward()
    assert not [
        n for n, p in model.named_parameters() if p.grad is not None and not p.requires_grad
    ]
    optimizer.step()
    return {n for n, tensor in model.state_dict().items() if not torch.equal(tensor, before[n])}


@pytest.mark.parametrize(("architecture", "values"), FAMILIES)
@pytest.mark.parametrize("trainable_layers", [1, 2, "all"])
def test_the_last_stages_train_and_no_other_bit_changes(
    architecture: str, values: dict[str, Any], trainable_layers: int | str
) -> None:
    torch.manual_seed(0)
    model = make(architecture, **values, trainable_layers=trainable_layers)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("weight") and not parameter.any():  # would let no gradient through
                parameter.fill_(1)
    changed = {name for name in step(model) if name.startswith("backbone.")}
    layers = ["layer4", "layer3", "layer2", "layer1", ""]
    kept = layers if trainable_layers == "all" else layers[: int(trainable_layers)]
    wanted = {
        name
        for name, _ in model.named_parameters()
        if name.startswith(tuple(f"backbone.network.{layer}" for layer in kept))
    }
    assert (
        changed == wanted
    )  # so only their weights change, not other weights or running statistics


@pytest.mark.parametrize(("architecture", "values"), FAMILIES)
def test_parameter_groups_are_all_that_trains(architecture: str, values: dict[str, Any]) -> None:
    model = make(architecture, **values, trainable_layers=1)
    groups = model.parameter_groups()
    assert set(groups) == {"backbone", "head"} and model.backbone is not None
    assert sum(p.numel() for group in groups.values() for p in group) == models.param_count(model)
    last = model.backbone.network.layer4
    assert {id(p) for p in groups["backbone"]} == {id(p) for p in last.parameters()}


def test_groups_without_a_backbone_that_trains() -> None:
    for architecture in ("image_mlp_frozen", "c3dsmall"):
        groups = make(architecture).parameter_groups()
        assert groups["backbone"] == [] and len(groups["head"]) > 3


@pytest.mark.parametrize(
    ("name", "count"),
    [("vgg16", 13), ("efficientnet_lite0", 8), ("test_vit", 7), ("r3d_18", 5), ("s3d", 12)],
)
def test_more_stages_than_there_are(name: str, count: int) -> None:
    with torch.device("meta"):
        backbone = load_backbone(name, pooling="max", pretrained=False)
    assert len(backbone.stages()) == count
    grouped = [id(p) for stage in backbone.stages() for p in stage]
    assert sorted(grouped) == sorted(id(p) for p in backbone.parameters())
    with pytest.raises(ValueError, match=rf"\({count + 1}\) must be from 1 to {count}, .* {name}"):
        backbone.unfreeze(count + 1)
    assert all(p.requires_grad for p in backbone.unfreeze(count).parameters())


def test_the_last_convolutions_of_vgg16() -> None:
    with torch.device("meta"):
        backbone = load_backbone("vgg16", pooling="max", pretrained=False).unfreeze(2)
    trained = [name for name, p in backbone.network.named_parameters() if p.requires_grad]
    assert trained == [f"features.{i}.{kind}" for i in (26, 28) for kind in ("weight", "bias")]


def test_unfreezing_undoes_freezing() -> None:
    backbone = load_backbone("test_resnet", pooling="max", pretrained=False).freeze().unfreeze(1)
    backbone.train()
    assert not backbone.frozen and backbone.network.training
    assert not any(m.training for m in backbone.modules() if isinstance(m, nn.BatchNorm2d))


def test_stages_that_are_not_known() -> None:
    backbone = load_backbone("test_resnet", pooling="max", pretrained=False)
    backbone.network = nn.Linear(2, 2)
    with pytest.raises(ValueError, match="not known: give trainable_layers: all"):
        backbone.unfreeze(1)
    assert all(p.requires_grad for p in backbone.unfreeze("all").parameters())


def gradients(backbone: Backbone, images: Tensor) -> list[Tensor | None]:
    backbone.zero_grad()
    backbone.train()(images).square().sum().backward()
    return [None if p.grad is None else p.grad.clone() for p in backbone.parameters()]


@pytest.mark.parametrize(("name", "shape"), [("resnet18", (2, 3)), ("mc3_18", (2, 3, 3))])
def test_checkpointed_gradients_are_the_same(name: str, shape: tuple[int, ...]) -> None:
    backbone = load_backbone(name, pooling="avg", pretrained=False).unfreeze(2)
    images = torch.rand(*shape, 32, 32)
    plain = gradients(backbone, images)
    names = list(backbone.state_dict())
    backbone.checkpoint_gradients()
    copied = copy.deepcopy(backbone)
    backbone.zero_grad(set_to_none=True)
    for a, b in zip(plain, gradients(copied, images), strict=True):
        assert (a is None) == (b is None)
        assert a is None or b is None or torch.allclose(a, b, rtol=1e-3, atol=1e-5)
    assert all(p.grad is None for p in backbone.parameters())  # the copy is one of its own
    assert list(backbone.state_dict()) == names


def test_checkpointing_saves_less_for_the_way_back() -> None:
    def saved(values: dict[str, Any]) -> int:
        model = make("video_3d_trainable", **{**VIDEO, **values}).train()
        sizes: list[int] = []
        with torch.autograd.graph.saved_tensors_hooks(
            lambda tensor: sizes.append(tensor.numel()) or tensor, lambda tensor: tensor
        ):
            model(frames(model))
        return sum(sizes)

    assert saved({"gradient_checkpointing": True}) < 0.2 * saved({})


def test_a_network_that_cannot_checkpoint_says_so() -> None:
    message = r"vgg16 can't .* leave gradient_checkpointing out"
    with torch.device("meta"), pytest.raises(ValueError, match=message):
        make("image_mlp_trainable", pretrained_model_name="vgg16", gradient_checkpointing=True)


def test_training_steps_under_autocast() -> None:
    for architecture, values in FAMILIES:
        model = make(architecture, **values, trainable_layers=1, gradient_checkpointing=True)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            changed = step(model)
        assert any(name.startswith("backbone.network.layer4") for name in changed)


def test_without_gradients_frames_go_through_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.architectures.base.FRAMES_AT_ONCE", 4)
    for architecture, values, parts in ((*FAMILIES[1], [4, 4, 4]), (*FAMILIES[2], [1] * 4)):
        model = make(architecture, **values).eval()
        assert model.backbone is not None
        seen: list[int] = []
        model.backbone.register_forward_pre_hook(lambda _, args: seen.append(len(args[0])))  # noqa: B023
        with torch.no_grad():
            model(frames(model))
        assert seen == parts
