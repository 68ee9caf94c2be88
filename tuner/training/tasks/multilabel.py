"""What a model learns to tell of clips that show several classes at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor

from data.labels.sets import joined, parts
from tuner.config.parameters import TrainingConfig
from tuner.objective import METRICS
from tuner.training.calibration import at_temperature, calibration_error, fit_temperature
from tuner.training.losses import balanced_order
from tuner.training.tasks import binary
from tuner.training.tasks.columns import class_columns


class Multilabel:
    """Each clip shows any number of classes. Its label is yes or no for each, float32 ``[C]``.

    It has the methods of `Multiclass`. A set of classes is written as one text, such as ``dive+feed``;
    the empty set, which is decided where no class is probable enough, is the empty text.

    Args:
        classes: their names, C of them; their order is that of logits and probabilities.
        thresholds: from which probability on a class is decided to be shown, by class; None: a half.

    Attributes:
        columns: as of `Multiclass`.
    """

    name = "multilabel"
    redecides = True  # what is decided depends on the temperature
    # The names of `split_figures` and `threshold_figures`.
    RESULT_FIGURES = (
        *("acc", "loss", "f1", "f1_by_class", "recall", "balanced_accuracy", "average_precision"),
        *("average_precision_by_class", "calibration_error"),
        *("precision_at_threshold", "recall_at_threshold"),
    )

    def __init__(
        self, classes: Sequence[str], thresholds: Mapping[str, float] | None = None
    ) -> None:
        self.classes = list(classes)
        self.columns = class_columns(self.classes)
        self._numbers = {name: number for number, name in enumerate(self.classes)}
        chosen = [0.5 if thresholds is None else thresholds[name] for name in self.classes]
        self._thresholds = torch.tensor(chosen, dtype=torch.float64)

    # Labels

    def column(self, name: str) -> str:
        """The column of a class's probabilities."""
        return self.columns[self._numbers[name]]

    def encode(self, names: pd.Series) -> Tensor:
        """The labels ``[N, C]`` of rows of the label table, each of them the name of a set."""
        codes, sets = pd.factorize(names.astype(str))
        of = np.zeros((len(sets), len(self.classes)), np.float32)
        for row, name in enumerate(sets):
            of[row, [self._numbers[part] for part in (parts(name) if name else [])]] = 1
        return torch.from_numpy(of[codes])

    def noise(self, count: int) -> Tensor:
        """Labels ``[N, C]`` that mean nothing: each class in turn."""
        return F.one_hot(torch.arange(count) % len(self.classes), len(self.classes)).float()

    def balanced_order(self, labels: Tensor) -> Tensor:
        """An epoch's clips drawn so that all classes come equally often: positions, int64 ``[N]``.

        A class is drawn, then a clip that shows it; what else that clip shows comes along.
        """
        rows, numbers = labels.nonzero(as_tuple=True)
        return rows[balanced_order(numbers)[: len(labels)]]

    # Loss

    def loss(self, config: TrainingConfig, labels: Tensor) -> binary.BinaryLoss:
        """What a training minimises.

        Args:
            labels: of all clips to learn from, ``[N, C]``; class weights follow from their counts.
        """
        return binary.BinaryLoss(
            binary.positive_weights(labels, config.class_weights),
            gamma=config.focal_gamma if config.loss == "focal" else 0.0,
            label_smoothing=config.label_smoothing,
        )

    # Decision

    def probabilities(self, logits: Tensor) -> Tensor:
        """The probability that each class is shown, ``[N, C]``."""
        return logits.sigmoid()

    def logits(self, probabilities: Tensor) -> Tensor:
        """The reverse of `probabilities`; no value is infinite."""
        return probabilities.logit(eps=torch.finfo(probabilities.dtype).eps)

    def temperature(self, probabilities: Tensor, labels: Tensor) -> float:
        """As `fit_temperature`, of all answers of yes or no together."""
        pairs = binary.as_pairs(probabilities)
        return fit_temperature(pairs, labels.to(pairs.device).flatten().long())

    def at_temperature(self, probabilities: Tensor, temperature: float) -> Tensor:
        """Probabilities float64 ``[N, C]`` at a temperature: above 1 nearer to a half."""
        changed = at_temperature(binary.as_pairs(probabilities), temperature)
        return changed[:, 1].reshape(probabilities.shape)

    def calibration(self, probabilities: Tensor, labels: Tensor) -> dict[str, Any]:
        """What a model keeps to decide by: its temperature, and the thresholds at that."""
        temperature = self.temperature(probabilities, labels)
        chosen = self.thresholds(self.at_temperature(probabilities, temperature), labels)
        return {"temperature": temperature, "thresholds": chosen}

    def deciding_at(self, thresholds: Mapping[str, float] | None) -> Multilabel:
        """The same task, with these thresholds."""
        return Multilabel(self.classes, thresholds)

    def decide(self, probabilities: Tensor) -> Tensor:
        """Which classes are shown, bool ``[N, C]``."""
        return probabilities.double() >= self._thresholds.to(probabilities.device)

    def decode(self, decided: Tensor) -> np.ndarray:
        """The names ``[N]`` of what `decide` gives, as labels are written in tables."""
        if not len(decided):
            return np.array([], str)
        sets, place = np.unique(decided.numpy(), axis=0, return_inverse=True)
        names = [joined(np.array(self.classes)[row]) for row in sets]
        return np.array(names)[place.reshape(-1)]

    def count_right(self, logits: Tensor, labels: Tensor) -> Tensor:
        """How many clips have all classes right at a half, a scalar on the device of `logits`."""
        return ((logits >= 0) == (labels > 0.5)).all(dim=1).sum()

    def upset(self, probabilities: Tensor) -> Tensor:
        """Probabilities that are wrong where these are right."""
        return 1 - probabilities

    def shown(self, frames: pd.DataFrame, prediction: str) -> pd.Series:
        """Which frames show any class of a prediction by themselves."""
        wanted = set(parts(prediction)) if prediction else set()
        return frames["prediction"].map(lambda name: bool(name and wanted & {*parts(name)}))

    def strength(self, frames: pd.DataFrame, prediction: str) -> pd.Series:
        """How much frames show of a prediction, or of anything if it is empty."""
        columns = [self.column(name) for name in parts(prediction)] if prediction else self.columns
        return frames[columns].max(axis=1)

    # Figures

    def confusion(self, probabilities: Tensor, labels: Tensor) -> np.ndarray:
        """Counts ``[C, 2, 2]`` of each class: rows true (no, yes), columns decided."""
        return self._counts(self.decide(probabilities), labels)[:-1].astype(int)

    def epoch_confusion(self, logits: Tensor, labels: Tensor) -> np.ndarray:
        """`confusion` at the thresholds that fit these labels best."""
        return self._at_best(logits, labels).confusion(self.probabilities(logits.double()), labels)

    def epoch_figures(self, logits: Tensor, labels: Tensor) -> dict[str, float]:
        """What an epoch reports of the valid split: all of `METRICS`, without the ``valid_``.

        Classes are decided at the thresholds that fit these labels best, as they will be kept with the
        model: a half would compare how trials are calibrated, which class weights change.

        Args:
            logits, labels: ``[N, C]``.
        """
        decided = self._at_best(logits, labels).decide(self.probabilities(logits.double()))
        figures = {
            # Plain, whatever is minimised: it compares trials with different losses and weights.
            "loss": float(F.binary_cross_entropy_with_logits(logits, labels.to(logits.dtype))),
            **binary.scores(self._counts(decided, labels)),
        }
        return {name: value for name, value in figures.items() if f"valid_{name}" in METRICS}

    def without_looking(self, train: Tensor, valid: Tensor) -> tuple[str, dict[str, float]]:
        """What always giving the classes' shares in train comes to: all are named.

        Args:
            train, valid: the labels of the two splits, ``[N, C]`` and ``[M, C]``.
        """
        shares = (train.double().sum(dim=0) + 0.5) / (len(train) + 1)
        logits = self.logits(shares).expand(len(valid), -1)
        return f"all {len(self.classes)} classes", self.epoch_figures(logits, valid)

    def tally(self, rows: pd.DataFrame, group: np.ndarray) -> np.ndarray:
        """What `scores` takes, ``[G, C + 1, 2, 2]``, of each group of rows.

        Args:
            rows: ``label, prediction``.
            group: of each row, int ``[N]`` from 0 on.
        """
        true, decided = (self.encode(rows[name]).numpy() > 0 for name in ("label", "prediction"))
        return binary.counts(decided, true, group, int(group.max()) + 1)

    def scores(self, tallied: np.ndarray) -> dict[str, float]:
        """Accuracy, F1 and balanced accuracy of one group, as of `binary.scores`."""
        return binary.scores(tallied)

    def calibration_error(self, probabilities: Tensor, labels: Tensor) -> float:
        """As of `calibration.calibration_error`, of all answers of yes or no."""
        return calibration_error(binary.as_pairs(probabilities), labels.flatten().long())

    def split_figures(self, probabilities: Tensor, labels: Tensor) -> dict[str, Any]:
        """What ``results.json`` holds of a split; as of `Multiclass`, with ``f1_by_class``.

        ``acc`` is the share of rows all of whose classes are right, ``loss`` the binary cross-entropy,
        ``recall`` by class the share of the rows that show it and are decided to.

        Args:
            probabilities: ``[N, C]``, N at least 1.
            labels: ``[N, C]``.
        """
        counted = self._counts(self.decide(probabilities), labels)
        score, each = binary.scores(counted), counted[:-1, 1]
        areas = binary.average_precision(probabilities, labels)
        return {
            "acc": score["accuracy"],
            "loss": float(F.binary_cross_entropy(probabilities, labels.to(probabilities.dtype))),
            "f1": score["f1"],
            "f1_by_class": self._by_class(binary.f1_by_class(counted)),
            "recall": {
                name: float(found / (missed + found))
                for name, (missed, found) in zip(self.classes, each, strict=True)
                if missed + found
            },
            "balanced_accuracy": score["balanced_accuracy"],
            "average_precision": sum(areas.values()) / len(areas) if areas else None,
            "average_precision_by_class": {
                name: areas.get(number) for number, name in enumerate(self.classes)
            },
            "calibration_error": self.calibration_error(probabilities, labels),
        }

    def thresholds(self, probabilities: Tensor, labels: Tensor) -> dict[str, float]:
        """Each class's threshold of probability with the best F1."""
        return self._by_class(binary.thresholds(probabilities, labels))

    def threshold_figures(
        self, probabilities: Tensor, labels: Tensor, chosen: Mapping[str, float]
    ) -> dict[str, Any]:
        """``precision_at_threshold, recall_at_threshold`` by class, None where not defined."""
        counted = self._counts(self.deciding_at(chosen).decide(probabilities), labels)[:-1]
        precision = [_share(found, false) for (_, false), (_, found) in counted.tolist()]
        recall = [_share(found, missed) for _, (missed, found) in counted.tolist()]
        return {
            "precision_at_threshold": self._by_class(precision),
            "recall_at_threshold": self._by_class(recall),
        }

    def _at_best(self, logits: Tensor, labels: Tensor) -> Multilabel:
        return self.deciding_at(self.thresholds(self.probabilities(logits.double()), labels))

    def _counts(self, decided: Tensor, labels: Tensor) -> np.ndarray:
        group = np.zeros(len(labels), np.int64)
        return binary.counts(decided.cpu().numpy(), labels.cpu().numpy() > 0.5, group, 1)[0]

    def _by_class(self, values: Sequence[Any]) -> dict[str, Any]:
        return dict(zip(self.classes, values, strict=True))


def _share(found: float, others: float) -> float | None:
    return found / (found + others) if found + others else None
