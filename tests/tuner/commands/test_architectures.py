"""Every architecture through the commands: trained, checkpointed, restored, searched, predicting."""

import json

import pandas as pd
import pytest
import torch

import models
from data.console import output
from models import ARCHITECTURES, ModelConfig
from tests.devices import equal
from tuner.analysis.prediction import PREDICTIONS, predict, steps
from tuner.config.parameters import TrainingConfig
from tuner.config.sections import DataConfig
from tuner.preparation.one_machine import load_dataset
from tuner.study.store.results import ResultsStore
from tuner.training.clips.source import ClipSource
from tuner.training.run import BEST, Run

pytestmark = pytest.mark.shared_cache

IMAGE = {"pretrained_model_name": "efficientnet_lite0", "frame_size": 32, "layer_1_size": 8}
LRCN = {**IMAGE, "sequence_length": 3, "sequence_model": "GRU"}
VIDEO = {"pretrained_model_name": "r3d_18", "pretrained": False, "sequence_length": 4}
VIDEO |= {"frame_size": 32, "layer_1_size": 8}
SETTINGS: dict[str, dict] = {
    "image_mlp_frozen": IMAGE,
    "image_mlp_trainable": IMAGE,
    "video_mlp_concat": {**IMAGE, "sequence_length": 3},
    "video_lrcnn_frozen": {**LRCN, "sequence_model": "Transformer", "motion": "background"},
    "video_lrcnn_trainable": {**LRCN, "bidirectional": True, "trainable_layers": 2},
    "c3d": {"sequence_length": 16, "frame_size": 32},
    "c3dsmall": {"sequence_length": 11, "frame_size": 54},
    "video_3d_frozen": VIDEO,
    "video_3d_trainable": {**VIDEO, "trainable_layers": 1},
    "linear_probe": {**IMAGE, "sequence_length": 3},
}


@pytest.fixture
def source(drawn) -> ClipSource:
    data = DataConfig(videos=str(drawn), labels=str(drawn / "labels.csv"))
    return ClipSource(load_dataset(data, output), data)


def run(source: ClipSource, folder, name: str, **training) -> Run:
    torch.set_num_threads(1)
    settings = TrainingConfig(
        **{"rounds": 1, "epochs": 2, "patience": 5, "batch_size": 12, "flip": True, **training}
    )
    config = ModelConfig(architecture=name, **SETTINGS[name])
    return Run(folder, config, settings, source, "valid_f1", 3, {"model_id": 0}, milestones=(1,))


def figures(of: Run) -> list[dict]:
    return [
        {k: v for k, v in entry.items() if k not in ("seconds", "data_wait")}
        for entry in of.training.history
    ]


def test_every_architecture_is_here():
    assert set(SETTINGS) == set(ARCHITECTURES)


@pytest.mark.usefixtures("device")
@pytest.mark.parametrize(  # c3d has 50 M weights, as c3dsmall; a probe has one epoch
    "name", [n for n in ARCHITECTURES if n not in ("c3d", "linear_probe")]
)
def test_an_interrupted_training_ends_with_the_same_weights(name, source, tmp_path):
    options = {"ema": 0.9, "optimizer": "adamw", "schedule": "cosine", "rotation": 10.0}
    whole = run(source, tmp_path / "whole", name, **options)
    whole.step(), whole.step()
    first = run(source, tmp_path / "parts", name, **options)
    first.step()
    second = run(source, tmp_path / "parts", name, **options)
    assert second.resumed_epochs == 1
    second.step()
    assert figures(second) == figures(whole)
    one, other = second.training.model.state_dict(), whole.training.model.state_dict()
    assert one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)
    for each in (whole, first, second):
        each.close()
    restored = models.load(tmp_path / "parts" / BEST).state_dict()
    assert all(equal(restored[k], second.training.best_weights[k]) for k in restored)


@pytest.mark.parametrize("frames", ["stored", "direct"])
@pytest.mark.parametrize(
    "name",
    ["image_mlp_trainable", pytest.param("c3d", marks=pytest.mark.long), "video_3d_frozen"],
)
def test_train_makes_a_model_that_predicts(name, frames, command, write_config, tmp_path):
    if name == "c3d" and frames == "direct":
        pytest.skip("as stored: c3d is large")
    settings = [f"model.{key}={value}" for key, value in SETTINGS[name].items()]
    settings += [f"model.architecture={name}", f"data.frames={frames}", "training.epochs=1"]
    settings += ["training.rounds=1", "training.batch_size=24"]
    path = write_config(model={"pooling": "max"})
    words = [word for setting in settings for word in ("--set", setting)]
    status, out, err = command("train", path, *words)
    assert status == 0, out + err
    folder = tmp_path / "runs" / "small-train" / "models" / "0"
    results = json.loads((folder / "results.json").read_text())
    assert results["architecture"] == name and results["fit_num_epochs"] == 1
    table = pd.read_csv(folder / PREDICTIONS)
    assert len(table) == 4 * 24
    model = models.load(folder / "model.pt")
    assert name == "c3d" or model.backbone is not None  # complete: it needs nothing but its file


def test_every_architecture_is_searched_and_predicts(
    command, write_config, ray_session, drawn, tmp_path
):
    names = [name for name in ARCHITECTURES if name != "c3d"]

    def by_architecture(key: str) -> list[dict]:
        return [
            {"when": {"architecture": name}, "choices": [SETTINGS[name][key]]}
            for name in names
            if key in SETTINGS[name]
        ]

    keys = ("frame_size", "sequence_length", "pretrained_model_name", "pretrained")
    keys += ("sequence_model", "layer_1_size", "trainable_layers", "bidirectional", "motion")
    space = {"architecture": names, **{key: by_architecture(key) for key in keys}}
    path = write_config(
        space=space,
        model={"pooling": "max", "frame_size": None},
        training={"epochs": 1, "rounds": 1, "batch_size": 24},
        search={"sampler": "grid", "trials": None, "scheduler": "none", "keep_models": 20},
    )
    status, out, err = command("search", path)
    assert status == 0, out + err
    store = ResultsStore.open(f"sqlite:///{tmp_path}/runs/results.db", "small")
    records = {record.params["architecture"]: record for record in store.records()}
    assert {name: record.state for name, record in records.items()} == dict.fromkeys(
        names, "finished"
    )
    for record in records.values():
        words = ["--results", f"sqlite:///{tmp_path}/runs/results.db", "--model", record.number]
        status, out, err = command(
            "best", *words, "--predict", "--videos", drawn / "a1.mp4", "--out", tmp_path / "new"
        )
        assert status == 0, out + err
        table = pd.read_csv(tmp_path / "new" / PREDICTIONS)
        assert len(table) == 24 and not table["prediction"].isna().any()


def test_a_warm_start_takes_the_head_of_the_best_frozen_model(source, tmp_path):
    frozen = run(source, tmp_path / "frozen", "image_mlp_frozen")
    frozen.step()
    frozen.close()
    head = models.load(tmp_path / "frozen" / BEST).state_dict()
    warm = run(
        source, tmp_path / "warm", "image_mlp_trainable", warm_start=str(tmp_path / "frozen" / BEST)
    )
    state = warm.model.state_dict()
    assert all(torch.equal(state[name], value) for name, value in head.items())
    warm.close()


@pytest.mark.usefixtures("device")
@pytest.mark.parametrize("name", [n for n in ARCHITECTURES if n != "c3d"])
def test_predicting_tells_how_far_it_is_within_a_video(name, source):
    model = models.build(ModelConfig(architecture=name, **SETTINGS[name]), ["one", "other"])
    videos, told = list(source.dataset.videos.values())[:2], []
    table = predict([model], videos, source.config, on_frames=told.append).frames
    streams = 2 if SETTINGS[name].get("motion") else 1
    assert sum(told) == steps([model], videos) == len(table) * streams
    assert told[0] > 0
