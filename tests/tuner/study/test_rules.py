"""The table of rules: the space and the model's check agree, and rows say what they shape."""

import random
from typing import Any, Literal, get_args, get_origin

import optuna
import pytest
from pydantic import ValidationError

import models
from models import ModelConfig
from models.config import MODEL_ROWS, ModelParameters
from models.registry import ARCHITECTURES, SEQUENCE_MODELS
from models.rules import broken_rules
from tuner.config.load import parse
from tuner.config.parameters import PARAMETERS, ROWS, TrainingConfig, shaping
from tuner.preparation.compute import Views
from tuner.study.space.checks import searched_models, searched_views
from tuner.study.space.space import Space, resolve
from tuner.training.clips.augment import Augmentation

VALUES: dict[str, list[Any]] = {
    "architecture": list(ARCHITECTURES),
    "sequence_length": [1, 2, 4, 5, 16],
    "sequence_stride": [1, 2],
    "frame_size": [None, [16, 16], [64, 48], [224, 224]],
    "pretrained_model_name": ["vgg16", "resnet50", "r3d_18", "s3d", "mvit_v2_s"],
    "pretrained": [True, False],
    "model_weights_path": [None, "w.pth"],
    "labelled_frame": ["last", "middle"],
    "backbone_stage": ["last", "middle"],
    "pooling": ["max", "avg", "both"],
    "motion": ["none", "background", "both"],
    "appearance": [True, False],
    "crop": ["none", "motion", "all"],
    "relative": ["none", "video", "map", "place"],
    "trainable_layers": ["all", 2],
    "gradient_checkpointing": [False, True],
    "sequence_model": [*SEQUENCE_MODELS, None],
    "bidirectional": [False, True],
    "sequence_model_layers": [1, 2, 3],
    "layer_1_size": [256, 8, 0],
    "layer_2_size": [8, 0],
    "layer_3_size": [8, 0],
    "convolution_kernel_size": [3, 2, 5],
    "schedule": ["rounds", "cosine"],
    "rounds": [3, 1],
    "loss": ["cross_entropy", "focal"],
    "focal_gamma": [2.0, 1.0],
    "views": [1, 2],
    "flip": [False, True],
    "time_jitter": [0, 1],
    "warm_start": [None, "best"],
}


def wild() -> Space:
    return Space(parse({"name": "a", "space": VALUES}, "x"))


def neighbours(space: Space, count: int) -> list[dict[str, Any]]:
    """Proposals of the space, some with up to three parameters changed, whatever the rules say."""
    draw = random.Random(0)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    result = []
    for number in range(count):
        params = space.sample(study.ask())
        for name in draw.sample(list(VALUES), number % 4):
            value = draw.choice(VALUES[name])
            params[name] = tuple(value) if isinstance(value, list) else value
        result.append(params)
    return result


def proposed(space: Space, params: dict[str, Any]) -> bool:
    """Whether the space could propose these parameters."""
    chosen: dict[str, Any] = {}
    for name in PARAMETERS:
        if params[name] not in (space.domain(name, chosen).choices or []):
            return False
        chosen[name] = params[name]
    return True


def valid(params: dict[str, Any]) -> bool:
    try:
        resolve(params)
    except ValidationError:
        return False
    return True


def test_the_space_proposes_what_keeps_to_the_rules_and_nothing_else():
    space, seen = wild(), {True: 0, False: 0}
    for params in neighbours(space, 1500):
        idle = {name for name, row in ROWS.items() if row.unused_after(params)}
        plain = all(params[name] == ROWS[name].default_for(params["architecture"]) for name in idle)
        assert proposed(space, params) == (valid(params) and plain), params
        seen[proposed(space, params)] += 1
    assert min(seen.values()) > 300


def test_every_rule_of_a_model_is_said_by_its_check():
    """Each rule that refuses or limits values is broken by some parameters."""
    missing = {
        (name, kind)
        for name, row in MODEL_ROWS.items()
        for kind in ("refused", *range(len(row.limits)))
        if kind != "refused" or any(unused.refused for unused in row.unused)
    }
    for params in neighbours(wild(), 3000):
        said = [sentence for _, sentence in broken_rules(MODEL_ROWS, params)]
        model = {name: params[name] for name in MODEL_ROWS}
        if said:
            with pytest.raises(ValidationError) as caught:
                ModelConfig(**model)
            assert [error["msg"] for error in caught.value.errors()] == said
        for name, row in MODEL_ROWS.items():
            unused = row.unused_after(params)
            if unused and unused.refused and unused.refused(params) in said:
                missing.discard((name, "refused"))
            for number, limit in enumerate(row.limits):
                if not unused and not limit.allows(params[name], params):
                    assert limit.broken(params) in said
                    assert limit.none_left(params)
                    missing.discard((name, number))
    assert not missing


def test_what_makes_no_difference_has_its_default():
    """Also if another value was written, so that no model is proposed twice."""
    others = {"layer_1_size": [8], "trainable_layers": [2], "rounds": [1], "flip": [True]}
    tree = {"architecture": ["c3d", "image_mlp_frozen"], "schedule": ["cosine"], **others}
    c3d, frame = Space(parse({"name": "a", "space": tree}, "x")).enumerate()
    assert (c3d["layer_1_size"], c3d["trainable_layers"], c3d["flip"]) == (256, "all", True)
    assert (frame["layer_1_size"], frame["trainable_layers"], frame["flip"]) == (8, "all", False)
    assert c3d["rounds"] == frame["rounds"] == 3


def test_every_parameter_has_a_row_with_its_default():
    fields = {**ModelParameters.model_fields, **TrainingConfig.model_fields}
    assert list(ROWS) == list(fields) == list(PARAMETERS)
    assert {name: row.default for name, row in ROWS.items()} == {
        name: field.default for name, field in fields.items()
    }


HEAD = {
    "architecture": "video_lrcnn_trainable",
    "sequence_length": 5,
    "sequence_model": "LSTM",
    "sequence_model_layers": 1,
    "layer_1_size": 6,
    "layer_2_size": 4,
    "layer_3_size": 2,
    "pretrained": False,
}


def other(name: str) -> Any:
    """Another value than that of `HEAD`."""
    value = getattr(ModelConfig(**HEAD), name)
    annotation = PARAMETERS[name].model_fields[name].annotation
    if get_origin(annotation) is Literal:
        return next(choice for choice in get_args(annotation) if choice != value)
    if isinstance(value, bool):
        return not value
    return 1 if value == "all" else value + 1 if isinstance(value, int) else value / 2


@pytest.mark.parametrize("kind", ["LSTM", "Convolution1D"])
def test_a_parameter_that_changes_the_tensors_of_a_head_says_so(kind):
    """Else a warm start would take over a head that does not fit."""

    def tensors(**values: Any) -> dict[str, Any]:
        config = ModelConfig(**{**HEAD, "sequence_model": kind, **values})
        head = models.build(config, ["a", "b"], with_backbone=False)
        return {name: tensor.shape for name, tensor in head.state_dict().items()}

    before = tensors()
    for name in set(MODEL_ROWS) - {"architecture", *shaping("features", "head")}:
        assert tensors(**{name: other(name)}) == before, name
    assert tensors(motion="background") != before  # the test can see a difference


def test_pictures_are_varied_only_where_they_make_a_difference():
    space = {
        "architecture": ["image_mlp_frozen", "image_mlp_trainable", "c3dsmall"],
        "motion": ["none", "both"],
        "appearance": [True, False],
        "crop": ["none", "motion", "all"],
        "relative": ["none", "video"],
    }
    names = ("motion", "appearance", "crop", "relative")
    found = Space(parse({"name": "a", "space": space}, "x")).values("architecture", *names)
    cut = ("none", "motion")
    seen = [(motion, True, crop) for motion in ("none", "both") for crop in cut]
    seen += [("both", True, "all"), ("both", False, "none"), ("both", False, "all")]
    expected = [("image_mlp_frozen", *of, kind) for of in seen for kind in ("none", "video")]
    expected += [("image_mlp_trainable", *of, "none") for of in seen]
    expected += [("c3dsmall", "none", True, crop, "none") for crop in cut]
    assert set(found) == set(expected)


def test_each_network_is_prepared_once():
    space = {
        "architecture": ["image_mlp_trainable"],
        "motion": ["none", "background"],
        "trainable_layers": ["all", 2],
        "layer_1_size": [8, 16],
        "dropout": [0.1, 0.2],
    }
    result = searched_models(Space(parse({"name": "a", "space": space}, "x")))
    assert len(result) == 4


@pytest.mark.parametrize(
    ("space", "expected"),
    [
        ({}, None),
        ({"views": [1, 4], "flip": [True]}, Views(Augmentation(flip=True), 4)),
        ({"views": [4], "rotation": [10, 20]}, None),  # two kinds: each trial makes its own
        ({"views": [4], "rotation": {"low": 1.0, "high": 20.0}}, None),
        ({"architecture": ["image_mlp_trainable"], "flip": [True]}, None),
    ],
)
def test_views_are_prepared_if_all_trials_draw_the_same(space, expected):
    space = {"architecture": ["image_mlp_frozen"], **space}
    assert searched_views(Space(parse({"name": "a", "space": space}, "x"))) == expected
