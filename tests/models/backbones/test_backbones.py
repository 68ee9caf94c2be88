"""Backbones: sizes, normalisation, pooling, freezing."""

import subprocess
import sys
import textwrap
from collections.abc import Iterator

import pytest
import timm
import torch
from torch import Tensor, nn

from models.backbones.folding import folded
from models.backbones.image import Output
from models.backbones.load import Backbone, load_backbone, spec

ORIGINAL = {
    "efficientnet_lite0": (224, 1280),
    "vgg16": (224, 512),
    "resnet50": (224, 2048),
    "mobilenetv2_1.00_224": (224, 1280),
    "xception": (299, 2048),
    "inception_v3": (299, 2048),
    "inception_resnet_v2": (299, 1536),
}


@pytest.fixture(scope="module")
def lite0() -> Backbone:
    return load_backbone("efficientnet_lite0", pooling="avg").freeze()


@pytest.fixture(autouse=True)
def _no_gradients() -> Iterator[None]:
    with torch.no_grad():
        yield


@pytest.mark.parametrize("name", ORIGINAL)
def test_frame_size_and_width_of_the_known_backbones(name: str) -> None:
    size, width = ORIGINAL[name]
    assert spec(name).frame_size == (size, size)
    assert spec(name).num_features == width


def test_names_stand_for_timms_networks() -> None:
    assert {name: spec(name).timm_name for name in ORIGINAL} == {
        "efficientnet_lite0": "tf_efficientnet_lite0",
        "vgg16": "vgg16",
        "resnet50": "resnet50",
        "mobilenetv2_1.00_224": "mobilenetv2_100",
        "xception": "legacy_xception",
        "inception_v3": "inception_v3",
        "inception_resnet_v2": "inception_resnet_v2",
    }
    assert spec("resnet50.tv_in1k").timm_name == "resnet50.tv_in1k"


def test_each_has_its_own_normalisation() -> None:
    assert spec("vgg16").mean == (0.485, 0.456, 0.406)
    assert spec("vgg16").std == (0.229, 0.224, 0.225)
    for name in ("efficientnet_lite0", "xception", "inception_v3", "inception_resnet_v2"):
        assert (spec(name).mean, spec(name).std) == ((0.5,) * 3, (0.5,) * 3)


class Seen(torch.nn.Module):
    """Stands in for an image network: keeps what it is given."""

    def forward_features(self, images: Tensor) -> Tensor:
        self.images = images
        return images


@pytest.mark.parametrize(
    ("colour", "expected"),
    [("red", (2.2489, -2.0357, -1.8044)), ("blue", (-2.1179, -2.0357, 2.64))],
)
def test_images_are_normalised_in_the_order_red_green_blue(
    colour: str, expected: tuple[float, float, float]
) -> None:
    backbone = Backbone(spec=spec("vgg16"), network=Seen(), pooling="max")
    images = torch.zeros(2, 3, 8, 8, dtype=torch.uint8)
    images[:, 0 if colour == "red" else 2] = 255
    assert torch.allclose(backbone(images), torch.tensor([expected] * 2), atol=1e-4)


def test_bytes_and_fractions_are_the_same_image() -> None:
    backbone = Backbone(spec=spec("resnet50"), network=Seen(), pooling="max")
    images = torch.randint(0, 256, (2, 3, 8, 8), dtype=torch.uint8)
    backbone(images)
    from_bytes = backbone.network.images
    backbone(images.float() / 255)
    assert torch.equal(from_bytes, backbone.network.images)


@pytest.mark.parametrize("name", ["test_resnet", "test_vit", "test_mambaout"])
def test_pooling_is_over_all_places_of_the_last_feature_map(name: str) -> None:
    backbone = load_backbone(name, pooling="max", pretrained=False)
    about = spec(name)
    image = torch.rand(1, 3, *about.frame_size)
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (about.mean, about.std))
    features = backbone.network.forward_features((image - mean) / std)
    if name == "test_resnet":
        places = features.flatten(2).transpose(1, 2)
    elif name == "test_vit":  # the class token is no place
        places = features[:, 1:]
    else:  # [N, H, W, F]
        places = features.flatten(1, 2)
    assert places.shape == (1, {"test_vit": 100}.get(name, 25), about.num_features)
    assert torch.allclose(backbone(image), places.amax(1), atol=1e-5)
    averaged = backbone.giving([Output("last", "avg")])
    assert torch.allclose(averaged(image), places.mean(1), atol=1e-5)


def test_features_are_those_of_the_plain_network_without_its_classifier(lite0: Backbone) -> None:
    plain = timm.create_model("tf_efficientnet_lite0", num_classes=0).eval()
    plain.load_state_dict(lite0.network.state_dict())
    image = torch.rand(1, 3, 224, 224)
    assert torch.allclose(lite0(image), plain((image - 0.5) / 0.5), atol=1e-4)


def test_vgg16_leaves_its_120_million_classifier_weights_out() -> None:
    with torch.device("meta"):
        network = timm.create_model("vgg16", num_classes=0)
    backbone = Backbone(spec=spec("vgg16"), network=network, pooling="max")
    assert sum(p.numel() for p in backbone.parameters()) == 14_714_688


def test_random_weights_depend_on_the_name_alone() -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = load_backbone("test_resnet", pooling="max", pretrained=False)
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(2)
    second = load_backbone("test_resnet", pooling="max", pretrained=False)
    for name, tensor in first.state_dict().items():
        assert torch.equal(tensor, second.state_dict()[name]), name


def test_frozen_stays_in_evaluation_mode(lite0: Backbone) -> None:
    parent = torch.nn.Sequential(lite0, torch.nn.Dropout()).train()
    assert parent[1].training
    assert not any(module.training for module in lite0.modules())
    assert not any(p.requires_grad for p in lite0.parameters())


def test_not_frozen_trains() -> None:
    backbone = load_backbone("test_resnet", pooling="max", pretrained=False)
    assert not backbone.training
    assert backbone.train().network.training


def test_normalisation_is_saved(lite0: Backbone) -> None:
    assert {"mean", "std"} <= set(lite0.state_dict())


def test_small_frames_are_fine_for_a_convolutional_network(lite0: Backbone) -> None:
    assert lite0(torch.zeros(3, 3, 64, 96, dtype=torch.uint8)).shape == (3, 1280)


@pytest.mark.parametrize("shape", [(3, 224, 224), (1, 224, 224, 3), (1, 1, 3, 224, 224)])
def test_other_shapes_are_refused(lite0: Backbone, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"\[N, 3, H, W\], not \["):
        lite0(torch.zeros(shape))


def test_a_network_of_one_size_says_so() -> None:
    backbone = load_backbone("test_vit", pooling="avg", pretrained=False)
    with pytest.raises(ValueError, match=r"\(160, 160\), not \(200, 200\)"):
        backbone(torch.zeros(1, 3, 200, 200))


def test_a_network_without_one_feature_map_is_refused() -> None:
    with pytest.raises(ValueError, match="not one feature map"):
        spec("crossvit_9_240")


def test_looking_up_building_and_running_backbones_does_not_import_the_compiler() -> None:
    """It would take a second and 150 MB in each process."""
    program = """
        import sys, torch
        from models.backbones.load import check_weights, load_backbone
        check_weights("mobilenetv2_1.00_224", pretrained=False, weights_path=None, download=False)
        check_weights("r3d_18", pretrained=False, weights_path=None, download=False)
        backbone = load_backbone("mobilenetv2_1.00_224", pooling="max", pretrained=False)
        backbone(torch.zeros(1, 3, 64, 64, dtype=torch.uint8))
        print("torch._dynamo" in sys.modules)
        print(torch.compile(lambda x: x + 1, backend="eager")(torch.ones(1)).item())
    """
    command = [sys.executable, "-c", textwrap.dedent(program)]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert output.split() == ["False", "2.0"]


class _Between(nn.Module):
    """A network that uses what its convolution computes beside the normalisation of it."""

    def __init__(self, *, beside: bool) -> None:
        super().__init__()
        self.convolution, self.beside = nn.Conv2d(3, 4, 3, bias=False), beside
        self.normalisation = nn.BatchNorm2d(4)

    def forward(self, images: Tensor) -> Tensor:
        between = self.convolution(images.float() / 255)
        features = self.normalisation(between)
        return (features + between if self.beside else features).mean((2, 3))


def _spread(network: nn.Module) -> nn.Module:
    """The network with statistics as of training, in evaluation mode."""
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            for tensor in (module.running_var, module.weight):
                nn.init.uniform_(tensor, 0.5, 2)
            for tensor in (module.running_mean, module.bias):
                nn.init.normal_(tensor)
    return network.eval()


def _normalisations(network: nn.Module) -> int:
    return sum(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in network.modules())


@pytest.mark.parametrize("name", ["mobilenetv2_1.00_224", "resnet50", "resnetv2_50", "r3d_18"])
def test_folded_backbones_compute_the_same_with_fewer_layers(name: str) -> None:
    # In doubles, as chance weights make much of what single ones round away.
    backbone = _spread(load_backbone(name, pooling="avg", pretrained=False)).double()
    clip = (4,) if spec(name).video else ()
    images = torch.randint(256, (2, *clip, 3, 112, 112), dtype=torch.uint8)
    wanted, before = backbone(images), _normalisations(backbone)
    quick = folded(backbone, (1, *clip, 3, 112, 112))
    assert _normalisations(quick) < before / 2
    assert _normalisations(backbone) == before  # it is not changed itself
    assert torch.allclose(quick(images), wanted, atol=1e-9 * wanted.abs().max().item())


def test_nothing_is_folded_where_the_convolution_is_used_besides() -> None:
    plain, beside = _spread(_Between(beside=False)), _spread(_Between(beside=True))
    assert _normalisations(folded(plain, (1, 3, 8, 8))) == 0
    assert folded(beside, (1, 3, 8, 8)) is beside
