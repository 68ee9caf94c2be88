"""Models that predict together: which, with which weights, and at which temperature."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

import models
from data import Dataset
from data.console import Output
from models import VideoClassifier
from tuner.analysis.evaluation import Trained, labelled
from tuner.analysis.folds import (
    answers_held_out,
    as_one_fold,
    folds_done,
    held_out,
    predict_held_out,
)
from tuner.analysis.selection import as_good, figures, greedy
from tuner.config.sections import DataConfig
from tuner.objective import Objective
from tuner.training.clips.extractor import steps
from tuner.training.task import Task, task_of

Size = int | Literal["auto"]


@dataclass(frozen=True)
class Ensemble:
    """Models that predict together, by the weighted mean of their probabilities.

    Attributes:
        members: each of them once, the best first.
        weights: of each in the mean.
        temperature: that the mean is brought to; None: not known yet, or that of the only model.
        thresholds: as `temperature`: from which probability on a class is decided to be shown, where
            several may be.
        value: the selection metric of all together on the valid split.
        alone: the same of the best candidate by itself.
        dataset: that it was chosen on, if it was chosen just now.
    """

    members: Sequence[Trained]
    weights: Sequence[int]
    temperature: float | None = None
    value: float | None = None
    alone: float | None = None
    dataset: Dataset | None = field(default=None, repr=False)
    thresholds: Mapping[str, float] | None = None

    @classmethod
    def of(cls, models: Sequence[Trained]) -> Ensemble:
        """These models with equal weights."""
        return cls(list(models), [1] * len(models))

    @property
    def name(self) -> str:
        """``3 (x2), 7, 12``."""
        pairs = zip(self.members, self.weights, strict=True)
        return ", ".join(
            f"{member.model_id} (x{weight})" if weight > 1 else str(member.model_id)
            for member, weight in pairs
        )

    def note(self) -> dict[str, Any]:
        """What `noted` takes."""
        return {
            "models": [member.model_id for member in self.members],
            "weights": list(self.weights),
            "temperature": self.temperature,
            "value": self.value,
            "alone": self.alone,
            "thresholds": self.thresholds,
        }


def noted(note: Mapping[str, Any], candidates: Sequence[Trained]) -> Ensemble:
    """What `select` chose of these candidates, from its note."""
    by_number = {model.model_id: model for model in candidates}
    members = [by_number[number] for number in note["models"]]
    return Ensemble(
        members,
        note["weights"],
        note["temperature"],
        note["value"],
        note["alone"],
        thresholds=note.get("thresholds"),  # an earlier version knew of none
    )


def select(
    candidates: Sequence[Trained],
    dataset: Dataset,
    config: DataConfig,
    objective: Objective,
    *,
    folds: Mapping[str, int] | None = None,
    auto: bool,
    output: Output,
) -> Ensemble:
    """Models that predict together, by their probabilities of the valid split; no other is read.

    Args:
        candidates: with their weights, the best first.
        config: how frames are read.
        objective: says what is better.
        folds: as of `evaluate`.
        auto: take those that are `as_good` as the best, and add as `greedy` does; otherwise all are
            taken, with equal weights. Those of fewer folds than the best are not chosen. Where splits
            go by site or the like, models of motion alone are preferred.
    """
    networks = [model.load() for model in candidates]
    if auto:
        most = folds_done(networks[:1])
        able = [number for number, one in enumerate(networks) if folds_done([one]) >= most]
        candidates, networks = [candidates[n] for n in able], [networks[n] for n in able]
    task = _task(networks)
    probabilities, labels, of = _valid(networks, dataset, config, folds or {}, output)
    alone = [figures(task, own, labels) for own in probabilities]
    numbers = list(range(len(candidates)))
    if auto:
        blind = _blind_to_places(networks) if dataset.by != "video" else []
        start = as_good(probabilities, labels, of, task, objective, preferred=blind)
        pool = blind if set(start) <= set(blind) else numbers
        begun = [pool.index(number) for number in start]
        added = greedy(probabilities[pool], labels, task, objective, start=begun)
        numbers = [pool[number] for number in added]
    mean = probabilities[numbers].mean(dim=0)
    once = list(dict.fromkeys(numbers))
    kept = task.calibration(mean, labels) if len(once) > 1 else {}
    return Ensemble(
        members=[candidates[number] for number in once],
        weights=[numbers.count(number) for number in once],
        temperature=kept.get("temperature"),
        thresholds=kept.get("thresholds"),
        value=objective.value(figures(task, mean, labels)),
        alone=objective.value(alone[objective.best(alone)]),
        dataset=dataset,
    )


def _task(networks: Sequence[VideoClassifier]) -> Task:
    return task_of(networks[0].config.task, networks[0].classes)


def _blind_to_places(networks: Sequence[VideoClassifier]) -> list[int]:
    """The numbers of the models that see motion alone: they can't know a place by its looks.

    What the places that validate look like says little of the next one, and they are few.
    """
    return [n for n, one in enumerate(networks) if "frames" not in models.streams(one.config)]


def _valid(
    networks: Sequence[VideoClassifier],
    dataset: Dataset,
    config: DataConfig,
    folds: Mapping[str, int],
    output: Output,
) -> tuple[Tensor, Tensor, list[str]]:
    """Probabilities ``[K, N, C]`` of the unit's labelled rows, and their labels and videos ``[N]``."""
    task = _task(networks)
    folds = as_one_fold(networks, dataset, folds)
    dataset = held_out(networks, dataset, folds)
    labelled_rows = dataset.table[dataset.table["split"] == "valid"]
    videos = [dataset.videos[name] for name in labelled_rows["video"].unique()]
    with output.bar("predicting the validation videos", steps(networks, videos)) as advance:
        if dataset.unit == "video":
            rows, said = labelled_rows, answers_held_out(networks, videos, config, folds, advance)
        else:
            each = []
            for network in networks:
                found = predict_held_out([network], videos, config, folds, on_frames=advance)
                rows = labelled(found, dataset)["frame"].dropna(subset=["label"])
                each.append(rows[task.columns].to_numpy(float))
                network.cpu()  # many do not fit a GPU together
            said = np.stack(each)
    return torch.tensor(said), task.encode(rows["label"]), rows["video"].tolist()
