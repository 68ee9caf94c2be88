"""A search whose trials are validated by folds, from the YAML to predictions of new videos."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

import models
from data.console import quiet
from tests.tuner.commands.test_whole_videos import draw
from tuner.analysis.model import load_model
from tuner.analysis.prediction import predict
from tuner.preparation.one_machine import load_dataset
from tuner.study.store.results import ResultsStore

pytestmark = pytest.mark.shared_cache
ROOT = Path(__file__).parents[3]
SITES = ["north", "north", "south", "south", "east", "east", "west", "west"]


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixteen videos of four sites and two for the test, half of them with something that passes."""
    folder = tmp_path_factory.mktemp("sites")
    with (folder / "labels.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["video", "label", "split", "site"])
        for number in range(18):
            draw(folder / f"v{number:02}.mp4", 20, number % 2 == 0, number)
            label = "fox" if number % 2 == 0 else "empty"
            if number < 16:
                split = "valid" if SITES[number // 2] == "west" else "train"
                writer.writerow([f"v{number:02}", label, split, SITES[number // 2]])
            else:
                writer.writerow([f"v{number:02}", label, "test", "far"])
    return folder


@pytest.fixture
def folded(sites: Path, write_config) -> Path:
    return write_config(
        data={"videos": str(sites), "labels": str(sites / "labels.csv")},
        space={
            "architecture": ["image_mlp_frozen"],
            "frames_per_video": [6],
            "video_pooling": ["AttentionPooling"],
            "layer_1_size": [0, 8],
        },
        training={"epochs": 4, "patience": 4, "rounds": 1, "learning_rate": 0.01},
        search={
            "trials": 4,
            "probes": 1,
            "keep_models": 2,
            "grace_period": 3,
            "ensemble": "auto",
            "validation": {"folds": 3, "by": "site"},
        },
    )


def test_a_search_by_folds(sites: Path, folded: Path, tmp_path: Path, command, ray_session) -> None:
    status, out, err = command("search", folded)
    assert status == 0, out + err
    assert "validation: 3 folds by site (4 sites): 16 videos" in out
    assert "after 1 fold" in out and "epochs/s" not in out
    url = f"sqlite:///{tmp_path / 'runs'}/results.db"
    store = ResultsStore.open(url)
    ranking = store.ranking()
    steps = [len(record.epochs) for record in ranking]
    assert steps == sorted(steps, reverse=True) and steps[0] == 3 and min(steps) < 3
    for record in ranking:
        assert record.value == list(record.epochs.values())[-1]
        assert record.results["epochs"] == len(record.epochs)
        assert len(record.results["folds"]["valid_f1"]) == len(record.epochs)
    assert {record.state for record in ranking} == {"finished", "pruned"}

    # Each video outside the test split validates once, and a site is never parted.
    splits = pd.read_csv(tmp_path / "runs" / "small" / "splits.csv")
    outside = splits[splits["split"] != "test"]
    assert set(outside["fold"]) == {1, 2, 3} and splits["fold"].isna().sum() == 2
    assert outside.groupby("group")["fold"].nunique().max() == 1
    assert dict(zip(outside["video"], outside["fold"], strict=True)) == store.folds

    # Only the best models are kept, and nothing of single folds.
    folder = tmp_path / "runs" / "small" / "models"
    kept = {path.parent.name for path in folder.glob("*/best.pt")}
    assert kept == {str(record.number) for record in ranking[:2]}
    assert not list(folder.rglob("fold*")) and not list(folder.rglob("last.pt"))
    best = folder / str(ranking[0].number)
    assert len(models.members(models.load(best / "best.pt"))) == 3
    assert set(pd.read_csv(best / "fit_history.csv")["fold"]) == {1, 2, 3}

    status, out, err = command("best", "--results", url, "--model", ranking[0].number, "--predict")
    assert status == 0, err
    assert "3 of 3 folds together" in out and "valid_f1 of each fold: " in out
    results = json.loads((best / "results.json").read_text())
    assert results["data_total_rows_valid"] == 16 and results["data_total_rows_train"] == 0
    assert results["fit_val_f1"] == pytest.approx(ranking[0].value)
    assert results["fit_val_loss"] and results["data_total_rows_test"] == 2
    of_videos = pd.read_csv(best / "video_predictions.csv")
    assert list(of_videos["video"]) == [f"v{number:02}" for number in range(18)]
    assert (best / "loss.png").exists()
    assert "fold" in pd.read_csv(tmp_path / "runs" / "small" / "splits.csv")

    # The file alone predicts as all folds together: the test videos as they were evaluated.
    again = load_model(best / "model.pt").predict_all(sites).videos.set_index("video")
    for row in of_videos[of_videos["split"] == "test"].itertuples():
        assert again.loc[f"{row.video}.mp4", "fox"] == pytest.approx(row.fox, abs=0.02)

    status, out, err = command("best", "--results", url, "--predict")
    assert status == 0 and "ensemble: model" in out, out + err
    pruned = next(record for record in ranking if record.state == "pruned")
    status, out, err = command("best", "--results", url, "--model", pruned.number)
    assert status == 0 and f"{len(pruned.epochs)} of 3 folds" in out


@pytest.mark.long
def test_what_a_search_trains_once_more_on_train_and_valid_answers_for_new_videos(
    sites: Path, folded: Path, tmp_path: Path, command, ray_session
) -> None:
    more = {"search.validation": "null", "search.refit": "true", "search.scheduler": "none"}
    more |= {"space.architecture": "[image_mlp_trainable]", "search.trials": 2}
    more |= {"model.frame_size": 64, "training.learning_rate": 0.003}
    more = [word for key, value in more.items() for word in ("--set", f"{key}={value}")]
    status, out, err = command("search", folded, *more)
    assert status == 0, out + err
    url = f"sqlite:///{tmp_path / 'runs'}/results.db"
    store = ResultsStore.open(url)
    records = store.records()
    assert [record.state for record in records] == ["finished"] * 3  # one is a probe
    assert all(record.results["refit"] >= 1 for record in records)
    trained = "image_mlp_trainable"
    number = next(one.number for one in store.ranking() if one.params["architecture"] == trained)
    status, out, err = command("best", "--results", url, "--model", number, "--predict")
    assert status == 0, err
    assert "trained once more, " in out
    folder = tmp_path / "runs" / "small" / "models" / str(number)
    both = models.load(folder / "best.pt")
    validated, refit = models.members(both)[0], both.refit
    videos = load_dataset(store.config.data, quiet).videos
    of = pd.read_csv(folder / "video_predictions.csv").set_index("video")
    for split, model in (("valid", validated), ("test", refit), ("train", refit)):
        names = list(of.index[of["split"] == split])
        assert names
        found = predict([model], [videos[name] for name in names], store.config.data).videos
        found = found.set_index("video")
        assert list(found["prediction"]) == list(of.loc[names, "prediction"])
        # At another temperature, but in the same order.
        order = found["fox"].sort_values().index
        assert of.loc[order, "fox"].is_monotonic_increasing
    results = json.loads((folder / "results.json").read_text())
    best = store.record(number).results["best"]
    assert results["fit_val_f1"] == pytest.approx(best["valid_f1"])
    alone = models.load(folder / "model.pt")  # has no need of the one that was validated
    assert not isinstance(alone, models.Mixture)
    again = load_model(folder / "model.pt").predict_all(sites).videos.set_index("video")
    for row in of[of["split"] == "test"].itertuples():
        assert again.loc[f"{row.Index}.mp4", "fox"] == pytest.approx(row.fox, abs=0.02)
    status, out, err = command("best", "--results", url, "--predict")
    assert status == 0 and "ensemble: model" in out, out + err


@pytest.mark.long
def test_a_killed_search_goes_on_with_its_folds(folded: Path, tmp_path: Path) -> None:
    more = {"search.trials": 2, "search.probes": 0, "search.scheduler": "none"}
    more |= {"training.epochs": 150, "training.patience": 150, "name": "killed"}
    line = [sys.executable, "-m", "tuner.search", str(folded), "--resume"]
    line += [word for key, value in more.items() for word in ("--set", f"{key}={value}")]
    first = subprocess.Popen(line, cwd=ROOT, stdout=subprocess.DEVNULL)
    url = f"sqlite:///{tmp_path / 'runs'}/results.db"
    folder = tmp_path / "runs" / "killed" / "models"
    while not list(folder.glob("*/last.pt")):  # one of the folds has ended
        assert first.poll() is None
        time.sleep(0.1)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    folds = ResultsStore.open(url, "killed").folds
    assert subprocess.run(line, cwd=ROOT, stdout=subprocess.DEVNULL).returncode == 0
    store = ResultsStore.open(url, "killed")
    assert store.folds == folds and len(folds) == 16
    assert [(r.state, len(r.epochs)) for r in store.records()] == [("finished", 3)] * 2
    assert max(record.results["resumed_epochs"] for record in store.records()) >= 1


def test_folds_that_can_t_be_are_said_before_anything_is_decoded(
    folded: Path, tmp_path: Path, command, ray_session, monkeypatch
) -> None:
    monkeypatch.setattr("tuner.preparation.cluster.decode", lambda *args: pytest.fail("decoded"))
    status, out, err = command("search", folded, "--set", "search.validation={folds: 5, by: site}")
    assert status == 2 and "search.validation: 5 folds need as many groups" in err, out + err


def test_a_dry_run_says_the_folds_and_what_they_lack(folded: Path, command) -> None:
    status, out, err = command("search", folded, "--dry-run")
    assert status == 0, err
    assert (
        "validation: 3 folds by site (4 sites): 16 videos; trials are compared after 1 fold" in out
    )
    by_video = ("--set", "search.validation={folds: 16, by: video}")
    status, out, err = command("search", folded, "--dry-run", *by_video)
    assert status == 0, err
    assert "validation: 16 folds by video: 16 videos" in out and "after 1, 3 and 9 folds" in out


@pytest.mark.parametrize(
    ("setting", "problem"),
    [
        (
            "search.validation={folds: 5, by: site}",
            "search.validation: 5 folds need as many groups",
        ),
        ("search.validation={folds: 3, by: date}", "set data.splits.by: date"),
        ("search.validation={folds: 1}", "search.validation.folds: "),
        ("search.refit=true", "write validation.refit"),
        ("space.architecture=[c3dsmall]", "search.validation needs frozen models: c3dsmall"),
    ],
)
def test_folds_that_can_t_be(folded: Path, command, setting: str, problem: str) -> None:
    status, out, err = command("search", folded, "--dry-run", "--set", setting)
    assert status and problem in err, out + err
