"""The YAML: what it accepts, and what a user reads when it is wrong."""

from pathlib import Path

import pytest

from tuner.config.load import absolute, load, parse
from tuner.config.messages import ConfigError

CONFIGS = Path(__file__).parents[3] / "configs"


def problems(tree: dict) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse(tree, "my.yaml")
    return caught.value.problems


def minimal(**sections) -> dict:
    return {"name": "a", **sections}


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.name)
def test_every_shipped_configuration_is_valid(path):
    assert load(path).name


@pytest.mark.parametrize(
    ("tree", "words"),
    [
        (minimal(dta={}), ["dta", "unknown key", "did you mean 'data'"]),
        (minimal(search={"trails": 3}), ["search.trails", "did you mean 'trials'"]),
        (minimal(search={"trials": "many"}), ["search.trials", "integer", "'many'"]),
        (
            minimal(search={"sampler": "foo"}),
            ["search.sampler", "tpe", "grid", "'foo'", "module:Class"],
        ),
        (minimal(search={"time_budget": "3x"}), ["search.time_budget", "'3x'", "1h30m"]),
        (minimal(data={"videos": "v", "labels": "l", "fps": -1}), ["data.fps", "-1"]),
        (minimal(data={"videos": "v"}), ["data.labels is missing"]),
        (minimal(resources={"gpus": -1}), ["resources.gpus: -1 is not a number", "write auto"]),
        (minimal(resources={"gpus": "many"}), ["resources.gpus: 'many' is not a number"]),
        (minimal(search={"ensemble": "all"}), ["search.ensemble: 'all' is not a number", "auto"]),
        (minimal(search={"ensemble": 0}), ["search.ensemble: 0 is not a number of models"]),
        (minimal(search={"ensemble": 6}), ["6 models can't predict together", "only 5"]),
        (minimal(data={"splits": {"valid": 2.0}}), ["data.splits.valid", "from 0 to 1", "2"]),
        (
            minimal(data={"splits": {"file": "s.csv", "valid": ["a"], "test": []}}),
            ["data.splits: file 's.csv'", "leave out valid and test"],
        ),
        (minimal(model={"poling": "max"}), ["model.poling", "did you mean 'pooling'"]),
        (minimal(model={"dropout": 3}), ["model.dropout", "less than 1", "3"]),
        (
            minimal(space={"dropout": {"low": 0.5, "high": 0.1}}),
            ["space.dropout", "low 0.5 is above high 0.1"],
        ),
        (minimal(space={"dropout": {"low": 0.5}}), ["space.dropout", "both low: and high:"]),
        (minimal(space={"dropout": {"low": 0, "high": 0.5, "log": True}}), ["above 0 on a log"]),
        (minimal(space={"dropuot": [0.1]}), ["space.dropuot", "did you mean 'dropout'"]),
        (minimal(space={"layer_1_size": {"low": 1.5, "high": 3}}), ["whole numbers", "1.5"]),
        (
            minimal(space={"architecture": ["image_mlp_frozn"]}),
            ["space.architecture", "'image_mlp_frozn'", "did you mean 'image_mlp_frozen'", "c3d"],
        ),
        (
            minimal(space={"pretrained_model_name": ["vgg61"]}),
            [
                "space.pretrained_model_name",
                "'vgg61'",
                "did you mean 'vgg19'",
                "are efficientnet_lite0",
            ],
        ),
        (
            minimal(space={"dropout": [{"when": {"nothing": 1}, "choices": [0.1]}]}),
            ["space.dropout.when.nothing", "unknown parameter"],
        ),
        (
            minimal(space={"architecture": {"when": {"dropout": 0.1}, "choices": []}}),
            ["space.architecture", "has no choices"],
        ),
        (
            minimal(space={"pooling": {"when": {"dropout": 0.1}, "choices": ["max"]}}),
            ["pooling is chosen before dropout"],
        ),
    ],
)
def test_a_mistake_is_named_with_its_key_and_what_to_do(tree, words):
    text = "\n".join(problems(tree))
    for word in words:
        assert word in text


def test_all_mistakes_are_said_at_once():
    reported = problems(
        minimal(
            serach={},
            data={"fps": 0, "labls": "x"},
            search={"seed": "x"},
            space={"dropout": {"low": 2, "high": 1}, "foo": [1], "pooling": ["mx"]},
        )
    )
    text = "\n".join(reported)
    for key in ("serach", "data.fps", "data.labls", "search.seed"):
        assert key in text
    for key in ("space.dropout", "space.foo", "space.pooling"):
        assert key in text
    assert len(reported) == 7


def test_a_key_given_twice_is_a_mistake(tmp_path):
    path = tmp_path / "twice.yaml"
    path.write_text("name: a\nsearch:\n  trials: 3\n  trials: 4\n")
    with pytest.raises(ConfigError, match=r"'trials' is given twice"):
        load(path)


def test_a_missing_file_names_a_near_one():
    with pytest.raises(ConfigError, match=r"seals\.yaml"):
        load(CONFIGS / "seal.yaml")


def test_unlabelled_time_is_dropped_unless_a_class_is_named(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("name: a\n")
    assert load(path).data.background_class is None
    assert load(path, ["data.background=drop"]).data.background_class is None
    assert load(path, ["data.background=none seen"]).data.background_class == "none seen"
    for wrong in ("data.margin=-1", "data.shortest_event=-0.5", "data.background="):
        with pytest.raises(ConfigError, match=wrong.partition("=")[0].replace(".", r"\.")):
            load(path, [wrong])


def test_overrides_reach_any_key(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("name: a\nsearch: {trials: 3}\n")
    config = load(path, ["search.trials=7", "data.splits.valid=[x, y]", "search.time_budget=1h30m"])
    assert config.search.trials == 7
    assert config.data.splits is not None and config.data.splits.valid == ["x", "y"]
    assert config.search.time_budget == 5400


@pytest.mark.parametrize("override", ["trials", "search.trails=3", "name.x=1"])
def test_a_wrong_override_is_a_mistake(override, tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("name: a\n")
    with pytest.raises(ConfigError):
        load(path, [override])


def test_old_spellings_of_architectures_are_understood():
    config = parse(minimal(space={"architecture": ["video_LRCNN_frozen"]}), "x")
    assert config.space["architecture"][0].choices == ["video_lrcnn_frozen"]


def test_paths_are_absolute_in_the_store(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = {"videos": "v", "labels": "l.csv", "splits": {"file": "s.csv"}}
    config = absolute(parse(minimal(data=data), "x"))
    assert config.data.splits is not None and config.data.splits.file == str(tmp_path / "s.csv")
    assert parse(config.model_dump(mode="json"), "x") == config  # as the store reads it
    assert config.data.videos == str(tmp_path / "v")
    assert config.storage == str(tmp_path / "runs")
    assert parse(config.model_dump(mode="json"), "again") == config


@pytest.mark.parametrize(
    ("asked", "cluster", "head", "network", "heads_at_once"),
    [
        ("auto", {"CPU": 8}, 0, 0, 8),
        ("auto", {"CPU": 8, "GPU": 1}, 0.25, 1, 4),
        ("auto", {"CPU": 2, "GPU": 4}, 0.25, 1, 2),
        (0.5, {"CPU": 8, "GPU": 1}, 0.5, 0.5, 2),
        (1, {"CPU": 8}, 1, 1, 1),
        (0, {"CPU": 8, "GPU": 4}, 0, 0, 8),
    ],
)
def test_a_trial_gets_the_share_of_a_gpu_that_it_can_use(
    asked, cluster, head, network, heads_at_once
):
    resources = parse(minimal(resources={"gpus": asked}), "x").resources
    assert resources.gpus_of(head=True, cluster=cluster) == head
    assert resources.gpus_of(head=False, cluster=cluster) == network
    assert resources.workers(cluster, head) == heads_at_once


def test_the_store_that_the_environment_names_is_used_where_the_file_names_none(monkeypatch):
    monkeypatch.setenv("TUNER_RESULTS", "postgresql://ana@db.example.org/seals")
    assert parse(minimal(), "my.yaml").results_url == "postgresql://ana@db.example.org/seals"
    named = parse(minimal(results="sqlite:///mine.db"), "my.yaml")
    assert named.results_url == "sqlite:///mine.db"
