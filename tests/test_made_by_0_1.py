"""Files that users of version 0.1 have (stores, models, YAML files, caches) are used as they were."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
import pytest
import timm
import torch

import models
from data import load as load_dataset
from data.stores.motion import video_background
from data.videos.video import open_video
from models import ModelConfig
from tuner.analysis.prediction import predict
from tuner.config.load import Config, load
from tuner.config.sections import DataConfig
from tuner.study.space.checks import searched_models
from tuner.study.space.space import Space
from tuner.study.store.results import ResultsStore
from tuner.training.clips.augment import Augmentation
from tuner.training.clips.stored import open_stores

MADE = Path(__file__).parent / "made_by_0_1"
CONFIGS = MADE / "configs"
PLACE = "/MADE_BY_0_1"  # stands for the folder that the files were made in
CHANGED = 1_700_000_000  # when the videos were last changed, which is part of their identity


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A copy of the files, with this folder's path in place of the one they were made in."""
    root = tmp_path / "made"
    shutil.copytree(MADE, root)
    for path in (root / "videos").iterdir():
        os.utime(path, (CHANGED, CHANGED))
    for path in [*root.glob("*.yaml"), *root.rglob("*.json")]:
        path.write_text(path.read_text().replace(PLACE, str(root)))
    with sqlite3.connect(root / "results.db") as database:
        for table in ("study_user_attributes", "trial_user_attributes"):
            change = f"UPDATE {table} SET value_json = replace(value_json, ?, ?)"
            database.execute(change, (PLACE, str(root)))
    return root


@pytest.fixture
def expected(root: Path) -> dict[str, Any]:
    """What version 0.1 said of these files."""
    return json.loads((root / "expected.json").read_text())


def plain(tree: Any) -> Any:
    """`value` as JSON has it: tuples are lists, keys are text."""
    return json.loads(json.dumps(tree))


def store_of(root: Path, name: str) -> ResultsStore:
    return ResultsStore.open(f"sqlite:///{root / 'results.db'}", name)


@pytest.mark.parametrize("name", ["small", "stopped"])
def test_a_results_store_is_read(root, expected, name):
    store, told = store_of(root, name), expected["searches"][name]
    assert [[record.number, record.value] for record in store.ranking()] == told["ranking"]
    for record in store.records():
        trial = told["trials"][str(record.number)]
        assert plain(record.params) == trial["params"]
        assert plain(record.epochs) == trial["epochs"]
    check_values(store.config, told["config"])


def test_every_key_of_a_yaml_is_read(root, expected):
    for path in (root / "every_key.yaml", root / "splits.yaml"):
        check_config(load(path), expected[path.name])


def test_splits_are_drawn_as_they_were(root, expected):
    for told in expected["splits"].values():
        made = load_dataset(
            root / "videos", root / "videos/labels_without_splits.csv", **told["given"]
        )
        assert dict(zip(made.table["video"], made.table["split"], strict=True)) == told["splits"]


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_same_trials_are_proposed(path, expected):
    check_config(load(path), expected["configs"][path.name])


def check_values(config: Config, told: dict[str, Any]) -> None:
    """All that version 0.1 read is there; later versions may have more keys."""
    dumped = config.model_dump(mode="json")
    for section, values in told.items():
        if not isinstance(values, dict) or section == "space":
            assert dumped[section] == values
            continue
        for key, value in values.items():
            known = dumped[section][key]
            if isinstance(value, dict):
                assert known.items() >= value.items()
            else:
                assert known == value


def check_config(config: Config, told: dict[str, Any]) -> None:
    """Check a configuration's values, its space, and what a sampler draws from it under which names."""
    check_values(config, told["config"])
    space = Space(config)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    samples = [space.sample(study.ask()) for _ in told["samples"]]
    for sample, of_0_1 in zip(plain(samples), told["samples"], strict=True):
        assert sample.items() >= of_0_1.items()  # later versions have more parameters
    assert [trial.params for trial in study.trials] == told["in the study"]
    assert space.count() == told["count"]


def test_a_space_asks_for_the_same_networks(root, expected):
    space = Space(load(root / "every_key.yaml"))
    assert len(searched_models(space)) == expected["every_key.yaml"]["searched_models"]


def test_a_model_file_predicts_as_it_did(root, expected):
    told = expected["model.pt"]
    model = models.load(root / told["model"])
    assert model.classes == told["classes"] and model.extra == told["extra"]
    data = DataConfig(videos=str(root / "videos"), labels=str(root / "videos/labels.csv"))
    table = predict([model], [open_video("c1", root / "videos/c1.mp4", None)], data).frames
    np.testing.assert_allclose(table[model.classes].to_numpy(), told["predict"], atol=1e-3)


def test_models_of_every_family_are_read(root, expected):
    for name, told in expected["heads"].items():
        head = models.load(root / "heads" / f"{name}.pt")
        assert head.config.model_dump(mode="json").items() >= told["config"].items()
        count = 2 * head.steps * head.num_features
        features = torch.sin(torch.arange(count) * 0.37).view(2, head.steps, head.num_features)
        with torch.inference_mode():
            logits = head(features).numpy()
        np.testing.assert_allclose(logits, told["logits"], atol=1e-3, err_msg=name)


def test_models_too_large_to_keep_have_the_same_weights(expected):
    for name, told in expected["weights"].items():
        config = ModelConfig(architecture=name, **told["given"])
        with torch.device("meta") if config.pretrained_model_name is None else torch.device("cpu"):
            model = models.build(config, ["noseal", "seal"])
        shapes = {key: list(value.shape) for key, value in model.state_dict().items()}
        assert shapes == told["state"], name
        assert models.param_count(model) == told["param_count"]


def test_cached_frames_and_features_are_used(root, expected, monkeypatch):
    if timm.__version__ != expected["made_with"]["timm"]:
        pytest.skip("the cache's keys hold another version of timm")
    keys = json.loads((root / "cache/keys.json").read_text())
    data = DataConfig(**keys["DataConfig"])
    monkeypatch.setenv("TUNER_CACHE", str(root / "cache"))
    before = {path: path.read_bytes() for path in (root / "cache").rglob("*.npy")}
    for call in keys["calls"]:
        video = open_video("a1", root / keys["video"], call["fps"])
        view = {}
        if "view" in call:
            view = {"view": call["view"], "augmented": Augmentation(**call["augmented"])}
        config = ModelConfig(**call["ModelConfig"])
        stores = open_stores(config, data, precision=call["precision"], **view)
        (store,) = [store for store in stores if store.motion == call["motion"]]
        assert f"features/{store.key(video)}.npy" == call["features"]
        assert f"frames/{store.frames.key(video, store.size)}.npy" == call["frames"]
        if not call["stored"]:
            continue
        np.testing.assert_array_equal(store.open(video), np.load(MADE / "cache" / call["features"]))
        frames = store.frames.open(video, store.size)
        np.testing.assert_array_equal(frames, np.load(MADE / "cache" / call["frames"]))
        if "background" in call:
            still = video_background(store.frames, video, store.size)
            np.testing.assert_array_equal(still, np.load(MADE / "cache" / call["background"]))
    after = {path: path.read_bytes() for path in (root / "cache").rglob("*.npy")}
    assert after == before


def test_the_best_model_is_evaluated_again(root, expected, command):
    number = expected["searches"]["small"]["ranking"][0][0]
    path = f"runs/small/models/{number}/frame_predictions.csv"
    words = ("--results", f"sqlite:///{root / 'results.db'}", "--search", "small", "--predict")
    status, _, err = command("best", *words)
    assert status == 0, err
    before, after = pd.read_csv(MADE / path), pd.read_csv(root / path)
    assert set(before.columns) <= set(after.columns)
    folder = (root / path).parent
    temperature = json.loads((folder / "results.json").read_text())["temperature"]
    odds = (after["seal"] / after["noseal"]) ** temperature
    np.testing.assert_allclose(odds / (1 + odds), before["seal"], atol=1e-3)
    assert models.load(folder / "best.pt").extra["temperature"] == temperature != 1


@pytest.mark.usefixtures("ray_session")
def test_a_stopped_search_goes_on(root, expected, command):
    status, out, _ = command("search", root / "small.yaml", "--resume")
    assert status == 0 and "all 5 trials have ended already" in out
    status, out, err = command("search", root / "stopped.yaml", "--resume")
    assert status == 0, err
    told = expected["searches"]["stopped"]
    assert f"{8 - told['counts']['finished']} of 8 trials to run" in out
    store = store_of(root, "stopped")
    assert len(store.records()) == 8
    assert {record.state for record in store.records()} <= {"finished", "pruned"}
    for record in store.records():
        assert sorted(record.epochs) == list(range(1, len(record.epochs) + 1))
        if (trial := told["trials"].get(str(record.number))) is None:
            continue  # it had not been asked for yet
        assert plain(record.params) == trial["params"]
        if "last.pt" in trial:
            assert record.results["resumed_epochs"] == trial["last.pt"]["epochs"]
            for epoch in range(1, trial["last.pt"]["epochs"] + 1):
                assert record.epochs[epoch] == trial["epochs"][str(epoch)]
