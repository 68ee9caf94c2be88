"""What a study is about: the configuration of its trials, their kind, and what ranks them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Literal

import optuna

from tuner.config.load import Config, absolute, override, parse
from tuner.config.messages import ConfigError, StoreError
from tuner.objective import Objective
from tuner.study.store.database import folder_of
from tuner.study.store.places import PLACE, noted
from tuner.study.store.same import tree

# Trials that a sampler proposes for a configuration's space, or single trainings.
Kind = Literal["search", "train"]
_WORDS = {"search": "search", "train": "series of single trainings"}
TRAIN = "-train"  # ends the name of the study that has the single trainings


class About:
    """A study and its notes.

    Args:
        study: of `storage`.

    Attributes:
        given: keys of its configuration with other values than those that were noted, as of ``--set``.
    """

    given: Sequence[str] = ()

    def __init__(self, study: optuna.Study, storage: Any) -> None:
        self.study, self.storage = study, storage

    @property
    def name(self) -> str:
        return self.study.study_name

    def describe(self, config: Config, kind: Kind) -> None:
        """Record what the study is about; a study of an earlier version may lack a part of it."""
        folder = folder_of(self.storage)
        self.study.set_user_attr("config", tree(config))
        self.study.set_user_attr(PLACE, folder and str(folder))
        self.study.set_user_attr("kind", kind)
        if self.study.metric_names is None:
            self.study.set_metric_names([self.objective.metric])

    def _written(self) -> dict[str, Any]:
        """The configuration as it was recorded; empty if the study is none of this product's."""
        return noted(self.study.user_attrs, folder_of(self.storage), self.name)

    @property
    def config(self) -> Config:
        """The configuration that the search ran with, and where its files are now.

        Raises:
            ConfigError: this version doesn't understand it.
        """
        if not (values := self._written()):
            raise ConfigError(self.name, ["was not made by tuner.search"])
        source = f"configuration of search '{self.name}' in the results store"
        if problems := override(values, self.given):
            raise ConfigError(source, problems)
        return absolute(parse(values, source))

    @property
    def kind(self) -> Kind:
        kind = self.study.user_attrs.get("kind")
        if kind is None:  # stores of earlier versions say it in the name
            return "train" if self.name.endswith(TRAIN) else "search"
        return kind

    @cached_property
    def objective(self) -> Objective:
        """What its trials are ranked by."""
        names, search = self.study.metric_names, self._written().get("search", {})
        # Studies of earlier versions do not name their metric.
        metric = names[0] if names else search["metric"]
        return Objective(metric, folded=search.get("validation") is not None)

    def fits(self, config: Config, kind: Kind) -> None:
        """Check that trials of a kind can join those that the study has.

        Raises:
            StoreError: they are of another kind, or were selected by another metric.
        """
        if self.study.user_attrs.get("kind", kind) != kind:
            raise StoreError(
                f"'{self.name}' is a {_WORDS[self.kind]} in this results store: "
                f"--set name=ANOTHER for a {_WORDS[kind]}"
            )
        metric = config.search.metric
        if kind == "train" and metric != self.objective.metric:
            raise StoreError(
                f"'{self.name}' has models that were selected by {self.objective.metric}, which can't "
                f"be ranked with one that is selected by {metric}: leave out search.metric, or "
                "--set name=ANOTHER"
            )
