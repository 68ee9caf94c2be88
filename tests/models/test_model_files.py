"""A model's file: all that predicting needs, never half written, never executing anything."""

import os
import pickle
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
import torch

import models
from models import ModelConfig, build, load, save

CLASSES = ["walking", "swimming", "resting"]
HEAD: dict[str, Any] = {"sequence_length": 3, "sequence_model": "LSTM", "layer_1_size": 16}


def small(**values: Any) -> models.VideoClassifier:
    config = ModelConfig(architecture="video_lrcnn_frozen", **{**HEAD, **values})
    model = build(config, CLASSES, with_backbone=False)
    model.norm.fit(torch.rand(model.num_features), torch.rand(model.num_features) + 0.5)
    return model


def test_a_model_with_its_backbone_gives_the_same_logits(tmp_path: Path) -> None:
    model = models.attach_backbone(small()).eval()
    clips = torch.randint(0, 256, (2, 3, 3, 32, 32), dtype=torch.uint8)
    save(model, tmp_path / "model.pt", {"fps": 2.5, "note": None, "split": [1, 2]})
    loaded = load(tmp_path / "model.pt")
    assert not loaded.training
    assert torch.equal(loaded(clips), model(clips))
    assert loaded.backbone is not None and loaded.backbone.frozen
    assert loaded.classes == CLASSES
    assert loaded.config == model.config
    assert loaded.extra == {"fps": 2.5, "note": None, "split": [1, 2]}
    assert models.param_count(loaded) == models.param_count(model)


def test_a_model_of_features_is_a_small_file(tmp_path: Path) -> None:
    model = small().eval()
    save(model, tmp_path / "model.pt")
    loaded = load(tmp_path / "model.pt")
    features = torch.randn(2, 3, 1280)
    assert loaded.backbone is None and loaded.extra == {}
    assert torch.equal(loaded(features), model(features))
    assert (tmp_path / "model.pt").stat().st_size < 500_000


def test_loading_needs_neither_hub_nor_weights_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = models.attach_backbone(small(pretrained_model_name="resnet18", pretrained=False))
    model.config = model.config.model_copy(
        update={"pretrained": True, "model_weights_path": "/gone/weights.pth"}
    )
    save(model, tmp_path / "model.pt")
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", None)
    loaded = load(tmp_path / "model.pt")
    assert loaded.config.pretrained and loaded.config.model_weights_path == "/gone/weights.pth"


def test_extra_is_kept_when_saved_again(tmp_path: Path) -> None:
    save(small(), tmp_path / "a.pt", {"epoch": 3})
    save(load(tmp_path / "a.pt"), tmp_path / "deeper" / "b.pt")
    assert load(tmp_path / "deeper" / "b.pt").extra == {"epoch": 3}


def test_a_file_is_replaced(tmp_path: Path) -> None:
    for epoch in (1, 2):
        save(small(), tmp_path / "model.pt", {"epoch": epoch})
    assert load(tmp_path / "model.pt").extra == {"epoch": 2}


def test_extra_is_json_like(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        save(small(), tmp_path / "model.pt", {"weights": torch.zeros(1)})
    assert not list(tmp_path.iterdir())


def test_a_save_that_fails_leaves_the_old_file_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(small(), tmp_path / "model.pt", {"epoch": 1})

    def half(_: object, path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError("No space left on device")

    monkeypatch.setattr(torch, "save", half)
    with pytest.raises(OSError, match="No space"):
        save(small(), tmp_path / "model.pt", {"epoch": 2})
    assert [file.name for file in tmp_path.iterdir()] == ["model.pt"]
    assert load(tmp_path / "model.pt").extra == {"epoch": 1}


class Danger:
    """Creates a folder when it is unpickled carelessly."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, (self.path,)


def test_a_file_that_would_run_code_is_refused(tmp_path: Path) -> None:
    torch.save({"format": 1, "config": Danger(str(tmp_path / "ran"))}, tmp_path / "model.pt")
    with pytest.raises(ValueError, match=r"model\.pt is not a model's file"):
        load(tmp_path / "model.pt")
    assert not (tmp_path / "ran").exists()


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no model file .*absent\.pt"):
        load(tmp_path / "absent.pt")
    (tmp_path / "text.pt").write_text("a model?")
    torch.save({"weights": torch.zeros(2)}, tmp_path / "weights.pt")
    (tmp_path / "pickle.pt").write_bytes(pickle.dumps([1], protocol=2))
    for name in ("text.pt", "weights.pt", "pickle.pt"):
        with pytest.raises(ValueError, match=rf"{name} is not a model's file"):
            load(tmp_path / name)
    torch.save({"format": 99}, tmp_path / "later.pt")
    with pytest.raises(ValueError, match="format 99; this version reads formats 1 to 4"):
        load(tmp_path / "later.pt")


def test_a_damaged_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    save(build(ModelConfig(architecture="linear_probe"), ["a", "b"], with_backbone=False), path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"model\.pt is damaged: its checksum differs"):
        load(path)
