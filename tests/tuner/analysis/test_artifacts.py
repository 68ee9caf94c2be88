"""A model's figures and files."""

import json

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from models import ModelConfig
from tuner.analysis.artifacts import (
    choose_thresholds,
    evaluate,
    results,
    write_confusion,
    write_curves,
    write_json,
)
from tuner.analysis.prediction import with_labels
from tuner.training.task import Multiclass

TASK = Multiclass(["noseal", "seal"])


def predictions() -> pd.DataFrame:
    """Six frames of two videos, one of them unlabelled, one prediction wrong."""
    seal = np.array([0.1, 0.9, 0.8, 0.3, 0.6, 0.2])
    table = pd.DataFrame({"noseal": 1 - seal, "seal": seal})
    table["prediction"] = np.where(seal > 0.5, "seal", "noseal")
    table["video"] = ["a", "a", "a", "b", "b", "b"]
    table["frame"] = [0, 1, 2, 0, 1, 2]
    return table.assign(time=table["frame"] / 10)


def labels() -> pd.DataFrame:
    rows = [("a", 0, "noseal"), ("a", 1, "seal"), ("b", 0, "noseal"), ("b", 1, "noseal")]
    table = pd.DataFrame([*rows, ("b", 2, "noseal")], columns=["video", "frame", "label"])
    return table.assign(split=table["video"].map({"a": "train", "b": "test"}))


def test_labels_are_matched_by_video_and_frame():
    table = with_labels(predictions(), labels().iloc[::-1])
    assert table["label"].tolist()[:2] == ["noseal", "seal"]
    assert table["label"].isna().tolist() == [False, False, True, False, False, False]
    assert table["error"].tolist()[3:] == [False, True, False]
    assert pd.isna(table["error"][2]) and table["split"][2] == "train"
    assert table["time"].tolist() == predictions()["time"].tolist()


def test_figures_by_split():
    figures = evaluate(with_labels(predictions(), labels()), TASK)
    assert figures["train"]["acc"] == 1 and figures["train"]["rows"] == 2
    assert figures["test"]["acc"] == pytest.approx(2 / 3)
    assert figures["test"]["recall"] == {"noseal": pytest.approx(2 / 3)}
    expected = -np.mean(np.log([0.7, 0.4, 0.8]))
    assert figures["test"]["loss"] == pytest.approx(expected)


def three_splits() -> pd.DataFrame:
    """Four frames of the valid split, told apart at 0.35, and three of the others."""
    seal = np.array([0.9, 0.4, 0.3, 0.1, 0.6, 0.34, 0.9])
    table = pd.DataFrame({"noseal": 1 - seal, "seal": seal})
    table["prediction"] = np.where(seal > 0.5, "seal", "noseal")
    table["label"] = ["seal", "seal", "noseal", "noseal", "noseal", "seal", "seal"]
    table["split"] = ["valid"] * 4 + ["test"] * 2 + ["train"]
    return table.assign(video=["a", "a", "b", "b", "c", "d", "e"])


def test_figures_at_the_thresholds_of_the_valid_split():
    table = three_splits()
    chosen = choose_thresholds(table, TASK)
    assert chosen == {"noseal": pytest.approx(0.65), "seal": pytest.approx(0.35)}
    figures = evaluate(table, TASK, chosen)
    assert figures["valid"]["precision_at_threshold"] == {"noseal": 1, "seal": 1}
    assert figures["valid"]["recall_at_threshold"] == {"noseal": 1, "seal": 1}
    assert figures["valid"]["recall"] == {"noseal": 1, "seal": 0.5}
    assert figures["valid"]["balanced_accuracy"] == 0.75
    assert figures["test"]["precision_at_threshold"] == {"noseal": 0, "seal": 0}
    assert figures["train"]["precision_at_threshold"] == {"noseal": None, "seal": 1}
    assert figures["train"]["recall_at_threshold"] == {"noseal": None, "seal": 1}


def test_average_precision_by_class_and_their_mean():
    figures = evaluate(three_splits(), TASK)
    assert figures["valid"]["average_precision_by_class"] == {"noseal": 1, "seal": 1}
    assert figures["test"]["average_precision_by_class"] == {"noseal": 0.5, "seal": 0.5}
    assert figures["test"]["average_precision"] == 0.5
    assert figures["train"]["average_precision_by_class"] == {"noseal": None, "seal": 1}
    assert figures["train"]["average_precision"] == 1
    assert "precision_at_threshold" not in figures["test"]


def test_other_splits_play_no_part_in_the_thresholds():
    table = three_splits()
    chosen = choose_thresholds(table, TASK)
    others = table["split"] != "valid"
    changed = table.copy()
    changed.loc[others, "label"] = ["seal", "noseal", "noseal"]
    changed.loc[others, "seal"] = [0.01, 0.99, 0.5]
    changed.loc[others, "noseal"] = [0.99, 0.01, 0.5]
    assert choose_thresholds(changed, TASK) == chosen
    assert choose_thresholds(table[~others], TASK) == chosen
    assert choose_thresholds(table[others], TASK) is None


def test_results_hold_the_new_figures_as_valid_json(tmp_path):
    table = three_splits()
    table = table[table["split"] != "test"]
    chosen = choose_thresholds(table, TASK)
    summary = {"stopped_epochs": [3], "model_param_count": 1, "num_features": 2, "seed": 0}
    summary |= {"best_epoch": 1, "best_round": 1, "epochs": 3}
    content = results(
        ModelConfig(architecture="image_mlp_frozen", pretrained_model_name="resnet50"),
        summary,
        evaluate(table, TASK, chosen),
        model_id=1,
        ensemble=[1],
        ensemble_weights=[1],
        temperature=2.0,
        uncalibrated={"valid": 0.5},
        batch_size=2,
        task=TASK,
        folder=tmp_path,
        times={},
        unit="frame",
        by_unit={},
        chosen=chosen,
    )
    write_json(tmp_path / "results.json", content)
    text = (tmp_path / "results.json").read_text()
    read = json.loads(text, parse_constant=pytest.fail)
    assert read["thresholds"] == chosen
    assert read["temperature"] == 2 and read["ensemble_weights"] == [1]
    assert read["fit_val_calibration_error"] == pytest.approx((0.1 + 0.6 + 0.3 + 0.1) / 4)
    assert read["fit_val_calibration_error_before"] == 0.5
    assert read["fit_test_calibration_error"] is read["fit_test_calibration_error_before"] is None
    assert read["fit_val_balanced_accuracy"] == 0.75 and read["fit_val_average_precision"] == 1
    assert read["fit_val_recall"] == {"noseal": 1, "seal": 0.5}
    assert read["fit_train_precision_at_threshold"] == {"noseal": None, "seal": 1}
    assert read["fit_train_average_precision_by_class"] == {"noseal": None, "seal": 1}
    for name in ("acc", "loss", "f1", "recall", "balanced_accuracy", "average_precision"):
        assert read[f"fit_test_{name}"] is None


@pytest.fixture
def figures(monkeypatch) -> dict[str, Figure]:
    """The figures that are saved, by the names of their files."""
    saved, save = {}, Figure.savefig

    def keep(figure, part, **options):
        save(figure, part, **options)
        saved[part.name[1:].rsplit(".", 2)[0]] = figure  # it is written under another name

    monkeypatch.setattr(Figure, "savefig", keep)
    return saved


def test_the_confusion_matrix_has_true_classes_as_rows(tmp_path, figures):
    write_confusion(with_labels(predictions(), labels()), TASK, tmp_path, "test", "model 7")
    matrix = pd.read_csv(tmp_path / "confusion_matrix.csv", index_col=0)
    assert matrix.loc["noseal", "seal"] == 1 and matrix.loc["seal", "noseal"] == 0
    assert matrix.index.name == "true \\ predicted"
    assert (tmp_path / "confusion_matrix_normalised.png").stat().st_size > 1000
    assert len(figures) == 2
    for figure in figures.values():
        (title,) = figure.texts
        assert "model 7" in title.get_text() and "test" in title.get_text()
        left, _, right, top = title.get_window_extent().extents
        assert left > 0 and right < figure.bbox.width  # all of it is to be seen
        assert figure.axes[0].bbox.y1 < title.get_window_extent().y0 and top < figure.bbox.height


def test_json_has_no_nan(tmp_path):
    write_json(tmp_path / "a.json", {"a": float("nan"), "b": [float("inf"), 1], "c": {"d": 0.5}})
    content = json.loads((tmp_path / "a.json").read_text(), parse_constant=pytest.fail)
    assert content == {"a": None, "b": [None, 1], "c": {"d": 0.5}}


@pytest.mark.parametrize("last", [1, 3, 5])
def test_curves(tmp_path, figures, last):
    epochs = range(1, last + 1)
    history = pd.DataFrame({"epoch": epochs, "round": [1, 1, 2, 2, 2][:last]})
    for name in ("train_loss", "valid_loss", "train_accuracy", "valid_accuracy"):
        history[name] = 0.5
    write_curves(history, tmp_path, 1, "model 7")
    assert (tmp_path / "loss.png").exists() and (tmp_path / "accuracy.png").exists()
    for figure in figures.values():
        (axes,) = figure.axes
        assert "model 7" in axes.get_title()
        assert {"train", "valid"} <= {text.get_text() for text in axes.get_legend().get_texts()}
        assert all(tick == int(tick) for tick in axes.get_xticks())
