"""What a model sees of each frame: which parameters go together, and how wide its features are."""

from typing import Any

import pytest
import torch

import models
from models import ModelConfig, compares_frames, streams
from tests.models.architectures.families import CLASSES, small
from tests.models.test_model_config import errors


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, ("frames",)),
        ({"motion": "background"}, ("frames", "background")),
        ({"motion": "previous"}, ("frames", "previous")),
        ({"motion": "both"}, ("frames", "background", "previous")),
        ({"motion": "both", "appearance": False}, ("background", "previous")),
        ({"motion": "previous", "appearance": False}, ("previous",)),
    ],
)
def test_what_a_model_sees_of_each_frame(values: dict[str, Any], expected: tuple[str]) -> None:
    config = ModelConfig(architecture="image_mlp_frozen", **values)
    assert streams(config) == expected
    assert compares_frames(config) == (expected != ("frames",))
    if "frames" in expected:
        config = ModelConfig(architecture="image_mlp_frozen", crop="motion", **values)
        assert streams(config) == expected and compares_frames(config)


def test_a_model_that_would_see_nothing() -> None:
    found = errors(architecture="image_mlp_frozen", appearance=False)
    assert set(found) == {"appearance"} and "nothing is left to be seen" in found["appearance"]
    assert "appearance" in errors(architecture="c3d", appearance=False)


def test_only_what_is_seen_is_cropped() -> None:
    seen = {"architecture": "image_mlp_frozen", "motion": "both", "appearance": False}
    found = errors(**seen, crop="motion")
    assert set(found) == {"crop"} and "which are not seen" in found["crop"]
    assert ModelConfig(**seen, crop="all").crop == "all"
    found = errors(architecture="image_mlp_frozen", crop="all")
    assert set(found) == {"crop"} and "there are none with motion: none" in found["crop"]


@pytest.mark.parametrize("name", ["image_mlp_trainable", "c3d", "video_3d_trainable"])
def test_only_stored_features_are_relative(name: str) -> None:
    found = errors(architecture=name, relative="video")
    assert set(found) == {"relative"} and f"(video) must be none for {name}" in found["relative"]
    assert ModelConfig(architecture="video_3d_frozen", relative="video").relative == "video"
    for over_places in ("map", "place"):
        found = errors(architecture="video_3d_frozen", relative=over_places)
        assert "one over clips: give video" in found["relative"]


@pytest.mark.parametrize("name", ["image_mlp_trainable", "video_lrcnn_frozen"])
def test_each_stream_widens_the_features(name: str) -> None:
    plain = models.build(small(name), CLASSES).eval()
    model = models.build(small(name, motion="both"), CLASSES).eval()
    model.backbone = plain.backbone
    assert model.num_features == 3 * plain.num_features
    length = model.config.sequence_length
    clips = torch.randint(0, 256, (2, 3 * length, 3, 32, 32), dtype=torch.uint8)
    with torch.no_grad():
        parts = [plain.extract(part) for part in clips.split(length, dim=1)]
        assert torch.allclose(model.extract(clips), torch.cat(parts, dim=2), atol=1e-5)
        assert model(clips).shape == (2, 2)
    with pytest.raises(ValueError, match="clips must be"):
        model(clips[:, :length])
