"""What a model learns to tell: labels, loss, decision and figures of one class of several.

Other modules ask the task what a label or a logit means. Clips that show several classes at once are
another task, with the methods of this one: `tuner.training.tasks.multilabel`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor

from data.labels.sets import TaskName
from tuner.config.parameters import TrainingConfig
from tuner.objective import METRICS
from tuner.training.calibration import at_temperature, calibration_error, fit_temperature
from tuner.training.losses import Loss, balanced_order, class_weights, make_loss
from tuner.training.metrics import (
    at_thresholds,
    average_precision,
    confusion,
    recall_by_class,
    scores,
    thresholds,
)
from tuner.training.tasks.columns import class_columns
from tuner.training.tasks.multilabel import Multilabel


class Multiclass:
    """Each clip is of one class of several. Its label is the class's number, int64.

    Args:
        classes: their names, C of them; their order is that of logits and probabilities.

    Attributes:
        columns: the columns of their probabilities in tables of predictions: the classes' names, but
            for those that other columns have, such as ``label``, which is ``p_label``.
    """

    name = "multiclass"
    redecides = False  # what is decided depends on the temperature
    # The names of `split_figures` and `threshold_figures`.
    RESULT_FIGURES = (
        *("acc", "loss", "f1", "recall", "balanced_accuracy", "average_precision"),
        *("average_precision_by_class", "calibration_error"),
        *("precision_at_threshold", "recall_at_threshold"),
    )

    def __init__(self, classes: Sequence[str]) -> None:
        self.classes = list(classes)
        self._numbers = {name: number for number, name in enumerate(self.classes)}
        self.columns = class_columns(self.classes)

    # Labels

    def column(self, name: str) -> str:
        """The column of a class's probabilities."""
        return self.columns[self._numbers[name]]

    def encode(self, names: pd.Series) -> Tensor:
        """The labels ``[N]`` of rows of the label table, each of them the name of a class."""
        return torch.from_numpy(names.map(self._numbers).to_numpy(np.int64, copy=True))

    def noise(self, count: int) -> Tensor:
        """Labels ``[N]`` that mean nothing: each class in turn."""
        return torch.arange(count) % len(self.classes)

    def balanced_order(self, labels: Tensor) -> Tensor:
        """An epoch's clips drawn so that all classes come equally often: positions, int64 ``[N]``."""
        return balanced_order(labels)

    # Loss

    def loss(self, config: TrainingConfig, labels: Tensor) -> Loss:
        """What a training minimises.

        Args:
            labels: of all clips to learn from, ``[N]``; class weights follow from their counts.
        """
        return make_loss(
            config.loss,
            weights=class_weights(labels, len(self.classes), config.class_weights),
            label_smoothing=config.label_smoothing,
            focal_gamma=config.focal_gamma,
        )

    # Decision

    def probabilities(self, logits: Tensor) -> Tensor:
        """The probabilities of the classes ``[N, C]``; each row adds up to 1."""
        return logits.softmax(dim=1)

    def logits(self, probabilities: Tensor) -> Tensor:
        """The reverse of `probabilities`, but for a constant; no value is infinite."""
        return probabilities.clamp(min=torch.finfo(probabilities.dtype).tiny).log()

    def temperature(self, probabilities: Tensor, labels: Tensor) -> float:
        """As `fit_temperature`, of probabilities ``[N, C]``."""
        return fit_temperature(probabilities, labels)

    def at_temperature(self, probabilities: Tensor, temperature: float) -> Tensor:
        """As of `calibration.at_temperature`: float64 ``[N, C]``, and the same decisions."""
        return at_temperature(probabilities, temperature)

    def calibration(self, probabilities: Tensor, labels: Tensor) -> dict[str, Any]:
        """What a model keeps to decide by: its temperature."""
        return {"temperature": self.temperature(probabilities, labels)}

    def deciding_at(self, thresholds: Mapping[str, float] | None) -> Multiclass:
        """The task itself: the most probable class is decided, whatever the thresholds."""
        return self

    def decide(self, probabilities: Tensor) -> Tensor:
        """The most probable class, int64 ``[N]``, of probabilities or logits ``[N, C]``."""
        return probabilities.argmax(dim=1)

    def decode(self, decided: Tensor) -> np.ndarray:
        """The names ``[N]`` of what `decide` gives, as labels are written in tables."""
        return np.array(self.classes)[decided.numpy()]

    def count_right(self, logits: Tensor, labels: Tensor) -> Tensor:
        """How many clips are decided right, a scalar on the device of `logits`."""
        return (self.decide(logits) == labels).sum()

    def upset(self, probabilities: Tensor) -> Tensor:
        """Probabilities that are wrong where these are right."""
        return probabilities.roll(1, dims=1)

    def shown(self, frames: pd.DataFrame, prediction: str) -> pd.Series:
        """Which frames show a predicted class by themselves."""
        return frames["prediction"] == prediction

    def strength(self, frames: pd.DataFrame, prediction: str) -> pd.Series:
        """How much frames show of a predicted class."""
        return frames[self.column(prediction)]

    # Figures

    def confusion(self, probabilities: Tensor, labels: Tensor) -> np.ndarray:
        """Counts ``[C, C]`` of probabilities or logits ``[N, C]``: rows true, columns predicted."""
        return confusion(self.decide(probabilities), labels, len(self.classes))

    def epoch_confusion(self, logits: Tensor, labels: Tensor) -> np.ndarray:
        """`confusion` of the valid split after an epoch."""
        return self.confusion(logits, labels)

    def epoch_figures(self, logits: Tensor, labels: Tensor) -> dict[str, float]:
        """What an epoch reports of the valid split: all of `METRICS`, without the ``valid_``.

        Args:
            logits: ``[N, C]``.
            labels: ``[N]``.
        """
        figures = {
            # Plain, whatever is minimised: it compares trials with different losses and weights.
            "loss": float(F.cross_entropy(logits, labels)),
            **scores(self.confusion(logits, labels)),
        }
        return {name: value for name, value in figures.items() if f"valid_{name}" in METRICS}

    def without_looking(self, train: Tensor, valid: Tensor) -> tuple[str, dict[str, float]]:
        """The commonest class of the train split, and the figures of always naming it.

        Its probabilities are the shares of the classes.

        Args:
            train, valid: the labels of the two splits, ``[N]`` and ``[M]``.
        """
        counts = torch.bincount(train, minlength=len(self.classes)).double()
        logits = counts.clamp(min=0.5).log().expand(len(valid), -1)
        name = self.classes[int(self.decide(logits[:1]))]
        return name, self.epoch_figures(logits, valid)

    def tally(self, rows: pd.DataFrame, group: np.ndarray) -> np.ndarray:
        """A confusion matrix of each group of rows, ``[G, C, C]``, which `scores` takes.

        Args:
            rows: ``label, prediction``.
            group: of each row, int ``[N]`` from 0 on.
        """
        size = len(self.classes)
        each = np.zeros((int(group.max()) + 1, size, size))
        places = (rows[name].map(self._numbers) for name in ("label", "prediction"))
        np.add.at(each, (group, *places), 1)
        return each

    def scores(self, tallied: np.ndarray) -> dict[str, float]:
        """Accuracy, F1 and balanced accuracy of one group, as of `metrics.scores`."""
        return scores(tallied)

    def calibration_error(self, probabilities: Tensor, labels: Tensor) -> float:
        """As of `calibration.calibration_error`."""
        return calibration_error(probabilities, labels)

    def split_figures(self, probabilities: Tensor, labels: Tensor) -> dict[str, Any]:
        """What ``results.json`` holds of a split.

        ``acc, loss`` (cross-entropy), ``f1`` (macro), ``recall`` by class, ``balanced_accuracy``,
        ``average_precision`` (macro), ``average_precision_by_class`` and ``calibration_error``.
        `recall` leaves out the classes that do not occur; in the others, what is not defined is None.

        Args:
            probabilities: ``[N, C]``, N at least 1.
            labels: ``[N]``.
        """
        matrix = self.confusion(probabilities, labels)
        score = scores(matrix)
        areas = average_precision(probabilities, labels, len(self.classes))
        picked = probabilities[torch.arange(len(labels)), labels].clamp(min=1e-12)
        return {
            "acc": score["accuracy"],
            "loss": float(-picked.log().mean()),
            "f1": score["f1"],
            "recall": {self.classes[i]: value for i, value in recall_by_class(matrix).items()},
            "balanced_accuracy": score["balanced_accuracy"],
            "average_precision": sum(areas.values()) / len(areas),
            "average_precision_by_class": {
                name: areas.get(number) for number, name in enumerate(self.classes)
            },
            "calibration_error": self.calibration_error(probabilities, labels),
        }

    def thresholds(self, probabilities: Tensor, labels: Tensor) -> dict[str, float]:
        """Each class's threshold of probability with the best F1 against the rest."""
        return self._by_class(thresholds(probabilities, labels, len(self.classes)))

    def threshold_figures(
        self, probabilities: Tensor, labels: Tensor, chosen: Mapping[str, float]
    ) -> dict[str, Any]:
        """``precision_at_threshold, recall_at_threshold`` by class, None where not defined.

        Args:
            chosen: as `thresholds` gives them, perhaps from another split.
        """
        values = [chosen[name] for name in self.classes]
        precision, recall = at_thresholds(probabilities, labels, values)
        return {
            "precision_at_threshold": self._by_class(precision),
            "recall_at_threshold": self._by_class(recall),
        }

    def _by_class(self, values: Sequence[Any]) -> dict[str, Any]:
        return dict(zip(self.classes, values, strict=True))


Task = Multiclass | Multilabel  # the type that other modules name


def task_of(
    name: TaskName, classes: Sequence[str], thresholds: Mapping[str, float] | None = None
) -> Task:
    """The task of this name.

    Args:
        thresholds: from which probability on a class is decided to be shown, where several may be.
    """
    return Multiclass(classes) if name == "multiclass" else Multilabel(classes, thresholds)
