"""A training on the train split, and once more on train and valid, without folds."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import models
from data.console import quiet
from tests.devices import equal
from tests.tuner.training.folds.trial import GRU, PROBE, late_on_all, of_a_trial
from tuner.config.sections import DataConfig
from tuner.preparation.one_machine import load_dataset
from tuner.training import run as runs
from tuner.training.folds.split import RefitRun, SplitSources
from tuner.training.run import BEST, Run

pytestmark = [pytest.mark.shared_cache, pytest.mark.usefixtures("device")]
IMAGE = {"architecture": "image_mlp_trainable", "pretrained_model_name": "test_resnet"}
IMAGE |= {"pretrained": False}


@pytest.fixture(scope="module")
def split(drawn: Path) -> SplitSources:
    data = DataConfig(videos=str(drawn), labels=str(drawn / "labels.csv"))
    return SplitSources.of(load_dataset(data, quiet), data)


def make(folder: Path, split: SplitSources, kind: dict = GRU, **training) -> RefitRun:
    common = of_a_trial(folder, kind, epochs=3, patience=3, learning_rate=0.01, **training)
    return RefitRun(source=split.split, together=split.together, metric="valid_loss", **common)


def ended(run: RefitRun) -> RefitRun:
    while not run.training.finished:
        run.step()
    run.complete()
    run.close()
    return run


@pytest.mark.parametrize("kind", [GRU, PROBE, IMAGE])
def test_what_answers_has_learnt_from_train_and_valid(tmp_path: Path, split, kind: dict) -> None:
    run = ended(make(tmp_path, split, kind))
    found = models.load(tmp_path / "7" / BEST)
    (validated,) = models.members(found)
    assert run.summary()["refit"] == max(1, run.training.best_epoch)
    assert "temperature" in found.extra and found.refit is not None
    with run.training.at_best():
        for name, value in validated.state_dict().items():
            assert equal(value, run.model.state_dict()[name]), name
    assert any(
        not torch.equal(value, validated.state_dict()[name])
        for name, value in found.refit.state_dict().items()
    )
    clips = {part: len(split.split.clips(found.config, part)) for part in ("train", "valid")}
    assert len(split.together.clips(found.config, "train")) == sum(clips.values())
    assert min(clips.values()) > 0
    if kind is not IMAGE:
        features = split.together.clips(found.config, "train").features.float()
        assert torch.allclose(found.refit.norm.mean, features.mean(dim=0), atol=1e-3)
    else:  # predicts by itself, with its own backbone
        frames = torch.zeros(1, found.config.sequence_length, 3, 64, 64, dtype=torch.uint8)
        assert models.answering(found) is found.refit
        with torch.no_grad():
            assert models.answering(found)(frames).shape == (1, 2)
    assert not (tmp_path / "7" / "refit").exists()


def test_it_goes_down_a_cosine_to_its_end(tmp_path: Path, split) -> None:
    run = make(tmp_path, split, schedule="cosine")
    while not run.training.finished:
        run.step()
    run.training.history[0]["valid_loss"] = 0.0  # the best was the first
    run.complete()
    assert run.summary()["refit"] == 3


def test_it_goes_on_from_where_it_broke_off(tmp_path: Path, split, monkeypatch) -> None:
    monkeypatch.setattr(runs, "CHECKPOINT_SECONDS", 0.0)
    first, step = make(tmp_path, split), Run.step

    def is_killed(run: Run):
        if run.folder.name == "refit" and run.training.epoch == 1:
            raise KeyboardInterrupt
        return step(run)

    monkeypatch.setattr(Run, "step", is_killed)
    with pytest.raises(KeyboardInterrupt):
        ended(first)
    counted = []
    monkeypatch.setattr(Run, "step", lambda run: (counted.append(run.folder.name), step(run))[1])
    second = ended(make(tmp_path, split))
    assert set(counted) == {"refit"} and len(counted) == second.refit - 1 > 0
    # A worker that is lost before it has said so has done all the same.
    counted.clear()
    (tmp_path / "7" / "refit").mkdir()
    (tmp_path / "7" / "refit" / BEST).touch()
    third = ended(make(tmp_path, split))
    assert not counted and third.refit == second.refit
    assert not (tmp_path / "7" / "refit").exists()
    assert third.training.best == second.training.best


def test_if_it_breaks_off_the_validated_model_answers(tmp_path: Path, split, monkeypatch) -> None:
    monkeypatch.setattr(Run, "step", late_on_all(Run.step))
    run = ended(make(tmp_path, split, IMAGE))
    assert not isinstance(models.load(tmp_path / "7" / BEST), models.Mixture)
    assert run.training.finished and "time" in run.summary()["refit"]
    assert not (tmp_path / "7" / "refit").exists()
