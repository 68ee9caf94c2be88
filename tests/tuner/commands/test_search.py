"""Whole searches over real videos, with real Ray and a real database."""

from __future__ import annotations

import contextlib
import io
import json
import re
import time
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
import pytest
import yaml
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import models
from data.console import output
from tests.conftest import small_search
from tests.damage import spoil
from tuner import cli
from tuner.analysis.evaluation import MODEL
from tuner.analysis.prediction import PREDICTIONS
from tuner.config.load import load
from tuner.preparation.one_machine import load_dataset
from tuner.search import main
from tuner.study.space.space import resolve
from tuner.training.clips.source import ClipSource
from tuner.training.clips.stored import open_stores
from tuner.training.run import Run

ROOT = Path(__file__).parents[3]
pytestmark = pytest.mark.shared_cache

RESULTS_KEYS = {
    *("architecture", "batch_size", "class_names", "convolution_kernel_size", "dropout"),
    *("data_total_rows_train", "data_total_rows_valid", "data_total_rows_test"),
    *("fit_best_round", "fit_num_epochs", "fit_train_loss", "fit_val_loss"),
    *("fit_dt_train_start", "fit_dt_train_end", "fit_dt_train_duration_seconds"),
    *("fit_dt_test_start", "fit_dt_test_end", "fit_dt_test_duration_seconds"),
    *("fit_stopped_epoch1", "fit_stopped_epoch2", "fit_stopped_epoch3"),
    *("fit_test_acc", "fit_train_acc", "fit_val_acc", "frame_size", "model_id"),
    *("ensemble", "ensemble_weights", "temperature", "fit_val_calibration_error"),
    *("fit_val_calibration_error_before", "fit_test_calibration_error"),
    *("fit_test_calibration_error_before", "fit_train_calibration_error"),
    *("layer_1_size", "layer_2_size", "layer_3_size", "model_param_count"),
    *("model_weights_path", "num_features", "path_model", "pooling"),
    *("pretrained_model_name", "sequence_length", "sequence_model"),
    *("sequence_model_layers", "verbose"),
}


def url_of(path: Path) -> str:
    return f"sqlite:///{yaml.safe_load(path.read_text())['storage']}/results.db"


def study_of(path: Path) -> optuna.Study:
    return optuna.load_study(study_name="small", storage=url_of(path))


@pytest.fixture(scope="module")
def searched(drawn, ray_session, tmp_path_factory):
    """A search that ran to its end, in a folder of its own, and what it printed."""
    folder = tmp_path_factory.mktemp("searched")
    path = folder / "small.yaml"
    path.write_text(yaml.safe_dump(small_search(drawn, folder / "runs")))
    out = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out):
        patch.setattr("sys.argv", ["search", str(path)])
        with pytest.raises(SystemExit) as ended:
            cli.run(main)
    assert not ended.value.code, out.getvalue()
    return path, out.getvalue()


def test_a_search_from_videos_to_predictions(searched, command, drawn, tmp_path):
    path, out = searched
    study = study_of(path)
    assert len(study.trials) == 5
    assert {trial.state.name for trial in study.trials} <= {"COMPLETE", "PRUNED"}
    assert all(trial.intermediate_values for trial in study.trials)
    assert "5 of 5 trials to run" in out and "best: model" in out and "python -m tuner.best" in out

    status, out, err = command("best", "--results", url_of(path), "--predict")
    assert status == 0, err

    def place(trial):  # of equal ones the finished come first
        return -trial.user_attrs["best_value"], trial.state.name != "COMPLETE"

    ranking = sorted(study.trials, key=place)
    best = ranking[0].number
    assert f"model {best} (" in out and "test accuracy" in out

    folder = path.parent / "runs" / "small" / "models" / str(best)
    results = json.loads((folder / "results.json").read_text(), parse_constant=pytest.fail)
    assert set(results) >= RESULTS_KEYS
    assert results["model_id"] == best and results["class_names"] == ["noseal", "seal"]
    assert results["data_total_rows_train"] == 48
    for name in ("accuracy.png", "loss.png", "confusion_matrix.png"):
        assert (folder / name).stat().st_size > 1000
    assert (folder / "confusion_matrix_normalised.png").exists()
    history = pd.read_csv(folder / "fit_history.csv")
    assert len(history) == results["fit_num_epochs"]
    assert json.loads((folder / "params.json").read_text())["architecture"]

    table = pd.read_csv(folder / PREDICTIONS)
    assert list(table.columns) == [
        *("noseal", "seal", "prediction", "video", "frame", "time", "label", "split", "error")
    ]
    assert len(table) == 4 * 24  # every frame, the first ones too
    assert table.groupby("video")["frame"].apply(list).map(lambda f: f == list(range(24))).all()
    assert np.allclose(table["time"], table["frame"] / 10)
    assert np.allclose(table[["noseal", "seal"]].sum(axis=1), 1)
    assert (table["prediction"] == table[["noseal", "seal"]].idxmax(axis=1)).all()
    assert (table["error"] == (table["prediction"] != table["label"])).all()
    for split, key in (("train", "train"), ("valid", "val"), ("test", "test")):
        of_split = table[table["split"] == split]
        assert results[f"fit_{key}_acc"] == pytest.approx((~of_split["error"]).mean())
    assert results["fit_val_f1"] == pytest.approx(ranking[0].user_attrs["best_value"], abs=1e-6)

    confusion = pd.read_csv(folder / "confusion_matrix.csv", index_col=0)
    test = table[table["split"] == "test"]
    expected = pd.crosstab(test["label"], test["prediction"]).reindex(
        index=["noseal", "seal"], columns=["noseal", "seal"], fill_value=0
    )
    assert confusion.to_numpy().tolist() == expected.to_numpy().tolist()

    model = models.load(folder / MODEL)
    assert model.backbone is not None and model.classes == ["noseal", "seal"]
    assert model.extra["fps"] is None  # each file's own
    assert model.extra["temperature"] == results["temperature"] != 1

    new = tmp_path / "new.mp4"
    new.write_bytes((drawn / "c1.mp4").read_bytes())
    (tmp_path / "note.mp4").write_text("not a video")
    (damaged := tmp_path / "damaged.avi").write_bytes((drawn / "a2.avi").read_bytes())
    spoil(damaged, 12)
    out_folder = tmp_path / "out"
    status, out, err = command(
        *("best", "--results", url_of(path), "--predict", "--out", out_folder),
        *("--videos", new, damaged, tmp_path / "note.mp4"),
    )
    assert status == 0, err
    assert "left out: note.mp4" in out
    predicted = pd.read_csv(out_folder / PREDICTIONS)
    assert "used in part: damaged.avi: damaged at 1.20 seconds" in out
    for name, of, frames in (("new.mp4", "c1", 24), ("damaged.avi", "a2", 12)):
        same = table[table["video"] == of]["seal"].to_numpy()[:frames]
        found = predicted[predicted["video"] == name]["seal"].to_numpy()
        assert np.allclose(found, same, atol=1e-5)
    assert "note.mp4" in (out_folder / "rejects.csv").read_text()


def test_an_ensemble_averages_the_best_models(searched, command, drawn):
    path, _ = searched
    words = ("best", "--results", url_of(path), "--predict")
    trials = study_of(path).trials
    pruned = optuna.trial.TrialState.PRUNED  # among equal values they come last
    ranking = sorted(trials, key=lambda t: (-t.user_attrs["best_value"], t.state == pruned))
    numbers = [trial.number for trial in ranking[:3]]
    of_models = {}
    for number in numbers:
        assert command(*words, "--model", number)[0] == 0
        of_models[number], _, results = written(path.parent / "runs/small/models" / str(number))
        assert results["ensemble_weights"] == [1]
    status, out, err = command(*words, "--ensemble", 3)
    assert status == 0, err
    assert f"ensemble: models {', '.join(map(str, numbers))}; valid_f1 " in out
    assert "test accuracy" in out
    raw, table, results = written(path.parent / "runs/small/ensemble")
    mean = sum(of_models.values()) / 3
    assert np.allclose(raw, mean, atol=1e-5)
    assert (table["prediction"] == np.where(mean > 0.5, "seal", "noseal")).all()
    assert results["ensemble"] == numbers and results["model_id"] == numbers[0]
    assert results["ensemble_weights"] == [1, 1, 1]
    status, out, err = command(*words, "--ensemble", 3, "--videos", drawn / "c1.mp4")
    assert status == 0, err
    new = pd.read_csv(path.parent / "runs/small/ensemble/new_videos" / PREDICTIONS)
    assert np.allclose(new["seal"], table[table["video"] == "c1"]["seal"], atol=1e-5)

    status, out, err = command(*words, "--ensemble", "auto")
    assert status == 0, err
    (line,) = re.findall(r"ensemble: models? (.+); valid_f1 (.+) \(the best alone (.+)\)", out)
    assert float(line[1]) > 0.9 * float(line[2])  # as good within the error of 24 frames
    raw, _, results = written(Path(*re.findall(r"files: (.+) \(", out)))
    chosen, weights = results["ensemble"], results["ensemble_weights"]
    pairs = zip(chosen, weights, strict=True)
    assert line[0] == ", ".join(f"{n} (x{w})" if w > 1 else str(n) for n, w in pairs)
    assert results["fit_val_f1"] == pytest.approx(float(line[1]), abs=1e-3)
    for number in set(chosen) - set(of_models):
        assert command(*words, "--model", number)[0] == 0
        of_models[number], _, _ = written(path.parent / "runs/small/models" / str(number))
    mean = np.average([of_models[n] for n in chosen], axis=0, weights=weights)
    assert np.allclose(raw, mean, atol=1e-5)


def written(folder: Path) -> tuple[np.ndarray, pd.DataFrame, dict[str, Any]]:
    """Probabilities of seals at temperature 1, the table that was written, and the results."""
    table = pd.read_csv(folder / PREDICTIONS)
    results = json.loads((folder / "results.json").read_text())
    odds = (table["seal"] / table["noseal"]) ** results["temperature"]
    return (odds / (1 + odds)).to_numpy(), table, results


def test_the_search_never_looks_at_test(searched, tmp_path, monkeypatch):
    """Not even its features are computed before `tuner.best` evaluates."""
    path, _ = searched
    fresh = tmp_path / "cache"
    monkeypatch.setenv("TUNER_CACHE", str(fresh))
    config = load(path)
    dataset = load_dataset(config.data, output)
    source = ClipSource(dataset, config.data)
    model, training = resolve(study_of(path).best_trial.user_attrs["parameters"])
    run = Run(tmp_path / "run", model, training, source, "valid_f1", 0, {})
    run.step()
    run.close()
    (store,) = open_stores(model, config.data)
    in_store = {
        name for name, v in dataset.videos.items() if store.store.path(store.key(v)).exists()
    }
    assert in_store == {"a1", "a2", "b1"}


def test_tensorboard_holds_every_trial(searched):
    path, _ = searched
    for trial in study_of(path).trials:
        (folder,) = (path.parent / "runs" / "small").glob(f"{trial.number:03} *")
        params = trial.user_attrs["parameters"]
        kind = "lrcnn GRU" if params["architecture"] == "video_lrcnn_frozen" else "mlp"
        assert folder.name == f"{trial.number:03} {kind} {params['layer_1_size']}"
        events = EventAccumulator(str(folder)).Reload()
        epochs = events.Scalars("valid_f1")
        assert [event.step for event in epochs] == sorted(trial.intermediate_values)
        assert epochs[-1].value == pytest.approx(list(trial.intermediate_values.values())[-1])
        best = events.Scalars("best/valid_f1")[-1].value
        assert best == pytest.approx(trial.user_attrs["best_value"])
        assert "train_loss" in events.Tags()["scalars"]
        hparams = events.summary_metadata["_hparams_/session_start_info"].plugin_data.content
        for word in (b"layer_1_size", b"architecture", params["architecture"].encode()):
            assert word in hparams
        assert b"accumulate" not in hparams  # the search did not choose it
        assert events.Tags()["images"] == ["confusion_matrix/valid"]


@pytest.mark.long
def test_only_the_best_models_keep_their_weights(write_config, command, ray_session, tmp_path):
    path = write_config(search={"trials": 4, "keep_models": 2, "scheduler": "none"})
    assert command("search", path)[0] == 0
    values = {t.number: t.user_attrs["best_value"] for t in study_of(path).trials}
    with_weights = {int(file.parent.name) for file in (tmp_path / "runs").rglob("best.pt")}
    assert len(with_weights) == 2
    assert min(values[k] for k in with_weights) >= max(
        v for n, v in values.items() if n not in with_weights
    )
    assert not list((tmp_path / "runs").rglob("last.pt"))


def test_failing_trials_are_recorded_and_do_not_end_the_search(write_config, command, ray_session):
    path = write_config(
        space={
            "architecture": ["image_mlp_frozen"],
            "layer_1_size": [8, 4_000_000_000],  # more memory than there is: raises
            "learning_rate": [
                {"when": {"layer_1_size": 8}, "choices": [1e-3, 1e38]},  # the loss becomes NaN
                {"choices": [1e-3]},
            ],
        },
        search={"sampler": "grid", "trials": None},
    )
    status, out, err = command("search", path)
    assert status == 0, out + err
    trials = {
        (t.user_attrs["parameters"]["layer_1_size"], t.user_attrs["parameters"]["learning_rate"]): t
        for t in study_of(path).trials
    }
    assert trials[(8, 1e-3)].state.name in ("COMPLETE", "PRUNED")
    diverged, raised = trials[(8, 1e38)], trials[(4_000_000_000, 1e-3)]
    assert diverged.state.name == raised.state.name == "FAIL"
    assert "loss is" in diverged.user_attrs["reason"]
    assert "had no memory left for this model" in raised.user_attrs["reason"]
    assert "2 failed" in out and "loss is" in out


def test_a_time_budget_ends_a_search_with_what_it_has(write_config, command, ray_session):
    path = write_config(search={"trials": 5000, "time_budget": "15s", "scheduler": "none"})
    start = time.monotonic()
    status, out, err = command("search", path)
    assert status == 0, out + err
    assert time.monotonic() - start < 120
    trials = study_of(path).trials
    assert 0 < len(trials) < 5000
    assert not [trial for trial in trials if not trial.state.is_finished()]
    assert "best: model" in out
