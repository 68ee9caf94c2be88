"""Predictions with a model's file alone, away from the search that made it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import models
from data.console import output
from models import ModelConfig
from tuner.analysis.evaluation import MODEL, Trained
from tuner.analysis.model import load_model
from tuner.config.parameters import TrainingConfig
from tuner.config.sections import DataConfig
from tuner.preparation.one_machine import load_dataset
from tuner.training.clips.source import ClipSource
from tuner.training.run import BEST, Run

pytestmark = [pytest.mark.shared_cache, pytest.mark.usefixtures("device")]
COLUMNS = ["noseal", "seal", "prediction", "video", "frame", "time"]


@pytest.fixture(scope="module")
def file(drawn: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that was trained at five frames a second, of videos of ten; a copy of its file."""
    folder = tmp_path_factory.mktemp("trained")
    data = DataConfig(videos=str(drawn), labels=str(drawn / "labels.csv"))
    dataset = load_dataset(data, output)
    config = ModelConfig(architecture="image_mlp_frozen", frame_size=64, layer_1_size=8)
    settings = TrainingConfig(rounds=1, epochs=1)
    source = ClipSource(dataset, data.model_copy(update={"fps": 5.0}))
    run = Run(folder, config, settings, source, "valid_f1", 0, {})
    run.step()
    run.close()
    return shutil.copy(folder / BEST, folder / "elsewhere.pt")


def test_a_file_predicts_at_the_rate_that_it_was_trained_at(file: Path, drawn: Path):
    table = load_model(file).predict(drawn / "c1.mp4")
    assert list(table.columns) == COLUMNS
    assert table["time"].tolist() == pytest.approx(np.arange(12) / 5)


def test_videos_whose_names_are_not_utf_8_are_predicted_and_listed(
    file: Path, drawn: Path, tmp_path: Path, command
):
    new = tmp_path / "new"
    new.mkdir()
    for name in (b"for\xeat.mp4", b"for\\xeat.mp4"):
        shutil.copy(drawn / "c1.mp4", new / os.fsdecode(name))
    (new / os.fsdecode(b"no \xff.mp4")).write_text("no video")
    folder = tmp_path / "out"
    words = ("best", "--model", file, "--predict", "--videos", new, "--out", folder)
    status, out, err = command(*words)
    assert status == 0, err
    assert r"no \xff.mp4" in out
    names = set(pd.read_csv(folder / "frame_predictions.csv")["video"])
    assert len(names) == 2 and r"for\xeat.mp4" in names
    assert pd.read_csv(folder / "rejects.csv")["video"].tolist() == [r"no \xff.mp4"]


def test_a_folder_s_whole_model_comes_before_its_weights(file: Path, tmp_path: Path):
    with pytest.raises(FileNotFoundError, match=r"best\.pt"):
        load_model(tmp_path)
    shutil.copy(file, tmp_path / BEST)
    trained = Trained(0, tmp_path, 0.5, {}, {}, None, None)
    assert load_model(tmp_path).path == load_model(trained).path == tmp_path / BEST
    shutil.copy(file, tmp_path / MODEL)
    assert load_model(str(tmp_path)).path == tmp_path / MODEL


def test_a_whole_model_needs_no_weights_from_elsewhere(
    file: Path, drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    whole = models.attach_backbone(models.load(file))
    whole.config = whole.config.model_copy(update={"model_weights_path": "/nowhere/w.pth"})
    models.save(whole, tmp_path / "model.pt")
    expected = load_model(file).predict(drawn / "c1.mp4")

    def none(*_: object, **__: object) -> None:
        raise AssertionError("it asks for weights that are not in the file")

    monkeypatch.setattr("models.backbones.load.weights_key", none)
    predictions = load_model(tmp_path / "model.pt").predict(drawn / "c1.mp4")
    assert np.allclose(predictions["seal"], expected["seal"], atol=1e-5)


def test_a_video_that_does_not_decode_is_left_out(file: Path, drawn: Path, tmp_path: Path):
    (tmp_path / "broken.mp4").write_text("not a video")
    with pytest.warns(UserWarning, match="left out: broken.mp4"):
        table = load_model(file).predict([drawn / "c1.mp4", tmp_path / "broken.mp4"])
    assert set(table["video"]) == {"c1.mp4"}
    with pytest.raises(ValueError, match=r"broken\.mp4"):
        load_model(file).predict(tmp_path / "broken.mp4")


def test_best_takes_a_file_and_needs_no_results_store(
    file: Path, drawn: Path, command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    words = ("best", "--model", file, "--predict", "--videos", drawn / "c1.mp4")
    status, out, err = command(*words, "--out", "new")
    assert status == 0, err
    assert "c1.mp4: 12 frames" in out and "earlier version" not in out
    assert list(pd.read_csv(tmp_path / "new" / "frame_predictions.csv").columns) == COLUMNS
    assert not list(tmp_path.rglob("*.db"))


def test_a_file_of_an_earlier_version_predicts_every_frame_and_says_so(
    file: Path, drawn: Path, command, tmp_path: Path
):
    old = tmp_path / "old.pt"
    models.save(models.load(file), old, extra={"epoch": 1})
    words = ("best", "--model", old, "--predict", "--videos", drawn / "c1.mp4")
    status, out, err = command(*words)
    assert status == 0, err
    assert "c1.mp4: 24 frames" in out and "does not say at what rate" in out
    assert (tmp_path / "new_videos" / "frame_predictions.csv").exists()


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (("--model", "{file}"), "add --predict --videos PATH"),
        (("--model", "{file}", "--predict"), "add --predict --videos PATH"),
        (("--model", "{file}", "--search", "seals"), "leave out --search"),
        (("--model", "none.pt", "--predict", "--videos", "x"), "no model file none.pt"),
        (("--model", __file__, "--predict", "--videos", "x"), "is not a model's file"),
    ],
)
def test_what_a_file_lacks_is_said(file: Path, command, words: tuple[str, ...], wanted: str):
    status, out, err = command("best", *(word.format(file=file) for word in words))
    assert status == 2 and wanted in err and "Traceback" not in out + err


def test_a_file_of_an_earlier_version_takes_the_rate_that_its_search_knows(
    file: Path, drawn: Path, tmp_path: Path
):
    model = models.load(file)
    model.extra.pop("fps")
    models.save(model, tmp_path / MODEL)
    with pytest.warns(UserWarning, match="does not say its fps"):
        every = load_model(tmp_path).predict(drawn / "c1.mp4")
    trained = Trained(0, tmp_path, 0.5, {}, {}, None, None, fps=5)
    half = load_model(trained).predict(drawn / "c1.mp4")
    assert len(every) == 24 and len(half) == 12
