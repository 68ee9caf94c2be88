"""What the task of telling several classes at once decides, and what it tells of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.nn import functional as F

import models
from models import ModelConfig
from tuner.analysis.ensemble import Ensemble, noted
from tuner.analysis.intervals import intervals
from tuner.analysis.selection import as_good, greedy
from tuner.analysis.videos import video_table
from tuner.config.parameters import TrainingConfig
from tuner.objective import METRICS, Objective
from tuner.training.clips.batches import FeatureClips
from tuner.training.clips.source import fit_normalisation
from tuner.training.loop import Training
from tuner.training.pictures import ANSWERS, MOST, ConfusionPicture
from tuner.training.probe import STRENGTHS, ProbeTraining
from tuner.training.run import take_head
from tuner.training.task import Multiclass, task_of
from tuner.training.tasks.multilabel import Multilabel
from tuner.training.tensorboard import TrialWriter

CLASSES = ["call", "dive", "feed"]
TASK = Multilabel(CLASSES)


def example(seed: int = 0, rows: int = 200) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits and labels ``[N, C]``; the logits tell something of the labels, not at a half."""
    generator = torch.Generator().manual_seed(seed)
    labels = (torch.rand(rows, 3, generator=generator) < torch.tensor([0.5, 0.2, 0.1])).float()
    return 3 * labels - 3 + 1.5 * torch.randn(rows, 3, generator=generator), labels


def test_the_task_is_known_by_its_name() -> None:
    assert isinstance(task_of("multilabel", CLASSES), Multilabel)
    assert isinstance(task_of("multiclass", CLASSES), Multiclass)


def test_labels_are_yes_or_no_by_class_and_names_again() -> None:
    names = ["dive+feed", "call", "", "feed+dive"]
    labels = TASK.encode(pd.Series(names, index=[4, 2, 9, 0]))
    assert labels.tolist() == [[0, 1, 1], [1, 0, 0], [0, 0, 0], [0, 1, 1]]
    assert TASK.decode(labels > 0).tolist() == ["dive+feed", "call", "", "dive+feed"]
    assert TASK.encode(pd.Series(["call"]).astype("category")).tolist() == [[1, 0, 0]]
    assert TASK.decode(torch.zeros(0, 3) > 0).tolist() == []


def test_each_class_is_decided_at_its_own_threshold() -> None:
    probabilities = torch.tensor([[0.4, 0.4, 0.4]], dtype=torch.float64)
    at = TASK.deciding_at({"call": 0.4, "dive": 0.41, "feed": 0.1})
    assert at.decode(at.decide(probabilities)).tolist() == ["call+feed"]
    assert TASK.decode(TASK.decide(probabilities)).tolist() == [""]


def test_a_set_is_right_if_all_of_it_is() -> None:
    logits = torch.tensor([[1.0, -1.0, 1.0], [1.0, -1.0, 1.0]])
    assert TASK.count_right(logits, torch.tensor([[1.0, 0.0, 1.0], [1.0, 0.0, 0.0]])) == 1


def test_an_epoch_is_judged_at_the_best_thresholds_and_by_the_plain_loss() -> None:
    logits, labels = example()
    figures = TASK.epoch_figures(logits, labels)
    assert {f"valid_{name}" for name in figures} == set(METRICS)
    assert figures["loss"] == float(F.binary_cross_entropy_with_logits(logits, labels))
    probabilities = logits.double().sigmoid()
    best = TASK.deciding_at(TASK.thresholds(probabilities, labels))
    assert figures["f1"] == pytest.approx(best.split_figures(probabilities, labels)["f1"])
    assert figures["f1"] > TASK.split_figures(probabilities, labels)["f1"] + 0.05
    # A shift of all logits changes what is decided at a half, and nothing of how well they tell.
    assert TASK.epoch_figures(logits + 2, labels)["f1"] == pytest.approx(figures["f1"])


def test_a_split_has_all_figures_that_results_name() -> None:
    logits, labels = example()
    probabilities = TASK.probabilities(logits.double())
    figures = TASK.split_figures(probabilities, labels)
    chosen = TASK.thresholds(probabilities, labels)
    at = TASK.threshold_figures(probabilities, labels, chosen)
    assert set(figures | at) == set(TASK.RESULT_FIGURES)
    assert set(Multiclass.RESULT_FIGURES) < set(TASK.RESULT_FIGURES)
    taken = probabilities[:, 1] >= chosen["dive"]
    assert at["recall_at_threshold"]["dive"] == pytest.approx(
        float(taken[labels[:, 1] > 0].double().mean())
    )
    assert at["precision_at_threshold"]["dive"] == pytest.approx(
        float(labels[taken, 1].double().mean())
    )


def test_a_temperature_makes_answers_less_sure_and_keeps_their_order() -> None:
    generator = torch.Generator().manual_seed(0)
    true = 2 * torch.randn(3000, 3, generator=generator, dtype=torch.float64)
    labels = (torch.rand(3000, 3, generator=generator) < true.sigmoid()).float()
    sure = (3 * true).sigmoid()
    kept = TASK.calibration(sure, labels)
    assert kept["temperature"] == pytest.approx(3, rel=0.1)
    after = TASK.at_temperature(sure, kept["temperature"])
    assert TASK.calibration_error(after, labels) < 0.02 < TASK.calibration_error(sure, labels)
    # The thresholds are those of the probabilities that a user sees.
    assert kept["thresholds"] == TASK.thresholds(after, labels)
    assert torch.equal(after.argsort(dim=0), sure.argsort(dim=0))


def test_balanced_sampling_shows_each_class_as_often() -> None:
    _, labels = example(rows=4000)
    labels = labels[labels.sum(dim=1) > 0]
    torch.manual_seed(0)
    order = TASK.balanced_order(labels)
    assert len(order) == len(labels) and (labels[order].sum(dim=1) > 0).all()
    before, after = labels.mean(dim=0), labels[order].mean(dim=0)
    assert after[2] > 2 * before[2] and after.max() < 2 * after.min()


def test_not_looking_names_everything() -> None:
    labels = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    name, figures = TASK.without_looking(labels, labels)
    assert name == "all 3 classes" and figures["f1"] == pytest.approx(2 / 3)
    assert figures["accuracy"] == 0


def test_a_video_says_when_any_of_its_classes_is_seen() -> None:
    frames = pd.DataFrame(
        {
            "call": [0.9, 0.9, 0.1, 0.1],
            "dive": [0.1, 0.9, 0.9, 0.1],
            "feed": [0.1, 0.1, 0.1, 0.2],
            "prediction": ["call", "call+dive", "dive", ""],
            "video": "v",
            "frame": range(4),
            "time": [0.0, 1.0, 2.0, 3.0],
        }
    )
    row = video_table(frames, TASK.deciding_at({"call": 0.6, "dive": 0.5, "feed": 0.5})).iloc[0]
    assert (row["prediction"], row["first_second"], row["last_second"]) == ("dive", 1, 2)
    row = video_table(frames, TASK.deciding_at(dict.fromkeys(CLASSES, 0.95))).iloc[0]
    assert (row["prediction"], row["first_second"], row["last_second"]) == ("", 0, 0)


def test_intervals_are_about_the_figures() -> None:
    logits, labels = example()
    rows = pd.DataFrame(
        {
            "video": np.arange(200) // 20,
            "label": TASK.decode(labels > 0),
            "prediction": TASK.decode(TASK.decide(logits.sigmoid())),
        }
    )
    figures = TASK.split_figures(logits.double().sigmoid(), labels)
    for name, ends in intervals(rows, TASK).items():
        assert ends is not None and ends[0] < figures[name] < ends[1] < ends[0] + 0.3


# Models


def made_up(count: int, seed: int) -> FeatureClips:
    """Each class has features of its own, which say whether it is shown; others are chance."""
    generator = torch.Generator().manual_seed(seed)
    labels = (torch.rand(count, 3, generator=generator) < 0.4).float()
    features = torch.randn(count, 1280, generator=generator)
    for number in range(3):
        features[:, 200 * number : 200 * number + 200] += labels[:, number, None]
    return FeatureClips(features.half(), torch.arange(count)[:, None], labels)


@pytest.mark.parametrize("kind", [ProbeTraining, Training])
@pytest.mark.parametrize("settings", [{}, {"loss": "focal", "sampling": "balanced"}])
def test_models_learn_each_class_by_itself(kind: type[Training], settings: dict) -> None:
    name = "linear_probe" if kind is ProbeTraining else "image_mlp_frozen"
    config = ModelConfig(architecture=name, task="multilabel", layer_1_size=16)
    torch.manual_seed(0)
    model = models.build(config, CLASSES, with_backbone=False)
    train = made_up(300, 1)
    fit_normalisation(model, train)
    model.forget()
    training = TrainingConfig(epochs=12, rounds=1, learning_rate=3e-3, batch_size=32, **settings)
    run = kind(model, train, made_up(200, 2), config=training, task=TASK)
    while not run.finished:
        run.step()
    assert run.best["valid_f1"] > 0.95 and run.best["train_accuracy"] > 0.9
    assert np.array(run.best_confusion).shape == (3, 2, 2)
    kept = run.calibration()
    assert set(kept["thresholds"]) == set(CLASSES)


def test_a_probe_is_one_regression_for_each_class() -> None:
    config = ModelConfig(architecture="linear_probe", task="multilabel")
    model = models.build(config, CLASSES, with_backbone=False)
    train = made_up(150, 1)
    train.labels[:, 2] = 0  # nothing to learn from
    run = ProbeTraining(model, train, train, config=TrainingConfig(class_weights="none"), task=TASK)
    run.step()
    with torch.no_grad():
        rows = model.pooled(model.given(train.features[train.index])).numpy()
        logits = model.classify(model.given(train.features[train.index]))
    divisor = rows.std(axis=0)
    rows = (rows - rows.mean(axis=0)) / np.where(divisor > 0, divisor, 1)
    strength = run.best["strength"]
    assert strength in STRENGTHS
    for number in (0, 1):
        peer = LogisticRegression(C=strength, max_iter=2000).fit(rows, train.labels[:, number])
        expected = peer.predict_proba(rows)[:, 1]
        np.testing.assert_allclose(logits[:, number].sigmoid().numpy(), expected, atol=0.03)
    assert (logits[:, 2] < -20).all()


def test_a_mixture_answers_with_the_mean_of_yes_and_no() -> None:
    config = ModelConfig(architecture="image_mlp_frozen", task="multilabel", layer_1_size=4)
    parts = [models.build(config, CLASSES, with_backbone=False).eval() for _ in range(3)]
    features = torch.randn(5, 1, 1280)
    with torch.no_grad():
        each = torch.stack([part(features).sigmoid() for part in parts])
        together = models.Mixture(parts)(features).sigmoid()
    torch.testing.assert_close(together, each.mean(dim=0))


def test_models_of_several_kinds_of_mistakes_are_better_together() -> None:
    labels = made_up(300, 0).labels
    generator = torch.Generator().manual_seed(1)
    noise = torch.randn(3, 300, 3, generator=generator)
    probabilities = (2 * labels - 1 + 1.2 * noise).double().sigmoid()
    objective = Objective("valid_f1")
    chosen = greedy(probabilities, labels, TASK, objective)
    assert set(chosen) == {0, 1, 2}
    videos = [f"v{number // 30}" for number in range(300)]
    assert len(as_good(probabilities, labels, videos, TASK, objective)) == 3


def test_an_ensembles_thresholds_are_noted() -> None:
    thresholds = {"call": 0.3, "dive": 0.2, "feed": 0.5}
    ensemble = Ensemble([], [], 1.2, 0.9, 0.8, thresholds=thresholds)
    assert noted(ensemble.note(), []).thresholds == thresholds
    before = {name: value for name, value in ensemble.note().items() if name != "thresholds"}
    assert noted(before, []).thresholds is None


def test_a_head_of_another_task_is_not_taken_over(tmp_path: Path) -> None:
    parts = [
        models.build(
            ModelConfig(architecture="image_mlp_frozen", task=task), CLASSES, with_backbone=False
        )
        for task in ("multiclass", "multilabel")
    ]
    models.save(parts[0], tmp_path / "best.pt")
    with pytest.raises(ValueError, match="task multiclass, not multilabel"):
        take_head(parts[1], tmp_path / "best.pt")
    models.save(parts[1], tmp_path / "best.pt")
    take_head(parts[1], tmp_path / "best.pt")


# Pictures


def test_the_picture_says_how_often_each_class_was_found_missed_and_said_wrongly(
    tmp_path: Path,
) -> None:
    labels = torch.tensor([[1.0, 0, 0]] * 3 + [[0.0, 1, 0]] * 2)
    said = torch.tensor([[0.9, 0.1, 0.1]] * 2 + [[0.1, 0.9, 0.1]] * 3)
    matrix = TASK.confusion(said, labels)
    picture = ConfusionPicture(matrix, CLASSES, "model 1")
    assert [tick.get_text() for tick in picture.axes.get_xticklabels()] == list(ANSWERS)
    cells = np.array([text.get_text() for text in picture.axes.texts]).reshape(3, 4)
    assert cells.tolist() == [["2", "1", "0", "2"], ["2", "0", "1", "2"], ["0", "0", "0", "5"]]
    writer = TrialWriter(tmp_path, {"a": 1})
    writer.close(matrix.tolist(), CLASSES, 1)
    events = EventAccumulator(str(tmp_path)).Reload()
    assert events.Tags()["images"] == ["confusion_matrix/valid"]


def test_of_many_classes_those_with_most_errors_are_shown() -> None:
    matrix = np.zeros((MOST + 5, 2, 2), int)
    matrix[:, 0, 1] = np.arange(MOST + 5)
    picture = ConfusionPicture(matrix, [f"c{n}" for n in range(MOST + 5)], "model 1")
    assert picture.shown.tolist() == list(range(5, MOST + 5))
