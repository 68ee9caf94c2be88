"""A training in its folder: what is saved when, and what goes on from it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import models
from data.console import quiet
from data.files.patience import telling
from models import ModelConfig
from tests.devices import equal
from tuner.config.parameters import TrainingConfig
from tuner.preparation.one_machine import load_dataset
from tuner.training import run as runs
from tuner.training.clips.source import ClipSource
from tuner.training.run import BEST, HISTORY, LAST, Run

pytestmark = [pytest.mark.shared_cache, pytest.mark.usefixtures("device")]
MODEL = ModelConfig(
    architecture="video_lrcnn_frozen",
    sequence_model="GRU",
    sequence_length=3,
    layer_1_size=8,
    frame_size=(64, 64),
)


@pytest.fixture(scope="module")
def source(drawn: Path) -> ClipSource:

    from tuner.config.sections import DataConfig

    data = DataConfig(videos=str(drawn), labels=str(drawn / "labels.csv"))
    return ClipSource(load_dataset(data, quiet), data)


def make(folder: Path, source: ClipSource, **settings) -> Run:
    config = TrainingConfig(**{"epochs": 4, "patience": 4, "rounds": 1, **settings})
    milestones = (2,)
    return Run(folder, MODEL, config, source, "valid_f1", 3, {}, milestones=milestones)


def test_short_epochs_are_saved_at_milestones_and_at_the_end(tmp_path: Path, source: ClipSource):
    run = make(tmp_path, source)
    run.step()
    assert not (tmp_path / LAST).exists() and not (tmp_path / BEST).exists()
    run.step()
    assert (tmp_path / LAST).exists() and (tmp_path / BEST).exists()
    stamp = (tmp_path / LAST).stat().st_mtime_ns
    run.step()
    assert (tmp_path / LAST).stat().st_mtime_ns == stamp
    run.step()
    assert run.training.finished and (tmp_path / LAST).stat().st_mtime_ns > stamp
    assert len((tmp_path / HISTORY).read_text().splitlines()) == 1 + 4


def test_long_epochs_are_saved_each(
    tmp_path: Path, source: ClipSource, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(runs, "CHECKPOINT_SECONDS", 0.0)
    run = make(tmp_path, source)
    run.step()
    assert (tmp_path / LAST).exists()


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        (LAST, damage),
        (BEST, damage),
        (BEST, Path.unlink),
        (LAST, lambda path: path.write_bytes(b"")),
    ],
)
def test_from_damaged_files_a_training_begins_again(
    tmp_path: Path, source: ClipSource, name: str, change
):
    whole, run = make(tmp_path / "whole", source), make(tmp_path / "damaged", source)
    run.step()
    run.step()
    change(tmp_path / "damaged" / name)
    said: list[str] = []
    with telling(said.append):
        run = make(tmp_path / "damaged", source)
    assert len(said) == 1 and str(tmp_path / "damaged" / name) in said[0]
    assert said[0].endswith("this training begins again")
    assert run.resumed_epochs == 0
    while not run.training.finished:
        for one in (run, whole):
            one.step()
    values = [[entry["valid_loss"] for entry in one.training.history] for one in (run, whole)]
    assert values[0] == values[1]


@pytest.mark.parametrize("settings", [{}, {"ema": 0.9}])
def test_what_is_kept_is_the_best_epoch(tmp_path: Path, source: ClipSource, settings: dict):
    run = make(tmp_path, source, learning_rate=0.03, **settings)
    while not run.training.finished:
        run.step()
    run.close()
    best = models.load(tmp_path / BEST)
    assert best.extra["epoch"] == run.training.best_epoch
    for name, value in run.training.best_weights.items():
        assert equal(best.state_dict()[name], value), name


def test_a_training_that_goes_on_is_one_run_in_tensorboard(tmp_path: Path, source: ClipSource):
    def part() -> Run:
        config = TrainingConfig(epochs=4, patience=4, rounds=1)
        events = tmp_path / "000 lrcnn GRU 8"
        folder = tmp_path / "models" / "0"
        milestones = (2,)
        return Run(
            folder, MODEL, config, source, "valid_f1", 3, {}, milestones=milestones, events=events
        )

    first = part()
    first.step(), first.step()
    first.close()
    second = part()
    while not second.training.finished:
        second.step()
    second.close()
    assert {file.parent.name for file in tmp_path.rglob("*tfevents*")} == {"000 lrcnn GRU 8"}
    events = EventAccumulator(str(tmp_path / "000 lrcnn GRU 8")).Reload()
    assert [event.step for event in events.Scalars("valid_f1")] == [1, 2, 3, 4]


def test_closing_saves_the_best_model_of_a_training_that_was_stopped(
    tmp_path: Path, source: ClipSource
):
    run = make(tmp_path, source)
    run.step()
    run.close()
    assert models.load(tmp_path / BEST).extra["epoch"] == 1


def test_a_training_goes_on_from_its_milestone_as_if_it_had_not_stopped(
    tmp_path: Path, source: ClipSource
):
    whole = make(tmp_path / "whole", source)
    while not whole.training.finished:
        whole.step()
    first = make(tmp_path / "parts", source)
    first.step(), first.step()
    first.close()
    second = make(tmp_path / "parts", source)
    assert second.training.epoch == 2
    while not second.training.finished:
        second.step()
    for name, value in whole.model.state_dict().items():
        assert torch.equal(second.model.state_dict()[name], value), name
    again = make(tmp_path / "parts", source)  # has nothing left to do
    assert again.training.finished and again.training.best_epoch == whole.training.best_epoch
