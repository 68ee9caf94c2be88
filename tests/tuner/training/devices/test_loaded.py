"""What is loaded is where it is used, on whatever device it was made."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

import models
from data.console import quiet
from models import ModelConfig, tensors
from models.backbones.image import Output
from tests.tuner.training import test_optimisation
from tuner.analysis.prediction import predict
from tuner.config.parameters import TrainingConfig
from tuner.config.sections import DataConfig
from tuner.preparation.one_machine import load_dataset
from tuner.training.clips import backbone
from tuner.training.clips.backbone import MakeBackbone
from tuner.training.clips.source import ClipSource
from tuner.training.folds.training import FoldedTraining
from tuner.training.run import BEST, Run
from tuner.training.state import moved

# Has no values and takes no other device's tensors: in place of a GPU it shows what is left behind.
ELSEWHERE = torch.device("meta")
SETTINGS = {"ema": 0.9, "optimizer": "adamw", "epochs": 6, "patience": 6, "learning_rate": 0.01}


def in_it(content: object) -> Iterator[torch.Tensor]:
    if isinstance(content, torch.Tensor):
        yield content
    elif isinstance(content, dict | list | tuple):
        for value in content.values() if isinstance(content, dict) else content:
            yield from in_it(value)


def test_all_tensors_move_and_nothing_else_changes():
    one = torch.ones(2)
    content = {"a": one, "deep": [{"b": one}, (one, 3)], "none": None, "text": "t", 0: 0.5}
    found = moved(content, ELSEWHERE)
    assert [tensor.device for tensor in in_it(found)] == [ELSEWHERE] * 3
    assert found.keys() == content.keys() and found["deep"][1][1] == 3 and found["text"] == "t"
    assert moved(content, one.device)["a"] is one  # nothing is copied


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
def test_a_training_that_goes_on_elsewhere_has_all_of_it_there(optimizer, monkeypatch):
    settings = {**SETTINGS, "optimizer": optimizer}
    first = test_optimisation.training(**settings)
    first.step()
    monkeypatch.setattr(test_optimisation, "best_device", lambda: ELSEWHERE)
    second = test_optimisation.training(**settings)
    second.load_state_dict(first.state_dict(), first.best_weights)
    kept = [*in_it(second.state_dict()), *in_it(second.best_weights)]
    assert len(kept) == len([*in_it(first.state_dict()), *in_it(first.best_weights)]) > 6
    assert {tensor.device for tensor in kept} == {ELSEWHERE}


def test_what_folds_say_is_on_the_cpu():
    state = {"valid": [(torch.ones(2, 2), torch.ones(2))], "facts": {}, "refit": None}
    folded = FoldedTraining(None, None, 3)
    folded.load_state_dict(moved(state, torch.device("cpu")))
    logits, labels = folded.together()
    assert logits.device.type == labels.device.type == "cpu"


def test_a_network_that_can_not_be_folded_is_measured_before_it_moves(monkeypatch):
    """The same network then computes on the GPU, and takes no frame of the CPU any more."""
    monkeypatch.setattr(backbone, "best_device", lambda: ELSEWHERE)
    monkeypatch.setattr("models.backbones.folding._pairs", lambda network, frame: ([], None))
    make = MakeBackbone(
        name="test_resnet",
        pretrained=False,
        weights_path=None,
        shape=(1, 3, 64, 64),
        precision="fp32",
        augmented=None,
        view=0,
        network=None,
        weights="random",
        on_frames=None,
    )
    over_places = make([Output("last", "max", relative=True)])
    assert next(iter(over_places.sizes.values())) % over_places.shapes["last"][0] == 0


@pytest.mark.gpu
@pytest.mark.parametrize("places", [("cuda", "cpu"), ("cpu", "cuda"), ("cuda", "cuda")])
def test_a_training_goes_on_where_it_is_taken(places, tmp_path: Path, monkeypatch):
    runs = []
    for place in ("cpu", *places):
        monkeypatch.setattr(
            test_optimisation, "best_device", lambda place=place: torch.device(place)
        )
        runs.append(test_optimisation.training(**SETTINGS))
    whole, first, second = runs
    first.step(), first.step()
    tensors.write(first.state_dict(), tmp_path / "last.pt")
    second.load_state_dict(tensors.read(tmp_path / "last.pt"), first.best_weights)
    for _ in range(4):
        second.step()
    for _ in range(6):
        whole.step()
    for name in ("train_loss", "valid_loss"):
        each = [[entry[name] for entry in run.history] for run in (whole, second)]
        assert each[1] == pytest.approx(each[0], rel=1e-3)
    second.calibration()
    with second.at_best():
        second.predict(second.valid)


KINDS = {
    "head": {"architecture": "video_lrcnn_frozen", "sequence_model": "GRU", "sequence_length": 3},
    "attention": {
        "architecture": "video_lrcnn_frozen",
        "sequence_model": "Transformer",
        "sequence_length": 3,
    },
    "whole": {"architecture": "image_mlp_trainable", "pretrained_model_name": "test_resnet"},
    "clips": {"architecture": "c3dsmall", "sequence_length": 11},
    "probe": {"architecture": "linear_probe"},
}


@pytest.mark.gpu
@pytest.mark.shared_cache
@pytest.mark.parametrize("kind", KINDS)
def test_a_model_predicts_the_same_on_the_gpu_and_on_the_cpu(
    kind: str, device: torch.device, drawn: Path, tmp_path: Path, monkeypatch
):
    """Wherever it was trained: `device` is one of the two."""
    data = DataConfig(videos=str(drawn), labels=str(drawn / "labels.csv"))
    source = ClipSource(load_dataset(data, quiet), data)
    config = ModelConfig(frame_size=64, layer_1_size=8, pretrained=False, **KINDS[kind])
    settings = TrainingConfig(rounds=1, epochs=2, patience=2, ema=0.9, batch_size=24)
    run = Run(tmp_path, config, settings, source, "valid_loss", 3, {})
    while not run.training.finished:
        run.step()
    run.close()
    videos, found = [source.dataset.videos["c1"]], []
    monkeypatch.undo()  # both devices are there again
    for there in (True, False):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(torch.cuda, "is_available", lambda there=there: there)
            table = predict([models.load(tmp_path / BEST)], videos, data).frames
        found.append(table[source.dataset.classes].to_numpy())
    np.testing.assert_allclose(*found, atol=5e-3)
