"""c3d and c3dsmall: the published sizes, and what their pools leave."""

from typing import Any

import pytest
import torch
from torch import nn

from models import ModelConfig, build, frame_size, param_count
from models.assembly import family

CLASSES = ["no seal", "seal"]


def config(name: str, **values: Any) -> ModelConfig:
    return ModelConfig(architecture=name, **values)


@pytest.mark.parametrize(
    ("name", "width", "count"), [("c3d", 8192, 78_003_970), ("c3dsmall", 24_576, 7_833_602)]
)
def test_published_parameter_counts(name: str, width: int, count: int) -> None:
    with torch.device("meta"):
        model = build(config(name), CLASSES)
    assert model.config.sequence_length == 16 and frame_size(model.config) == (112, 112)
    assert model.num_features == width
    assert param_count(model) == count
    assert model.backbone is None


@pytest.mark.parametrize("name", ["c3d", "c3dsmall"])
@pytest.mark.parametrize("clip", [(16, 64, 64), (17, 65, 71), (20, 70, 96)])
def test_width_is_what_the_layers_give(name: str, clip: tuple[int, int, int]) -> None:
    length, *size = clip
    parameters = config(name, sequence_length=length, frame_size=size)
    with torch.device("meta"):
        model = build(parameters, CLASSES).eval()
        clips = torch.empty(1, length, 3, *size)
        assert model.extract(clips).shape == (1, 1, model.num_features)
        assert model(clips).shape == (1, 2)


@pytest.mark.parametrize(("name", "length", "size"), [("c3d", 16, 16), ("c3dsmall", 11, 54)])
def test_the_smallest_clips(name: str, length: int, size: int) -> None:
    kind = family(name)
    assert kind.feature_width(config(name, sequence_length=length, frame_size=size)) > 0
    for wrong in ((length - 1, size), (length, size - 1)):
        with pytest.raises(ValueError) as caught:
            build(config(name, sequence_length=wrong[0], frame_size=wrong[1]), CLASSES)
        for part in (name, f"at least {length}", f"at least {(size, size)}", f"not {wrong[0]} and"):
            assert part in str(caught.value)


def test_layers_are_in_the_published_order() -> None:
    with torch.device("meta"):
        model = build(config("c3d", dropout=0.3), CLASSES)
    layers = [m for m in model.modules() if not list(m.children())]
    shapes = [m.out_channels for m in layers if isinstance(m, nn.Conv3d)]
    assert shapes == [64, 128, 256, 256, 512, 512, 512, 512]
    pools = [m.kernel_size for m in layers if isinstance(m, nn.MaxPool3d)]
    assert pools == [(1, 2, 2), *[(2, 2, 2)] * 4]
    assert [m.p for m in layers if isinstance(m, nn.Dropout)] == [0.3, 0.3]
    dense = [m.out_features for m in layers if isinstance(m, nn.Linear)]
    assert dense == [4096, 4096, 2]


def test_signal_neither_dies_nor_explodes_on_its_way() -> None:
    torch.manual_seed(0)
    model = build(config("c3dsmall", sequence_length=11, frame_size=54), CLASSES).eval()
    with torch.no_grad():
        features = model.extract(torch.randint(0, 256, (2, 11, 3, 54, 54), dtype=torch.uint8))
    assert 0.05 < features.std() < 20


def test_training_changes_every_layer() -> None:
    torch.manual_seed(0)
    for checkpointing in (False, True):
        parameters = config(
            "c3dsmall",
            sequence_length=11,
            frame_size=54,
            dropout=0.0,
            gradient_checkpointing=checkpointing,
        )
        model = build(parameters, CLASSES).train()
        model(torch.rand(2, 11, 3, 54, 54))[:, 0].sum().backward()
        for name, parameter in model.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.any() or name == "logits.bias", name


@pytest.mark.parametrize(
    "shape", [(2, 11, 256), (2, 1, 256), (2, 11, 3, 54, 60), (2, 8, 3, 54, 54)]
)
def test_only_frames_of_its_own_size(shape: tuple[int, ...]) -> None:
    model = build(config("c3dsmall", sequence_length=11, frame_size=54), CLASSES)
    with pytest.raises(
        ValueError, match=r"\[B, 11, 3, 54, 54\], not \[2.*c3dsmall takes no features"
    ):
        model(torch.zeros(shape))
