"""A model's figures and files."""

import json

import numpy as np
import pandas as pd
import pytest

from tuner.analysis.artifacts import evaluate, write_confusion, write_curves, write_json
from tuner.analysis.prediction import with_labels

CLASSES = ["noseal", "seal"]


def predictions() -> pd.DataFrame:
    """Six frames of two videos, one of them unlabelled, one prediction wrong."""
    seal = np.array([0.1, 0.9, 0.8, 0.3, 0.6, 0.2])
    table = pd.DataFrame({"noseal": 1 - seal, "seal": seal})
    table["prediction"] = np.where(seal > 0.5, "seal", "noseal")
    table["video"] = ["a", "a", "a", "b", "b", "b"]
    table["frame"] = [0, 1, 2, 0, 1, 2]
    return table.assign(time=0.0)


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


def test_figures_by_split():
    figures = evaluate(with_labels(predictions(), labels()), CLASSES)
    assert figures["train"]["acc"] == 1 and figures["train"]["rows"] == 2
    assert figures["test"]["acc"] == pytest.approx(2 / 3)
    assert figures["test"]["recall"] == {"noseal": pytest.approx(2 / 3)}
    expected = -np.mean(np.log([0.7, 0.4, 0.8]))
    assert figures["test"]["loss"] == pytest.approx(expected)


def test_the_confusion_matrix_has_true_classes_as_rows(tmp_path):
    write_confusion(with_labels(predictions(), labels()), CLASSES, tmp_path, "test")
    matrix = pd.read_csv(tmp_path / "confusion_matrix.csv", index_col=0)
    assert matrix.loc["noseal", "seal"] == 1 and matrix.loc["seal", "noseal"] == 0
    assert matrix.index.name == "true \\ predicted"
    assert (tmp_path / "confusion_matrix_normalised.png").stat().st_size > 1000


def test_json_has_no_nan(tmp_path):
    write_json(tmp_path / "a.json", {"a": float("nan"), "b": [float("inf"), 1], "c": {"d": 0.5}})
    found = json.loads((tmp_path / "a.json").read_text(), parse_constant=pytest.fail)
    assert found == {"a": None, "b": [None, 1], "c": {"d": 0.5}}


def test_curves(tmp_path):
    epochs = range(1, 6)
    history = pd.DataFrame({"epoch": epochs, "round": [1, 1, 2, 2, 2]})
    for name in ("train_loss", "valid_loss", "train_accuracy", "valid_accuracy"):
        history[name] = 0.5
    write_curves(history, tmp_path, 3)
    assert (tmp_path / "loss.png").exists() and (tmp_path / "accuracy.png").exists()
