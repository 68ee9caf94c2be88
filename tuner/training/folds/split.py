"""A training on the train split, and once more on the train and valid splits together."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import models
from data import Dataset
from tuner.config.sections import DataConfig
from tuner.objective import Objective
from tuner.training.clips.source import ClipSource, Held
from tuner.training.folds.refit import Plan
from tuner.training.folds.run import REFIT, SEEDS_APART, part_folder, remove_parts, train_out
from tuner.training.run import BEST, Run


class SplitSources(NamedTuple):
    """The clips of the splits, and those of train and valid to train on; they share what they hold."""

    split: ClipSource
    together: ClipSource

    @classmethod
    def of(cls, dataset: Dataset, config: DataConfig) -> SplitSources:
        """Those of a data set."""
        table, held = dataset.table, Held()
        valid = table.loc[table["split"] == "valid", "video"].unique()
        together = dataset.with_splits(dict.fromkeys(valid, "train"))
        return cls(ClipSource(dataset, config, held), ClipSource(together, config, held))


@dataclass
class RefitRun(Run):
    """A `Run` that `complete` ends with a training on train and valid.

    The valid split chooses among trials and says for how long to train; the model that answers for new
    videos need not do without it. It is trained in ``refit``, and joins the one that was validated in
    ``best.pt``, a `models.Mixture`. If it breaks off, the one that was validated answers.

    Args:
        together: as `source`, with the valid split in train.
        folder, ...: as of `Run`.
    """

    together: ClipSource = field(kw_only=True)
    refit: int | str | None = field(default=None, init=False)  # its epochs, or why it broke off

    def complete(self) -> None:
        """Train on all, once this training is finished; it goes on from a checkpoint of its own."""
        best = models.load(self.folder / BEST)
        if isinstance(best, models.Mixture):  # the worker that had joined them was lost since then
            self.refit = best.extra["refit_epochs"]
        else:
            self._train_on_all(best)
        if self.storage:
            remove_parts(self.storage, self.folder, REFIT)

    def _train_on_all(self, validated: models.VideoClassifier) -> None:
        run = Run(
            folder=part_folder(self.folder, REFIT),
            config=self.config,
            training_config=self.training_config,
            source=self.together,
            metric=self.metric,
            seed=self.seed + SEEDS_APART,
            params=None,
            storage=self.storage,
            deadline=self.deadline,
            events=None if self.events is None else part_folder(self.events, REFIT),
            plan=self._plan(),
        )
        self.refit = train_out(run)
        run.close()
        self.checkpoint_seconds += run.checkpoint_seconds
        if isinstance(self.refit, int):
            both = models.Mixture([validated], models.load(run.folder / BEST))
            extra = validated.extra | {"refit_epochs": self.refit}
            models.save(both, self.folder / BEST, extra=extra)
            self._send()

    def _plan(self) -> Plan:
        """As long as was best; a cosine is gone down to its end.

        Half way down its rate is still high, and which epoch is best there is luck. On real seals, the
        log loss on test was .100 at the epoch that was best on valid, the 8th, and .077 at the 12th.
        """
        plan = Plan.of([self.training.history], Objective(self.metric))
        if self.training_config.schedule != "cosine":
            return plan
        return replace(plan, rounds=(self.training_config.epochs,))

    def summary(self) -> dict[str, Any]:
        """As of `Run.summary`, and ``refit``: epochs on train and valid, or why they broke off."""
        return super().summary() | {"refit": self.refit}
