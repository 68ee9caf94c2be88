"""What the folds of a trial have come to, and the clips that they learn from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor

from data import Dataset
from tuner.config.sections import DataConfig
from tuner.objective import METRICS, Objective
from tuner.training.clips.source import ClipSource, Held
from tuner.training.run import Run
from tuner.training.state import moved
from tuner.training.task import Task


class FoldSources(NamedTuple):
    """The clips of each fold, and all of them to train on; they share what they hold of features."""

    each: list[ClipSource]
    together: ClipSource

    @classmethod
    def of(cls, dataset: Dataset, config: DataConfig, folds: Mapping[str, int]) -> FoldSources:
        """Those of a data set.

        Args:
            folds: video to the number of the fold that it validates, from 1; not of test videos.
        """
        held = Held()

        def source(valid: int | None) -> ClipSource:
            splits = {v: "valid" if fold == valid else "train" for v, fold in folds.items()}
            return ClipSource(dataset.with_splits(splits), config, held)

        numbers = range(1, max(folds.values()) + 1)
        return cls([source(number) for number in numbers], source(None))


@dataclass
class FoldedTraining:
    """What the folds of a trial have come to so far.

    Attributes:
        history: an entry a fold, as `Training.step` gives it: ``epoch`` is the number of the fold, the
            figures are those of all folds so far, and ``fold/valid_f1``... are those of the fold alone.
        ended: of each fold that has ended, ``history`` and ``best_epoch``.
        valid: of each fold, logits ``[M, C]`` and labels ``[M]`` of the videos that it validates.
        facts: what `Run.summary` says and is the same for all folds.
        refit: epochs of the training on all videos, or why it has not come to its end; None: it was not
            begun.
    """

    objective: Objective
    task: Task
    folds: int
    history: list[dict[str, Any]] = field(default_factory=list)
    ended: list[dict[str, Any]] = field(default_factory=list)
    valid: list[tuple[Tensor, Tensor]] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    refit: int | str | None = None

    @property
    def epoch(self) -> int:
        """Folds done."""
        return len(self.history)

    @property
    def best(self) -> dict[str, Any]:
        """The figures over all folds so far."""
        return self.history[-1]

    @property
    def finished(self) -> bool:
        return self.epoch == self.folds

    def together(self) -> tuple[Tensor, Tensor]:
        """Logits ``[N, C]`` and labels ``[N]`` of all folds so far."""
        logits, labels = zip(*self.valid, strict=True)
        return torch.cat(logits), torch.cat(labels)

    def calibration(self) -> dict[str, Any]:
        """Of all folds so far; as of the task's."""
        logits, labels = self.together()
        return self.task.calibration(self.task.probabilities(logits.double()), labels)

    def end(self, run: Run) -> dict[str, Any]:
        """Count a fold whose training has ended; returns its entry of `history`."""
        training, facts = run.training, run.summary()
        self.valid.append(training.valid_at_best())
        self.ended.append({"history": training.history, "best_epoch": training.best_epoch})
        names = ("model_param_count", "num_features", "precision")
        self.facts = {name: facts[name] for name in names} | {
            "batch_halved": facts["batch_halved"] or self.facts.get("batch_halved", False)
        }
        best = [fold["history"][fold["best_epoch"] - 1] for fold in self.ended]
        seconds = facts["seconds"]
        waited = sum(entry["data_wait"] * entry["seconds"] for entry in training.history)
        means = {
            name: sum(entry[name] for entry in best) / len(best)
            for name in ("train_loss", "train_accuracy")
        }
        figures = self.task.epoch_figures(*self.together())
        self.history.append(
            {
                "epoch": len(self.ended),
                "round": 1,
                **means,
                **{f"valid_{name}": value for name, value in figures.items()},
                **{f"fold/{name}": training.best[name] for name in METRICS},
                "seconds": seconds,
                "data_wait": waited / max(seconds, 1e-9),
            }
        )
        return self.best

    def state_dict(self) -> dict[str, Any]:
        """All that `load_state_dict` needs."""
        names = ("history", "ended", "valid", "facts", "folds", "refit")
        return {name: getattr(self, name) for name in names}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state_dict` of a trial with the same parameters and folds.

        What the folds say of their videos is on the CPU, as `Training.valid_at_best` gives it.
        """
        for name, value in moved(state, torch.device("cpu")).items():
            setattr(self, name, value)
