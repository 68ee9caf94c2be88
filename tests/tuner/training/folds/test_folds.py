"""One trial validated by folds: what counts, what is kept, and what goes on from it."""

from __future__ import annotations

import time

import pandas as pd
import pytest
import torch

import models
from data.console import quiet
from tests.tuner.training.folds.trial import FOLDS, GRU, PROBE, ended, make
from tuner.config.sections import DataConfig
from tuner.preparation.one_machine import load_dataset
from tuner.training import run as runs
from tuner.training.clips import source as sources_of
from tuner.training.folds.run import FoldedRun, FoldSources
from tuner.training.loop import OutOfTime
from tuner.training.run import BEST, HISTORY, Run

pytestmark = [pytest.mark.shared_cache, pytest.mark.usefixtures("device")]


def test_each_video_validates_once_and_never_what_was_trained_on_it(sources):
    for number, source in enumerate(sources.each, 1):
        table = source.dataset.table
        own = [video for video, fold in FOLDS.items() if fold == number]
        assert list(table.loc[table["split"] == "valid", "video"].unique()) == own
        train = set(table.loc[table["split"] == "train", "video"])
        assert train == FOLDS.keys() - set(own)
        assert set(table.loc[table["split"] == "test", "video"]) == {"c1"}


@pytest.mark.parametrize("kind", [GRU, PROBE])
def test_the_figures_are_those_of_all_rows_that_were_held_out(tmp_path, sources, kind):
    run = ended(make(tmp_path, sources, kind))
    training, task = run.training, sources.together.task
    assert [len(labels) for _, labels in training.valid] == [24, 24, 24]
    network = models.load(tmp_path / "7" / BEST)
    logits, labels = [], []
    for member, source in zip(models.members(network), sources.each, strict=True):
        clips = source.clips(network.config, "valid")
        logits.append(runs_of(member, clips))
        labels.append(clips.labels)
    figures = task.epoch_figures(torch.cat(logits), torch.cat(labels))
    for name, value in figures.items():
        assert training.best[f"valid_{name}"] == pytest.approx(value, abs=1e-5)
    accuracies = [entry["fold/valid_accuracy"] for entry in training.history]
    assert training.best["valid_accuracy"] == pytest.approx(sum(accuracies) / 3)
    expected = task.temperature(task.probabilities(torch.cat(logits).double()), torch.cat(labels))
    assert network.extra["temperature"] == pytest.approx(expected, rel=1e-3)
    summary = run.summary()
    assert summary["folds"]["valid_accuracy"] == accuracies and summary["folds"]["of"] == 3


def runs_of(member: models.VideoClassifier, clips) -> torch.Tensor:
    with torch.no_grad():
        return torch.cat([member(batch) for batch, _ in clips.batches(torch.arange(24), 5)])


def test_a_fold_is_the_training_that_it_would_be_alone(tmp_path, sources):
    run = ended(make(tmp_path, sources))
    history = pd.read_csv(tmp_path / "7" / HISTORY)
    alone = Run(
        *(tmp_path / "alone", run.config, run.training_config, sources.each[0], "valid_f1", 3, None)
    )
    while not alone.training.finished:
        alone.step()
    of_first = history.query("fold == 1")
    assert of_first["valid_loss"].tolist() == pytest.approx(
        [entry["valid_loss"] for entry in alone.training.history], abs=0
    )
    assert history["fold"].unique().tolist() == [1, 2, 3]
    assert sorted(path.name for path in (tmp_path / "7").iterdir()) == [BEST, HISTORY, "last.pt"]


def test_a_fold_goes_on_from_where_it_broke_off_and_an_ended_one_is_not_repeated(
    tmp_path, sources, monkeypatch
):
    whole = ended(make(tmp_path / "whole", sources))
    monkeypatch.setattr(runs, "CHECKPOINT_SECONDS", 0.0)
    first = make(tmp_path / "parts", sources)
    first.step()
    trained, step = [], Run.step

    def breaks_off(run: Run):
        if len(trained) == 2:
            raise OutOfTime
        trained.append(run.folder.name)
        return step(run)

    monkeypatch.setattr(Run, "step", breaks_off)
    with pytest.raises(OutOfTime):
        first.step()
    first.close()
    assert trained == ["fold2", "fold2"] and first.training.epoch == 1
    counted = []
    monkeypatch.setattr(Run, "step", lambda run: (counted.append(run.folder.name), step(run))[1])
    second = make(tmp_path / "parts", sources)
    assert second.training.epoch == 1 and second.resumed_folds == 1
    ended(second)
    last = whole.training.refit
    assert counted == ["fold2"] * 2 + ["fold3"] * 4 + ["refit"] * last
    for name, value in models.load(tmp_path / "whole" / "7" / BEST).state_dict().items():
        assert torch.equal(models.load(tmp_path / "parts" / "7" / BEST).state_dict()[name], value)
    timed = ("seconds", "data_wait")
    for one, other in zip(whole.training.history, second.training.history, strict=True):
        assert {k: v for k, v in one.items() if k not in timed} == {
            k: v for k, v in other.items() if k not in timed
        }
    again = make(tmp_path / "parts", sources)  # has nothing left to do
    assert again.training.finished and again.summary()["epochs"] == 3


def test_a_fold_that_ended_before_it_was_counted_is_counted(tmp_path, sources, monkeypatch):
    whole = ended(make(tmp_path / "whole", sources))
    monkeypatch.setattr(FoldedRun, "_save", lambda run, number: None)  # killed just before
    make(tmp_path / "parts", sources).step()
    monkeypatch.undo()
    counted, step = [], Run.step
    monkeypatch.setattr(Run, "step", lambda run: (counted.append(run.folder.name), step(run))[1])
    again = ended(make(tmp_path / "parts", sources))
    assert counted == ["fold2"] * 4 + ["fold3"] * 4 + ["refit"] * whole.training.refit
    assert again.training.best["valid_loss"] == whole.training.best["valid_loss"]


def test_a_deadline_ends_the_fold_and_not_those_before(tmp_path, sources):
    run = make(tmp_path, sources)
    run.step()
    run.deadline = time.time() - 1
    with pytest.raises(OutOfTime):
        run.step()
    assert run.training.epoch == 1 and not run.training.finished
    assert len(models.members(models.load(tmp_path / "7" / BEST))) == 1


def test_features_are_read_once_for_all_folds(tmp_path, drawn, monkeypatch):
    data = DataConfig(videos=str(drawn), labels=str(drawn / "labels.csv"))
    dataset, read = load_dataset(data, quiet), []
    stored = sources_of.stored_features
    monkeypatch.setattr(
        sources_of, "stored_features", lambda *args: (read.append(args), stored(*args))[1]
    )
    ended(make(tmp_path, FoldSources.of(dataset, data, FOLDS)))
    assert len(read) == 1
