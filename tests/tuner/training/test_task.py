"""What the task of telling classes apart decides, and that nothing else decides it."""

import io
import tokenize
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import tuner
from tuner.analysis.videos import video_table
from tuner.config.parameters import TrainingConfig
from tuner.objective import METRICS
from tuner.training.task import Multiclass
from tuner.training.tasks.columns import COLUMNS

TASK = Multiclass(["gull", "seal", "whale"])
LOGITS = torch.tensor([[3.0, 1.0, 0.0], [0.0, 1.0, 2.0], [0.0, 5.0, 0.0], [1.0, 0.5, 0.0]])
LABELS = torch.tensor([0, 1, 1, 2])


def test_labels_are_numbers_in_the_order_of_the_classes_and_names_again():
    names = ["whale", "gull", "whale", "seal"]
    numbers = TASK.encode(pd.Series(names, index=[7, 3, 1, 0]))
    assert numbers.tolist() == [2, 0, 2, 1] and numbers.dtype == torch.int64
    assert TASK.decode(numbers).tolist() == names


def test_the_most_probable_class_is_decided_and_the_first_of_several():
    probabilities = TASK.probabilities(LOGITS.double())
    assert probabilities.sum(dim=1).tolist() == pytest.approx([1] * 4)
    assert TASK.decode(TASK.decide(probabilities)).tolist() == ["gull", "whale", "seal", "gull"]
    assert torch.equal(TASK.decide(probabilities), TASK.decide(LOGITS))
    assert TASK.decide(torch.tensor([[0.4, 0.4, 0.2]])).tolist() == [0]
    assert TASK.count_right(LOGITS[:3], LABELS[:3]) == 2


def test_an_epoch_reports_each_metric_that_may_be_selected_by():
    figures = TASK.epoch_figures(LOGITS, LABELS)
    assert {f"valid_{name}" for name in figures} == set(METRICS)
    assert figures["accuracy"] == 0.5
    assert figures["f1"] == pytest.approx((2 / 3 + 2 / 3 + 0) / 3)
    # The gull's logit is 3 against 1 and 0, and so on.
    picked = LOGITS.gather(1, LABELS[:, None]).squeeze(1)
    assert figures["loss"] == pytest.approx(float((LOGITS.exp().sum(1).log() - picked).mean()))


def test_another_metric_is_a_row_of_the_table_and_its_figure(monkeypatch):
    monkeypatch.setitem(METRICS, "valid_balanced_accuracy", "maximize")
    figures = TASK.epoch_figures(LOGITS, LABELS)
    assert figures["balanced_accuracy"] == pytest.approx((1 + 1 / 2 + 0) / 3)


def test_the_loss_that_trials_are_compared_by_is_plain_whatever_is_minimised():
    config = TrainingConfig(loss="focal", label_smoothing=0.2, class_weights="balanced")
    plain = TASK.epoch_figures(LOGITS, LABELS)["loss"]
    assert float(TASK.loss(config, LABELS)(LOGITS, LABELS)) != pytest.approx(plain, rel=1e-3)
    config = TrainingConfig(class_weights="none")
    assert float(TASK.loss(config, LABELS)(LOGITS, LABELS)) == plain


def test_the_loss_of_parts_by_their_weights_is_that_of_the_whole():
    for scheme in ("balanced", "none"):
        loss = TASK.loss(TrainingConfig(class_weights=scheme), LABELS)
        parts = [
            loss(logits, labels) * loss.total_weight(labels)
            for logits, labels in zip(LOGITS.split(3), LABELS.split(3), strict=True)
        ]
        whole = loss(LOGITS, LABELS) * loss.total_weight(LABELS)
        assert float(sum(parts)) == pytest.approx(float(whole))


def test_a_split_has_all_figures_that_results_name():
    probabilities = TASK.probabilities(LOGITS.double())
    figures = TASK.split_figures(probabilities, LABELS)
    figures |= TASK.threshold_figures(probabilities, LABELS, TASK.thresholds(probabilities, LABELS))
    assert set(figures) == set(TASK.RESULT_FIGURES)
    assert figures["recall"] == {"gull": 1, "seal": 0.5, "whale": 0}
    plain = TASK.epoch_figures(LOGITS, LABELS)
    assert figures["loss"] == pytest.approx(plain["loss"])
    assert (figures["acc"], figures["f1"]) == (plain["accuracy"], plain["f1"])
    assert np.array_equal(TASK.confusion(probabilities, LABELS), TASK.confusion(LOGITS, LABELS))


def test_columns_of_classes_are_their_names_unless_other_columns_have_them():
    assert Multiclass(["fox", "deer"]).columns == ["fox", "deer"]
    names = ["error", "frame", "label", "p_label", "prediction", "split", "time", "video"]
    task = Multiclass(names)
    assert len({*task.columns, *COLUMNS}) == len(names) + len(COLUMNS)
    assert task.columns[names.index("p_label")] == "p_label"
    assert task.column("video") == "p_video" and task.column("label") == "p_p_label"


def test_tables_of_videos_hold_classes_of_any_name():
    task = Multiclass(["frame", "label", "time", "video"])
    frames = pd.DataFrame(np.eye(4)[[1, 1, 3]], columns=task.columns).assign(
        prediction=["label", "label", "video"],
        video=["a", "a", "b"],
        frame=[0, 1, 0],
        time=[0.0, 0.5, 0.0],
    )
    table = video_table(frames, task)
    assert table["video"].tolist() == ["a", "b"] and table["prediction"].tolist() == [
        "label",
        "video",
    ]
    assert table["p_label"].tolist() == [1, 0] and table["frames"].tolist() == [2, 1]


def test_no_other_module_decides():
    """The task, with its losses and calibration, turns logits into probabilities and decisions."""
    deciding = {"softmax", "log_softmax", "argmax", "cross_entropy", "CrossEntropyLoss"}
    deciding |= {"sigmoid", "logit", "binary_cross_entropy_with_logits"}
    root = Path(tuner.__file__).parent
    found = set()
    for path in root.rglob("*.py"):
        tokens = tokenize.generate_tokens(io.StringIO(path.read_text()).readline)
        if any(token.type == tokenize.NAME and token.string in deciding for token in tokens):
            found.add(str(path.relative_to(root)))
    names = ("task", "losses", "calibration", "tasks/binary", "tasks/multilabel")
    assert found == {f"training/{name}.py" for name in names}
