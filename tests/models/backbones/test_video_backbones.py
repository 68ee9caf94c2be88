"""Networks over clips: their specs, shapes, weights, and what is said when there are none."""

from pathlib import Path

import pytest
import torch
import torchvision
from torch import Tensor

from models.backbones import hub
from models.backbones.load import (
    Backbone,
    VideoBackbone,
    WeightsError,
    check_weights,
    load_backbone,
    spec,
    weights_key,
)
from models.backbones.names import VIDEO_BACKBONES, backbone_name

SMALL = "mc3_18"


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    torch.manual_seed(3)
    return torchvision.models.get_model(SMALL).state_dict()


@pytest.fixture
def no_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and a server that can't be reached."""
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "torch"))

    def refuse(*_: object, **__: object) -> None:
        raise ConnectionError("Name or service not known")

    monkeypatch.setattr(hub.urllib.request, "urlopen", refuse)  # type: ignore[attr-defined]
    return tmp_path / "torch" / "checkpoints"


@pytest.mark.parametrize(
    ("name", "size", "width", "mean"),
    [
        ("r3d_18", 112, 512, 0.43216),
        ("mc3_18", 112, 512, 0.43216),
        ("r2plus1d_18", 112, 512, 0.43216),
        ("s3d", 224, 1024, 0.43216),
        ("mvit_v2_s", 224, 768, 0.45),
        ("swin3d_t", 224, 768, 0.485),
    ],
)
def test_specs(name: str, size: int, width: int, mean: float) -> None:
    about = spec(name)
    assert about.video and not spec("resnet18").video
    assert (about.name, about.frame_size, about.num_features) == (name, (size, size), width)
    assert about.mean[0] == mean
    assert about.fixed_size == (name == "mvit_v2_s")


def test_names_in_any_case() -> None:
    assert [backbone_name(name.upper()) for name in VIDEO_BACKBONES] == list(VIDEO_BACKBONES)
    with pytest.raises(ValueError, match=r"over clips are r3d_18, mc3_18"):
        backbone_name("r3d18")


@pytest.mark.parametrize("name", ["r3d_18", "r2plus1d_18", "s3d", "swin3d_t"])
def test_one_feature_a_clip(name: str) -> None:
    backbone = load_backbone(name, pooling="avg", pretrained=False).freeze()
    assert isinstance(backbone, VideoBackbone) and isinstance(backbone, Backbone)
    clips = torch.randint(0, 256, (2, 5, 3, 24, 28), dtype=torch.uint8)
    with torch.no_grad():
        features = backbone(clips)
        assert features.shape == (2, spec(name).num_features)
        assert torch.allclose(backbone(clips.float() / 255), features, atol=1e-4)
    for other in (features.flip(0), backbone(clips.flip(1))):  # another clip, another order
        assert (features - other).abs().max() > 1e-3 * features.abs().max()
    assert not any(p.requires_grad for p in backbone.train().parameters())
    assert not any(module.training for module in backbone.modules())


def test_features_are_those_of_the_plain_network_before_its_classifier(
    tmp_path: Path, state: dict[str, Tensor]
) -> None:
    torch.save(state, path := tmp_path / "own.pth")
    plain = torchvision.models.get_model(SMALL).eval()
    plain.load_state_dict(state)
    plain.fc = torch.nn.Identity()
    backbone = load_backbone(SMALL, pooling="avg", weights_path=str(path))
    assert check_weights(SMALL, pretrained=True, weights_path=str(path), download=True) == (
        f"file {path}"
    )
    clips = torch.rand(2, 4, 3, 24, 24)
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (spec(SMALL).mean, spec(SMALL).std))
    normalised = ((clips - mean) / std).transpose(1, 2)
    with torch.no_grad():
        assert torch.allclose(backbone(clips), plain(normalised), atol=1e-4)
        plain.avgpool = torch.nn.AdaptiveMaxPool3d(1)
        highest = load_backbone(SMALL, pooling="max", weights_path=str(path))
        assert torch.allclose(highest(clips), plain(normalised), atol=1e-4)


def test_random_weights_depend_on_the_name_alone() -> None:
    before = torch.get_rng_state()
    first = load_backbone(SMALL, pooling="max", pretrained=False)
    assert torch.equal(before, torch.get_rng_state())
    second = load_backbone(SMALL, pooling="avg", pretrained=False)
    for name, tensor in first.state_dict().items():
        assert torch.equal(tensor, second.state_dict()[name]), name


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("mc3_18", (2, 3, 32, 32), r"\[B, L, 3, H, W\], not \[2, 3, 32, 32\]"),
        ("mc3_18", (1, 2, 32, 32, 3), "not"),
        ("s3d", (1, 4, 3, 32, 32), "at least 5 frames of 17 by 17, not 4 frames of 32 by 32"),
        ("s3d", (1, 5, 3, 16, 32), "not 5 frames of 16 by 32"),
    ],
)
def test_other_clips_are_refused(name: str, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load_backbone(name, pooling="max", pretrained=False)(torch.zeros(shape))


def test_mvit_takes_clips_of_one_shape() -> None:
    with torch.device("meta"):
        network = torchvision.models.get_model("mvit_v2_s")
        backbone = VideoBackbone(spec=spec("mvit_v2_s"), network=network, pooling="max")
        assert len(backbone.stages()) == 17
        assert backbone(torch.empty(1, 16, 3, 224, 224)).shape == (1, 768)
        with pytest.raises(ValueError, match="clips of 16 frames, not 8"):
            backbone(torch.empty(1, 8, 3, 224, 224))
        with pytest.raises(ValueError, match=r"\(224, 224\), not \(112, 112\)"):
            backbone(torch.empty(1, 16, 3, 112, 112))


def test_no_connection_says_what_to_do(no_cache: Path) -> None:
    said = check_weights("s3d", pretrained=True, weights_path=None, download=False)
    assert said == "to be downloaded from download.pytorch.org/models/s3d-d76dad2f.pth"
    assert check_weights("s3d", pretrained=False, weights_path=None, download=True) == "random"
    for call in (
        lambda: check_weights("s3d", pretrained=True, weights_path=None, download=True),
        lambda: load_backbone("s3d", pooling="max"),
    ):
        with pytest.raises(WeightsError) as caught:
            call()
        for part in (
            *(
                "backbone s3d ",
                "Name or service not known",
                "TORCH_HOME",
                "model.pretrained: false",
            ),
            *(
                "model.model_weights_path: FILE",
                "efficientnet_lite0 with an architecture over images",
            ),
        ):
            assert part in str(caught.value)


def test_cached_weights_are_used(no_cache: Path, state: dict[str, Tensor]) -> None:
    no_cache.mkdir(parents=True)
    file = no_cache / "mc3_18-a90a0ba3.pth"
    torch.save(state, file)
    assert check_weights(SMALL, pretrained=True, weights_path=None, download=True) == "cache"
    own = load_backbone(SMALL, pooling="max").network.state_dict()
    assert len(own) > 100 and all(torch.equal(t, state[name]) for name, t in own.items())
    file.write_bytes(b"half")
    with pytest.raises(WeightsError, match=r"mc3_18-a90a0ba3\.pth.*Delete the file"):
        load_backbone(SMALL, pooling="max")


def test_weights_of_another_network_are_refused(tmp_path: Path, state: dict[str, Tensor]) -> None:
    torch.save(state, path := tmp_path / "own.pth")
    for call in (
        lambda: load_backbone("r3d_18", pooling="max", weights_path=str(path)),
        lambda: check_weights("r3d_18", pretrained=True, weights_path=str(path), download=False),
    ):
        with pytest.raises(WeightsError, match=r"own\.pth does not fit VideoResNet"):
            call()


def test_key_changes_with_the_weights() -> None:
    assert weights_key("r3d_18", True, None) == "torchvision:r3d_18-b3b3357e"
    keys = {
        weights_key(name, trained, None) for name in VIDEO_BACKBONES for trained in (True, False)
    }
    assert len(keys) == 2 * len(VIDEO_BACKBONES)
