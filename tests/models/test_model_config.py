"""ModelConfig: names in any case, all mistakes at once, and nothing heavy imported."""

import pickle
import subprocess
import sys
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from models.config import ModelConfig, ModelParameters
from models.errors import UnknownName

LRCN: dict[str, Any] = {
    "architecture": "video_lrcnn_frozen",
    "sequence_model": "LSTM",
    "sequence_length": 5,
}


def errors(**values: Any) -> dict[str, str]:
    """Return the messages of the mistakes in ``values`` by field."""
    with pytest.raises(ValidationError) as caught:
        ModelConfig(**values)
    return {".".join(map(str, e["loc"])): e["msg"] for e in caught.value.errors()}


def test_defaults() -> None:
    config = ModelConfig(architecture="image_mlp_frozen")
    assert config.pretrained_model_name == "efficientnet_lite0"
    assert config.layer_sizes == (256, 0, 0)
    assert config.frame_size is None
    assert (config.pooling, config.dropout, config.pretrained) == ("max", 0.2, True)


@pytest.mark.parametrize(
    "name", ["video_LRCNN_frozen", "VIDEO_LRCNN_FROZEN", " video_lrcnn_frozen"]
)
def test_architecture_in_any_case(name: str) -> None:
    assert ModelConfig(**{**LRCN, "architecture": name}).architecture == "video_lrcnn_frozen"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("lstm", "LSTM"),
        ("simplernn", "SimpleRNN"),
        ("gru", "GRU"),
        ("convolution1d", "Convolution1D"),
    ],
)
def test_sequence_model_in_any_case(given: str, kept: str) -> None:
    assert ModelConfig(**{**LRCN, "sequence_model": given}).sequence_model == kept


def test_other_names_in_any_case() -> None:
    config = ModelConfig(
        architecture="image_mlp_frozen", pooling="AVG", pretrained_model_name="VGG16"
    )
    assert (config.pooling, config.pretrained_model_name) == ("avg", "vgg16")


def test_unknown_architecture_names_all() -> None:
    message = errors(architecture="video_lrcn_frozen")["architecture"]
    assert "'video_lrcn_frozen'" in message
    assert "image_mlp_frozen" in message and "video_mlp_concat" in message


def test_unknown_backbone_names_the_short_ones() -> None:
    message = errors(architecture="image_mlp_frozen", pretrained_model_name="resnet5O")
    assert "resnet50" in message["pretrained_model_name"]
    assert "r3d_18" in message["pretrained_model_name"]


def test_an_unknown_name_comes_from_a_process_as_it_was() -> None:
    error = UnknownName("backbone", "resnet5O", ["resnet50"], "Known are many.")
    again = pickle.loads(pickle.dumps(error))
    assert (again.value, again.known, str(again)) == (error.value, error.known, str(error))


@pytest.mark.parametrize("name", ["resnet18", "resnet50.tv_in1k", "ResNet18"])
def test_any_timm_name(name: str) -> None:
    config = ModelConfig(architecture="image_mlp_frozen", pretrained_model_name=name)
    assert config.pretrained_model_name == name.lower()


def test_unknown_weights_tag() -> None:
    message = errors(architecture="image_mlp_frozen", pretrained_model_name="resnet50.tv_in1kk")
    assert "resnet50.tv_in1k" in message["pretrained_model_name"]


@pytest.mark.parametrize(("given", "kept"), [(160, (160, 160)), ([120, 160], (120, 160))])
def test_frame_size_is_height_and_width_or_one_number(given: Any, kept: tuple[int, int]) -> None:
    assert ModelConfig(architecture="image_mlp_frozen", frame_size=given).frame_size == kept


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("sequence_length", 0),
        ("sequence_model_layers", 4),
        ("sequence_model_layers", 0),
        ("layer_1_size", -1),
        ("dropout", 1.0),
        ("dropout", -0.1),
        ("pooling", "median"),
        ("frame_size", [0, 224]),
        ("convolution_kernel_size", 0),
        ("sequence_model", "Attention"),
        ("layer_size", 3),
        ("trainable_layers", 0),
        ("trainable_layers", "some"),
        ("trainable_layers", 1.5),
        ("bidirectional", "both"),
    ],
)
def test_wrong_value_is_about_its_field_alone(field: str, value: Any) -> None:
    assert {key.split(".")[0] for key in errors(**{**LRCN, field: value})} == {field}


@pytest.mark.parametrize("sizes", [(0, 5, 0), (5, 0, 5), (0, 0, 5)])
def test_no_layer_after_an_absent_one(sizes: tuple[int, int, int]) -> None:
    layers = {f"layer_{i + 1}_size": size for i, size in enumerate(sizes)}
    found = errors(architecture="video_mlp_concat", sequence_length=3, **layers)
    (message,) = found.values()
    assert "must be 0 because" in message and "(5)" in message


def test_convolution_kernel_fits_the_clip() -> None:
    clip = {**LRCN, "sequence_model": "Convolution1D"}
    assert ModelConfig(**clip, convolution_kernel_size=5).convolution_kernel_size == 5
    message = errors(**clip, convolution_kernel_size=6)["convolution_kernel_size"]
    assert "(6)" in message and "(5)" in message
    assert ModelConfig(**LRCN, convolution_kernel_size=6)  # an LSTM has no kernel


def test_frame_models_take_one_frame() -> None:
    found = errors(architecture="image_mlp_frozen", sequence_length=2)
    assert "(2) must be 1" in found["sequence_length"]


def test_lrcn_needs_a_sequence_model_and_its_layers() -> None:
    found = errors(architecture="video_lrcnn_frozen", sequence_length=3, layer_1_size=0)
    assert set(found) == {"sequence_model", "sequence_model_layers"}
    assert "layer_1_size" in found["sequence_model_layers"]


@pytest.mark.parametrize(("layers", "sizes"), [(2, (8, 0, 0)), (3, (8, 8, 0)), (3, (8, 0, 0))])
def test_lrcn_needs_as_many_sizes_as_layers(layers: int, sizes: tuple[int, int, int]) -> None:
    widths = {f"layer_{i + 1}_size": size for i, size in enumerate(sizes)}
    assert set(errors(**LRCN, sequence_model_layers=layers, **widths)) == {"sequence_model_layers"}


def test_a_backbone_is_needed() -> None:
    found = errors(architecture="image_mlp_frozen", pretrained_model_name=None)
    assert set(found) == {"pretrained_model_name"}


def test_every_mistake_at_once_also_inside_another_model() -> None:
    class File(BaseModel):
        model: ModelConfig

    values = {
        "architecture": "video_lrcnn_frozen",
        "sequence_length": 2,
        "sequence_model": "Convolution1D",
        "layer_1_size": 0,
        "layer_2_size": 64,
        "dropout": 3,
        "colour": "red",
    }
    with pytest.raises(ValidationError) as caught:
        File.model_validate({"model": values})
    assert {e["loc"] for e in caught.value.errors()} == {
        ("model", field)
        for field in (
            *("dropout", "colour", "layer_2_size"),
            *("convolution_kernel_size", "sequence_model_layers"),
        )
    }


def test_no_rule_is_judged_on_a_value_that_is_wrong_itself() -> None:
    clip = {**LRCN, "sequence_model": "Convolution1D", "sequence_length": "many"}
    assert set(errors(**clip)) == {"sequence_length"}


def test_frozen_and_written_back() -> None:
    config = ModelConfig(**LRCN, frame_size=100)
    with pytest.raises(ValidationError):
        config.dropout = 0.5
    assert ModelConfig(**config.model_dump(mode="json")) == config


def test_importing_it_imports_neither_torch_nor_timm() -> None:
    code = (
        "import sys; from models import ModelConfig, uses_stored_features\n"
        "c = ModelConfig(architecture='image_mlp_frozen', pretrained_model_name='vgg16')\n"
        "assert uses_stored_features(c)\n"
        "assert not {'torch', 'timm'} & set(sys.modules), 'heavy'"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": ":".join(sys.path)})


@pytest.mark.parametrize(
    ("architecture", "length", "backbone"),
    [
        ("image_mlp_trainable", 1, "efficientnet_lite0"),
        ("video_mlp_concat", 1, "efficientnet_lite0"),
        ("C3D", 16, None),
        ("c3dsmall", 16, None),
        ("video_3D_frozen", 16, "r3d_18"),
        ("video_3d_trainable", 16, "r3d_18"),
    ],
)
def test_defaults_of_the_architecture(architecture: str, length: int, backbone: str | None) -> None:
    config = ModelConfig(architecture=architecture)
    assert config.sequence_length == length
    assert config.pretrained_model_name == backbone
    assert ModelConfig(**config.model_dump(mode="json")) == config
    assert ModelConfig.model_validate(config) is config


def test_parameters_without_an_architecture_are_checked_by_themselves() -> None:
    for values in ({}, {"architecture": None}, {"pooling": "avg"}):
        some = ModelParameters(**values)
        assert (some.sequence_length, some.pretrained_model_name) == (1, "efficientnet_lite0")
    assert ModelParameters(architecture="C3D").sequence_length == 16
    assert ModelParameters(architecture="image_mlp_frozen", sequence_length=5)  # breaks a rule
    with pytest.raises(ValidationError) as caught:
        ModelParameters(architecture="c4d", dropout=2)
    assert {e["loc"] for e in caught.value.errors()} == {("architecture",), ("dropout",)}


def test_trainable_layers_are_a_number_or_all() -> None:
    def kept(value: Any) -> Any:
        return ModelConfig(architecture="image_mlp_trainable", trainable_layers=value)

    assert kept(2).trainable_layers == 2
    assert kept("ALL").trainable_layers == "all"
    found = errors(architecture="image_mlp_trainable", trainable_layers="2 or 3")
    assert found == {
        "trainable_layers": "Value error, must be a whole number of stages from 1, or all,"
        " not '2 or 3'"
    }


@pytest.mark.parametrize("kind", ["Convolution1D", "Transformer", "MeanPooling"])
def test_only_recurrent_layers_are_bidirectional(kind: str) -> None:
    found = errors(**{**LRCN, "sequence_model": kind}, bidirectional=True)
    assert set(found) == {"bidirectional"} and f"sequence_model {kind}" in found["bidirectional"]
    assert ModelConfig(**LRCN, bidirectional=True).bidirectional


@pytest.mark.parametrize("kind", ["AttentionPooling", "meanpooling"])
def test_poolings_need_no_layer(kind: str) -> None:
    config = ModelConfig(
        **{**LRCN, "sequence_model": kind}, layer_1_size=0, sequence_model_layers=3
    )
    assert config.sequence_model in ("AttentionPooling", "MeanPooling")


@pytest.mark.parametrize("architecture", ["c3d", "c3dsmall"])
def test_no_backbone_to_learn_from_scratch(architecture: str) -> None:
    assert ModelConfig(architecture=architecture, pretrained_model_name=None)
    found = errors(
        architecture=architecture, pretrained_model_name="vgg16", model_weights_path="x.pth"
    )
    assert set(found) == {"pretrained_model_name", "model_weights_path"}
    assert "(vgg16) must be null" in found["pretrained_model_name"]
    assert "(x.pth) must be null" in found["model_weights_path"]


def test_a_backbone_is_of_its_architectures_kind() -> None:
    for architecture in ("video_3d_frozen", "video_3d_trainable"):
        message = errors(architecture=architecture, pretrained_model_name="vgg16")
        assert "(vgg16)" in message["pretrained_model_name"]
        assert "r3d_18, mc3_18, r2plus1d_18, s3d" in message["pretrained_model_name"]
        message = errors(architecture=architecture, pretrained_model_name=None)
        assert "needs a pretrained_model_name, r3d_18" in message["pretrained_model_name"]
    message = errors(architecture="image_mlp_frozen", pretrained_model_name="s3d")
    assert "(s3d) is a network over clips, as are r3d_18" in message["pretrained_model_name"]


@pytest.mark.parametrize(
    ("values", "field", "part"),
    [
        ({"pretrained_model_name": "mvit_v2_s", "sequence_length": 8}, "sequence_length", "be 16"),
        ({"pretrained_model_name": "mvit_v2_s", "frame_size": 112}, "frame_size", "(224, 224)"),
        ({"pretrained_model_name": "s3d", "sequence_length": 4}, "sequence_length", "least 5"),
        ({"pretrained_model_name": "s3d", "frame_size": 16}, "frame_size", "(17, 17)"),
    ],
)
def test_clips_that_a_network_takes(values: dict[str, Any], field: str, part: str) -> None:
    found = errors(architecture="video_3d_frozen", **values)
    assert set(found) == {field} and part in found[field]
    good = {"sequence_length": 16, "frame_size": 224}
    assert ModelConfig(architecture="video_3d_frozen", **{**values, **good})
