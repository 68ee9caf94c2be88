"""The results store: a search as an Optuna study, and the only module that touches it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from tuner.config.load import Config, parse
from tuner.config.messages import ConfigError, StoreError
from tuner.study.space.space import Params, Space
from tuner.study.store.database import open_storage, searches, without_password
from tuner.study.store.mirror import Mirror

STATES = {
    TrialState.COMPLETE: "finished",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "running",
    TrialState.WAITING: "waiting",
}


@dataclass(frozen=True)
class TrialRecord:
    """What the store knows of a trial.

    Attributes:
        number: the `model_id`.
        state: ``finished, pruned, failed, running``.
        value: the selection metric at the best epoch; None if there is none.
        epochs: epoch to the selection metric's value.
        results: what `Run.summary` gives.
    """

    number: int
    state: str
    params: Params
    value: float | None
    epochs: dict[int, float]
    results: dict[str, Any]
    reason: str
    started: datetime | None
    ended: datetime | None


class ResultsStore:
    """The trials of one search.

    Args:
        study: made by `create` or `open`.
        storage: that it is in.
    """

    def __init__(self, study: optuna.Study, storage: Any) -> None:
        self.study, self.storage = study, storage
        self._study_id = storage.get_study_id_from_name(study.study_name)
        self._ids: dict[int, int] = {}  # trial number to the storage's id

    @classmethod
    def create(cls, config: Config, *, resume: bool, same: bool = True) -> ResultsStore:
        """The store of a search that is about to run.

        Args:
            resume: go on with a search of this name, if there is one.
            same: it must have the same configuration.

        Raises:
            StoreError: a search of this name is there already and `resume` is false, or it was
                about something else.
        """
        if config.results_url.startswith("sqlite:///"):
            path = Path(config.results_url.removeprefix("sqlite:///"))
            path.parent.mkdir(parents=True, exist_ok=True)
        storage = open_storage(config.results_url)
        name = config.name
        if name in optuna.get_all_study_names(storage):
            store = cls._load(name, Mirror(storage, name))
            count = len(store.study.get_trials(deepcopy=False))
            if not resume and count:
                raise StoreError(
                    f"search '{name}' is in {without_password(config.results_url)} already, with "
                    f"{count} trials: add --resume to go on with it, or --set name=ANOTHER for a new one"
                )
            if same and count:
                store._check_same(config)
            store.study.set_user_attr("config", _tree(config))
            return store
        optuna.create_study(study_name=name, storage=storage, direction=config.search.direction)
        store = cls._load(name, Mirror(storage, name))
        store.study.set_user_attr("started", datetime.now().isoformat(timespec="seconds"))
        store.study.set_user_attr("config", _tree(config))
        return store

    @classmethod
    def open(cls, url: str, name: str | None = None) -> ResultsStore:
        """A search that ran or is running; the latest if no name is given.

        Raises:
            StoreError: there is none.
        """
        known = [search for search, _, _ in searches(url)]
        if name is not None and name not in known:
            raise StoreError(
                f"no search '{name}' in {without_password(url)}; there: {', '.join(known)}"
            )
        if not known:
            raise StoreError(f"{without_password(url)} holds no search")
        return cls._load(name or known[-1], open_storage(url))

    @classmethod
    def _load(cls, name: str, storage: optuna.storages.BaseStorage) -> ResultsStore:
        return cls(optuna.load_study(study_name=name, storage=storage), storage)

    def _check_same(self, config: Config) -> None:
        """What determines the outcome of a trial must not change within a search."""
        new, old = json.loads(config.model_dump_json()), self.study.user_attrs.get("config", {})
        fixed = ["data", "model", "training", "space"]
        parts = [(section, new[section], old.get(section)) for section in fixed]
        parts += [
            (f"search.{key}", new["search"][key], old.get("search", {}).get(key))
            for key in ("metric", "seed", "sampler")
        ]
        changed = []
        for section, mine, theirs in parts:
            if isinstance(mine, dict) and isinstance(theirs, dict):
                keys = sorted(mine.keys() | theirs.keys())
                changed += [
                    f"{section}.{k} was {theirs.get(k)}, is {mine.get(k)}"
                    for k in keys
                    if mine.get(k) != theirs.get(k) and k not in ("cache_limit_gb", "shared_cache")
                ]
            elif mine != theirs:
                changed.append(f"{section} was {theirs}, is {mine}")
        if changed:
            raise StoreError(
                f"search '{config.name}' can't go on with another configuration "
                f"({'; '.join(changed)}): undo the change, or --set name=ANOTHER for a new search"
            )

    @property
    def name(self) -> str:
        return self.study.study_name

    @property
    def config(self) -> Config:
        """The configuration that the search ran with.

        Raises:
            ConfigError: this version doesn't understand it.
        """
        tree = self.study.user_attrs.get("config")
        if tree is None:
            raise ConfigError(self.name, ["was not made by tuner.search"])
        return parse(tree, f"configuration of search '{self.name}' in the results store")

    @property
    def maximize(self) -> bool:
        return self.study.direction == optuna.study.StudyDirection.MAXIMIZE

    def ask(self, space: Space | None, fixed: Params | None = None) -> tuple[int, Params]:
        """A new trial: its number and parameters, proposed by the study's sampler or given."""
        trial = self.study.ask()
        params = space.sample(trial) if space and fixed is None else dict(fixed or {})
        self._set(trial.number, "parameters", params)
        return trial.number, params

    def report(self, number: int, values: Mapping[int, float]) -> None:
        """Record the selection metric of epochs; a second report of an epoch replaces the first."""
        # Straight to the storage: an optuna.Trial made for it would sample parameters first.
        self.storage.set_trial_intermediate_values(self._id(number), values)

    def finish(
        self,
        number: int,
        *,
        pruned: bool,
        results: Mapping[str, Any],
        value: float,
        reason: str = "",
    ) -> None:
        """End a trial that trained, with its value at the best epoch."""
        self._set(number, "results", dict(results))
        self._set(number, "best_value", value)
        if reason:
            self._set(number, "reason", reason)
        if pruned:
            self.study.tell(number, state=TrialState.PRUNED)
        else:
            self.study.tell(number, value)

    def fail(self, number: int, reason: str) -> None:
        """End a trial that did not train to an end."""
        self._set(number, "reason", reason)
        self.study.tell(number, state=TrialState.FAIL)

    def _set(self, number: int, name: str, value: Any) -> None:
        self.storage.set_trial_user_attr(self._id(number), name, value)

    def annotate(self, number: int, name: str, value: Any) -> None:
        """Keep a fact about a trial."""
        self._set(number, name, value)

    def set_note(self, name: str, value: Any) -> None:
        """Keep a fact about the search, such as which videos were left out."""
        self.study.set_user_attr(name, value)

    def note(self, name: str) -> Any:
        return self.study.user_attrs.get(name)

    def notes(self, prefix: str) -> dict[str, Any]:
        """The facts whose names begin so."""
        return {k: v for k, v in self.study.user_attrs.items() if k.startswith(prefix)}

    def records(self) -> list[TrialRecord]:
        """Every trial, by number."""
        return [self._record(trial) for trial in self.study.get_trials(deepcopy=False)]

    def record(self, number: int) -> TrialRecord:
        """One trial.

        Raises:
            StoreError: there is none of this number.
        """
        found = [record for record in self.records() if record.number == number]
        if not found:
            raise StoreError(f"search '{self.name}' has no model {number}")
        return found[0]

    def ranking(self) -> list[TrialRecord]:
        """Finished and pruned trials, the best first."""
        scored = [
            r for r in self.records() if r.state in ("finished", "pruned") and r.value is not None
        ]
        sign = -1 if self.maximize else 1
        return sorted(
            scored, key=lambda r: (sign * (r.value or 0), r.state != "finished", r.number)
        )

    def counts(self) -> dict[str, int]:
        """Number of trials by state."""
        counts = dict.fromkeys(STATES.values(), 0)
        for trial in self.study.get_trials(deepcopy=False):
            counts[STATES[trial.state]] += 1
        return counts

    def _id(self, number: int) -> int:
        if number not in self._ids:
            self._ids[number] = self.storage.get_trial_id_from_study_id_trial_number(
                self._study_id, number
            )
        return self._ids[number]

    def _record(self, trial: FrozenTrial) -> TrialRecord:
        return TrialRecord(
            number=trial.number,
            state=STATES[trial.state],
            params=trial.user_attrs.get("parameters", trial.params),
            value=trial.user_attrs.get("best_value", trial.value),
            epochs=dict(sorted(trial.intermediate_values.items())),
            results=trial.user_attrs.get("results", {}),
            reason=trial.user_attrs.get("reason", ""),
            started=trial.datetime_start,
            ended=trial.datetime_complete,
        )


def _tree(config: Config) -> dict[str, Any]:
    """A configuration as the store keeps it: everybody who reads the store sees it."""
    tree = json.loads(config.model_dump_json())
    if config.results is not None:
        tree["results"] = without_password(config.results)
    return tree
