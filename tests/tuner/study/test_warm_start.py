"""Warm starts: the head of the best frozen model that fits, and what is said where none can."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from data.files.storage import Storage
from tuner.config.load import parse
from tuner.study.space.checks import remarks
from tuner.study.space.space import Space
from tuner.study.warm_start import best_frozen
from tuner.training.run import BEST

SPACE: dict[str, Any] = {
    "architecture": ["image_mlp_frozen", "image_mlp_trainable"],
    "frame_size": [[64, 48]],
    "warm_start": ["best"],
}


def proposals() -> tuple[dict[str, Any], dict[str, Any]]:
    """A frozen model and its trained counterpart."""
    frozen, trained = Space(parse({"name": "a", "space": SPACE}, "x")).enumerate()
    return frozen, trained


class Search:
    """A search whose trials have ended, given with the best first, and their weights.

    Their parameters have been through the store's JSON.
    """

    def __init__(self, folder: Path, *ended: dict[str, Any]) -> None:
        self.storage = Storage(folder)
        self.ended = [
            SimpleNamespace(number=number, params=json.loads(json.dumps(params)))
            for number, params in enumerate(ended)
        ]
        for number in range(len(ended)):
            path = self.weights(number)
            path.parent.mkdir(parents=True)
            path.touch()

    def weights(self, number: int) -> Path:
        return self.storage.folder / "models" / str(number) / BEST

    def ranking(self) -> list[Any]:
        return self.ended

    def start(self, params: dict[str, Any]) -> int | None:
        """The number of the model that `params` would start from."""
        source = best_frozen(self, params, self.storage)  # type: ignore[arg-type]
        assert source is None or source.path == self.weights(source.number)
        return None if source is None else source.number


def test_the_best_frozen_counterpart_is_taken(tmp_path):
    frozen, trained = proposals()
    search = Search(tmp_path, trained, frozen, {**frozen, "dropout": 0.4})
    assert search.start(trained) == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("motion", "background"),
        ("layer_1_size", 128),
        ("layer_2_size", 8),
        ("pretrained_model_name", "resnet50"),
        ("frame_size", [48, 64]),
        ("pooling", "avg"),
        ("architecture", "video_lrcnn_frozen"),
    ],
)
def test_a_head_over_other_features_or_of_another_width_is_not_taken(name, value, tmp_path):
    frozen, trained = proposals()
    search = Search(tmp_path, {**frozen, name: value}, frozen)
    assert search.start(trained) == 1
    search = Search(tmp_path / "none", {**frozen, name: value})
    assert search.start(trained) is None


def test_what_does_not_shape_the_head_may_differ(tmp_path):
    frozen, trained = proposals()
    other = {**trained, "trainable_layers": 2, "dropout": 0.5, "learning_rate": 1e-4, "flip": True}
    assert Search(tmp_path, frozen).start(other) == 0


def test_a_head_whose_weights_are_deleted_is_passed_over(tmp_path):
    frozen, trained = proposals()
    search = Search(tmp_path, frozen, frozen)
    search.weights(0).unlink()
    assert search.start(trained) == 1
    search.weights(1).unlink()
    assert search.start(trained) is None


BY_ARCHITECTURE = [
    {"when": {"architecture": "image_mlp_frozen"}, "choices": ["none"]},
    {"choices": ["background", "previous"]},
]


@pytest.mark.parametrize(
    ("space", "words"),
    [
        ({"architecture": ["image_mlp_trainable"]}, ["no image_mlp_frozen", "space.architecture"]),
        ({"motion": BY_ARCHITECTURE}, ["no image_mlp_trainable will find", "the same motion"]),
        (
            {"layer_1_size": [{**BY_ARCHITECTURE[0], "choices": [8]}, {"choices": [16]}]},
            ["layer_1_size"],
        ),
    ],
)
def test_a_search_says_ahead_that_no_head_will_be_found(space, words):
    (line,) = remarks(Space(parse({"name": "a", "space": {**SPACE, **space}}, "x")))
    assert line.startswith("warm_start: best")
    for word in words:
        assert word in line


@pytest.mark.parametrize(
    "space",
    [
        {},
        {"motion": ["none", "background"], "layer_1_size": [8, 16]},
        {"architecture": ["image_mlp_trainable"], "warm_start": [None]},
        {"architecture": ["c3d"]},  # takes no warm start
    ],
)
def test_and_nothing_where_one_may_be(space):
    assert remarks(Space(parse({"name": "a", "space": {**SPACE, **space}}, "x"))) == []
