"""The conditional space: the published grid exactly, and no model that breaks a rule."""

from collections import Counter
from itertools import product
from pathlib import Path

import optuna
import pytest

from tuner.config.load import load, parse
from tuner.config.messages import ConfigError
from tuner.study.space.probes import probes
from tuner.study.space.space import Space, resolve

CONFIGS = Path(__file__).parents[3] / "configs"
LRCN = {"architecture": ["video_lrcnn_frozen"], "sequence_model": ["LSTM"]}


def space(**parameters) -> Space:
    return Space(parse({"name": "a", "space": parameters}, "x"))


def test_the_published_grid_has_3075_models():
    grid = Space(load(CONFIGS / "seals_grid.yaml"))
    models = list(grid.enumerate())
    assert grid.count() == 3075
    assert len({repr(params) for params in models}) == 3075
    assert Counter(params["architecture"] for params in models) == {
        "image_mlp_frozen": 240,
        "video_mlp_concat": 360,
        "video_lrcnn_frozen": 2475,
    }


def test_every_model_of_the_grid_can_be_built():
    for params in Space(load(CONFIGS / "seals_grid.yaml")).enumerate():
        resolve(params)  # raises where a rule is broken


def test_samplers_propose_members_of_the_enumerated_space_only():
    grid = Space(load(CONFIGS / "seals_grid.yaml"))
    known = {repr(params) for params in grid.enumerate()}
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(200):
        assert repr(grid.sample(study.ask())) in known


def test_tpe_works_over_the_conditional_space():
    grid = Space(load(CONFIGS / "seals_grid.yaml"))
    sampler = optuna.samplers.TPESampler(seed=0, multivariate=True, group=True)
    study = optuna.create_study(sampler=sampler)
    for number in range(60):
        trial = study.ask()
        resolve(grid.sample(trial))
        study.tell(trial, number % 7)


def test_conditions():
    built = space(
        architecture=["image_mlp_frozen", "video_lrcnn_frozen"],
        sequence_length=[5, 10],
        sequence_model=["LSTM", "Convolution1D"],
        layer_1_size=[64, 0],
        layer_2_size=[32, 0],
    )
    for params in built.enumerate():
        image = params["architecture"] == "image_mlp_frozen"
        assert (params["sequence_length"] == 1) == image
        assert (params["sequence_model"] is None) == image
        assert image or params["layer_1_size"] > 0
        assert not (params["layer_1_size"] == 0 and params["layer_2_size"] > 0)
    assert built.count() == 3 + 2 * 2 * 2


def test_the_kernel_never_exceeds_the_clip():
    built = space(
        architecture=["video_lrcnn_frozen"],
        sequence_model=["GRU", "Convolution1D"],
        sequence_length={"low": 2, "high": 6},
        convolution_kernel_size=[3, 5],
    )
    kernels = {
        (params["sequence_length"], params["convolution_kernel_size"])
        for params in built.enumerate()
        if params["sequence_model"] == "Convolution1D"
    }
    assert kernels == {(3, 3), (4, 3), (5, 3), (5, 5), (6, 3), (6, 5)}


def test_when_chooses_the_first_that_holds():
    built = space(
        architecture=["image_mlp_frozen", "video_mlp_concat"],
        pretrained_model_name=[
            {"when": {"architecture": "image_mlp_frozen"}, "choices": ["vgg16", "resnet50"]},
            {"choices": ["efficientnet_lite0"]},
        ],
        sequence_length=[3],
    )
    assert sorted(built.values("architecture", "pretrained_model_name")) == [
        ("image_mlp_frozen", "resnet50"),
        ("image_mlp_frozen", "vgg16"),
        ("video_mlp_concat", "efficientnet_lite0"),
    ]


def test_ranges_and_training_parameters_are_searched_too():
    built = space(
        architecture=["image_mlp_frozen"],
        layer_1_size={"low": 16, "high": 64, "step": 16},
        learning_rate={"low": 1e-4, "high": 1e-2, "log": True},
        batch_size=[16, 32],
    )
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    drawn = [built.sample(study.ask()) for _ in range(50)]
    assert {params["layer_1_size"] for params in drawn} == {16, 32, 48, 64}
    assert all(1e-4 <= params["learning_rate"] <= 1e-2 for params in drawn)
    assert min(params["learning_rate"] for params in drawn) < 1e-3
    assert built.count() is None and built.continuous() == ["learning_rate"]


def test_values_given_twice_count_once():
    assert space(architecture=["image_mlp_frozen"], layer_1_size=[64, 64, 32]).count() == 2


def test_a_grid_needs_an_end():
    endless = space(architecture=["image_mlp_frozen"], dropout={"low": 0.0, "high": 0.5})
    with pytest.raises(ConfigError, match=r"space\.dropout"):
        list(endless.enumerate())


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({}, ["space.architecture", "is missing"]),
        ({"architecture": ["video_lrcnn_frozen"]}, ["space.sequence_model", "add sequence_model"]),
        (
            {**LRCN, "sequence_model": ["Convolution1D"], "sequence_length": [2, 5]},
            ["space.sequence_model", "exceeds sequence_length (2)"],
        ),
        ({**LRCN, "sequence_model_layers": [1, 2]}, ["space.layer_2_size", "above 0"]),
        (
            {"architecture": ["image_mlp_frozen"], "pretrained_model_name": [None]},
            ["pretrained_model_name", "needs a backbone"],
        ),
    ],
)
def test_a_space_without_a_way_through_is_a_mistake(parameters, words):
    text = "\n".join(space(**parameters).problems())
    for word in words:
        assert word in text


def test_a_good_space_has_no_problems():
    for path in CONFIGS.glob("*.yaml"):
        assert Space(load(path)).problems() == []


def everything(**space) -> Space:
    architectures = ["image_mlp_frozen", "image_mlp_trainable", "video_lrcnn_trainable"]
    architectures += ["c3d", "video_3d_frozen", "video_3d_trainable"]
    tree = {"name": "a", "space": {"architecture": architectures, **space}}
    return Space(parse(tree, "x"))


def test_every_proposed_model_of_every_architecture_is_right_and_distinct():
    space = everything(
        pretrained_model_name=["efficientnet_lite0", "r3d_18", "mvit_v2_s"],
        sequence_length=[3, 16],
        sequence_model=["GRU", "Transformer", "MeanPooling"],
        bidirectional=[False, True],
        trainable_layers=["all", 2],
        layer_1_size=[0, 8],
        schedule=["rounds", "cosine"],
        flip=[False, True],
    )
    assert space.problems() == []
    every_model = list(space.enumerate())
    assert len({repr(params) for params in every_model}) == len(every_model) == space.count()
    for params in every_model:
        resolve(params)  # raises where a rule of the models is broken
    backbones = {(p["architecture"], p["pretrained_model_name"]) for p in every_model}
    assert {b for a, b in backbones if a == "c3d"} == {None}
    assert {b for a, b in backbones if a.startswith("video_3d")} == {"r3d_18", "mvit_v2_s"}
    assert {b for a, b in backbones if a.startswith("image")} == {"efficientnet_lite0"}
    assert all(
        p["sequence_length"] == 16 for p in every_model if p["pretrained_model_name"] == "mvit_v2_s"
    )
    assert not any(p["flip"] for p in every_model if p["architecture"].endswith("_frozen"))
    assert {p["trainable_layers"] for p in every_model if p["architecture"] == "c3d"} == {"all"}


def test_what_is_not_said_is_the_architectures_own():
    by_architecture = {p["architecture"]: p for p in everything(sequence_model=["GRU"]).enumerate()}
    assert (
        by_architecture["c3d"]["sequence_length"] == 16
        and by_architecture["image_mlp_frozen"]["sequence_length"] == 1
    )
    assert by_architecture["video_3d_frozen"]["pretrained_model_name"] == "r3d_18"


def test_augmentation_of_frozen_models_waits_for_views():
    space = everything(views=[1, 3], flip=[False, True], sequence_model=["GRU"])
    frozen = [p for p in space.enumerate() if p["architecture"] == "image_mlp_frozen"]
    assert sorted((p["views"], p["flip"]) for p in frozen) == [(1, False), (3, False), (3, True)]
    assert {p["views"] for p in space.enumerate() if p["architecture"] == "c3d"} == {1}


def test_an_architecture_without_any_backbone_of_its_kind_is_a_mistake():
    problems = everything(pretrained_model_name=["resnet50"], sequence_model=["GRU"]).problems()
    assert any("video_3d_frozen" in text and "r3d_18" in text for text in problems)


def test_a_search_begins_with_a_probe_for_each_picture_share_of_top_frames_and_scale():
    given = {
        "architecture": ["image_mlp_frozen"],
        "frames_per_video": [6, 12],
        "top_frames": [0.25, 1.0],
        "relative": ["none", "place"],
        "feature_scale": ["own", "common"],
        "layer_1_size": [0, 64],
    }
    config = parse({"name": "a", "data": {"unit": "video"}, "space": given}, "x")
    names = ("relative", "top_frames", "feature_scale", "frames_per_video")
    found = [tuple(params[name] for name in names) for params in probes(config)]
    kinds = product(("none", "place"), (0.25, 1.0), ("common", "own"))
    assert sorted(found) == [(*kind, 12) for kind in kinds]
    of_frames = parse({"name": "a", "data": {"unit": "frame"}, "space": given}, "x")
    assert {p["top_frames"] for p in probes(of_frames)} == {1.0}
