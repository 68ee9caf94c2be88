"""The conditional space: the published grid exactly, and no model that breaks a rule."""

from collections import Counter
from pathlib import Path

import optuna
import pytest

from tuner.config import load, parse
from tuner.messages import ConfigError
from tuner.study.space import Space, resolve

CONFIGS = Path(__file__).parents[2] / "configs"
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
    found = space(
        architecture=["image_mlp_frozen", "video_lrcnn_frozen"],
        sequence_length=[5, 10],
        sequence_model=["LSTM", "Convolution1D"],
        layer_1_size=[64, 0],
        layer_2_size=[32, 0],
    )
    for params in found.enumerate():
        image = params["architecture"] == "image_mlp_frozen"
        assert (params["sequence_length"] == 1) == image
        assert (params["sequence_model"] is None) == image
        assert image or params["layer_1_size"] > 0
        assert not (params["layer_1_size"] == 0 and params["layer_2_size"] > 0)
    assert found.count() == 3 + 2 * 2 * 2


def test_the_kernel_never_exceeds_the_clip():
    found = space(
        architecture=["video_lrcnn_frozen"],
        sequence_model=["GRU", "Convolution1D"],
        sequence_length={"low": 2, "high": 6},
        convolution_kernel_size=[3, 5],
    )
    kernels = {
        (params["sequence_length"], params["convolution_kernel_size"])
        for params in found.enumerate()
        if params["sequence_model"] == "Convolution1D"
    }
    assert kernels == {(3, 3), (4, 3), (5, 3), (5, 5), (6, 3), (6, 5)}


def test_when_chooses_the_first_that_holds():
    found = space(
        architecture=["image_mlp_frozen", "video_mlp_concat"],
        pretrained_model_name=[
            {"when": {"architecture": "image_mlp_frozen"}, "choices": ["vgg16", "resnet50"]},
            {"choices": ["efficientnet_lite0"]},
        ],
        sequence_length=[3],
    )
    assert sorted(found.values("architecture", "pretrained_model_name")) == [
        ("image_mlp_frozen", "resnet50"),
        ("image_mlp_frozen", "vgg16"),
        ("video_mlp_concat", "efficientnet_lite0"),
    ]


def test_ranges_and_training_parameters_are_searched_too():
    found = space(
        architecture=["image_mlp_frozen"],
        layer_1_size={"low": 16, "high": 64, "step": 16},
        learning_rate={"low": 1e-4, "high": 1e-2, "log": True},
        batch_size=[16, 32],
    )
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    drawn = [found.sample(study.ask()) for _ in range(50)]
    assert {params["layer_1_size"] for params in drawn} == {16, 32, 48, 64}
    assert all(1e-4 <= params["learning_rate"] <= 1e-2 for params in drawn)
    assert min(params["learning_rate"] for params in drawn) < 1e-3
    assert found.count() is None and found.continuous() == ["learning_rate"]


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
