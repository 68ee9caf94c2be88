"""The results store: a search as an Optuna study, and the only module that touches it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import TrialState

from tuner.config.load import Config
from tuner.config.messages import StoreError
from tuner.config.parameters import Params
from tuner.objective import Objective, Place
from tuner.study.store import database
from tuner.study.store.about import About, Kind
from tuner.study.store.damage import guarded, reading
from tuner.study.store.database import without_password
from tuner.study.store.mirror import Mirror
from tuner.study.store.process import PROCESS, await_end, beating, has_ended
from tuner.study.store.record import STATES, STOPPED, TrialRecord, state_of
from tuner.study.store.same import changes, same
from tuner.study.store.standings import BEST_VALUE, standings

COMMONEST = "commonest"  # a note: the commonest class, and the metric of always naming it
DATA = "data"  # a note: what the search learns from, in short
_FOLDS = "folds"  # a note: video to the fold that it validates


class ResultsStore(About):
    """The trials of one search.

    Args:
        study: made by `create` or `open`.
        storage: has the study.
    """

    shown: str | None = None  # the URL without a password, if it was opened to be read alone

    def __init__(self, study: optuna.Study, storage: Any) -> None:
        super().__init__(study, storage)
        self._study_id = storage.get_study_id_from_name(study.study_name)
        self._ids: dict[int, int] = {}  # trial number to the storage's id

    @classmethod
    def create(cls, config: Config, *, resume: bool, kind: Kind = "search") -> ResultsStore:
        """The store of a search that is about to run.

        Args:
            resume: go on with a search of this name, if there is one.
            kind: only a search must go on with the configuration that it began with.

        Raises:
            StoreError: there is a search of this name, and `resume` is false, or it was about
                something else.
        """
        if config.results_url.startswith("sqlite:///"):
            path = Path(config.results_url.removeprefix("sqlite:///"))
            path.parent.mkdir(parents=True, exist_ok=True)
        name, storage = config.name, database.open_storage(config.results_url)
        if name in optuna.get_all_study_names(storage):
            if kind == "search":
                study = storage.get_study_id_from_name(name)
                await_end(name, partial(storage.get_study_user_attrs, study))
            store = cls.load(name, Mirror(storage, name))
            count = len(store.study.get_trials(deepcopy=False))
            if not resume and count:
                raise StoreError(
                    f"search '{name}' is in {without_password(config.results_url)} already, with "
                    f"{count} trials: add --resume to go on with it, or --set name=ANOTHER for a new one"
                )
            if count or store.objective.metric == config.search.metric:
                store.fits(config, kind)
                if kind == "search" and count:
                    same(config, before := store.config, places=not store.notes(DATA))
                    if changes(
                        config, before
                    ):  # places: noted when they are known to hold the same
                        return store
                store.describe(config, kind)
                return store
            store.delete()  # what its trials were to be ranked by can't be changed
        direction = Objective(config.search.metric).direction
        optuna.create_study(study_name=name, storage=storage, direction=direction)
        store = cls.load(name, Mirror(storage, name))
        store.study.set_user_attr("started", datetime.now().isoformat(timespec="seconds"))
        store.describe(config, kind)
        return store

    @classmethod
    def check_joins(cls, config: Config, kind: Kind) -> None:
        """Check that trials can join those that there are under this name, before they are prepared for.

        Raises:
            StoreError: as of `create`.
        """
        path = Path(config.results_url.removeprefix("sqlite:///"))
        if config.results_url.startswith("sqlite:///") and not path.exists():
            return
        storage = database.open_storage(config.results_url)
        if config.name in optuna.get_all_study_names(storage):
            store = cls.load(config.name, storage)
            if store.study.get_trials(deepcopy=False):
                store.fits(config, kind)

    @classmethod
    def open(cls, url: str, name: str | None = None) -> ResultsStore:
        """A search that ran or is running; the latest if no name is given.

        Raises:
            StoreError: there is none.
        """
        shown = without_password(url)
        with reading(shown):
            storage = database.open_existing(url)
            known = [search for search, _ in database.searches_in(storage)]
            if name is not None and name not in known:
                raise StoreError(f"no search '{name}' in {shown}; it has {', '.join(known)}")
            if not known:
                raise StoreError(f"{shown} holds no search")
            store = cls.load(name or known[-1], storage)
        store.shown = shown
        return store

    @classmethod
    def load(cls, name: str, storage: optuna.storages.BaseStorage) -> ResultsStore:
        """The search of this name in a database that is open."""
        return cls(optuna.load_study(study_name=name, storage=storage), storage)

    def delete(self) -> None:
        """Delete the search with all its trials."""
        optuna.delete_study(study_name=self.name, storage=self.storage)

    def ask(self, choose: Callable[[optuna.Trial], Params]) -> tuple[int, Params]:
        """A new trial: its number and parameters.

        Args:
            choose: gives all parameters, some or all of them proposed by the study's sampler.
        """
        trial = self.study.ask()
        params = choose(trial)
        self.annotate(trial.number, "parameters", params)
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
        """End a trial that trained, with the value of the step that stands for it."""
        self.annotate(number, "results", dict(results))
        self.annotate(number, BEST_VALUE, value)
        if reason:
            self.annotate(number, "reason", reason)
        if pruned:
            self.study.tell(number, state=TrialState.PRUNED)
        else:
            self.study.tell(number, value)

    def fail(self, number: int, reason: str) -> None:
        """End a trial that failed."""
        self.annotate(number, "reason", reason)
        self.study.tell(number, state=TrialState.FAIL)

    def leave(self, number: int, reason: str) -> None:
        """Leave a trial to a resumed search; an empty reason: it is under way again."""
        self.annotate(number, "reason", reason)

    def annotate(self, number: int, name: str, value: Any) -> None:
        """Keep a fact about a trial."""
        self.storage.set_trial_user_attr(self._id(number), name, value)

    def set_note(self, name: str, value: Any) -> None:
        """Keep a fact about the search, such as which videos were left out."""
        self.study.set_user_attr(name, value)

    def notes(self, prefix: str) -> dict[str, Any]:
        """The facts whose names begin with `prefix`."""
        return {k: v for k, v in self.study.user_attrs.items() if k.startswith(prefix)}

    @property
    def folds(self) -> dict[str, int]:
        """The fold that each video validates, from 1; empty: the valid split validates."""
        return self.study.user_attrs.get(_FOLDS, {})

    def set_folds(self, folds: Mapping[str, int]) -> None:
        """Keep the folds, so that the search always goes on with them."""
        self.set_note(_FOLDS, dict(folds))

    @guarded
    def records(self) -> list[TrialRecord]:
        """Every trial, by number."""
        stopped = self._stopped()
        trials = self.study.get_trials(deepcopy=False)
        return [TrialRecord.of(trial, stopped=stopped) for trial in trials]

    @guarded
    def record(self, number: int) -> TrialRecord:
        """One trial.

        Raises:
            StoreError: there is none of this number.
        """
        try:
            trial = self.storage.get_trial(self._id(number))
        except KeyError:
            raise StoreError(f"search '{self.name}' has no model {number}") from None
        return TrialRecord.of(trial, stopped=self._stopped())

    def ranking(self, most: int | None = None) -> list[TrialRecord]:
        """Finished and pruned trials, the best first.

        Args:
            most: so many of them, for which no other trials are read.
        """
        numbers = [place.number for place in self.places()[:most]]
        if most is not None:
            return [self.record(number) for number in numbers]
        records = {record.number: record for record in self.records()}
        return [records[number] for number in numbers]

    @guarded
    def places(self) -> list[Place]:
        """The places of the trials in the ranking."""
        places = (one.place(self.objective) for one in standings(self.storage, self._study_id))
        return sorted(place for place in places if place is not None)

    @guarded
    def counts(self) -> dict[str, int]:
        """Number of trials by state."""
        counts, stopped = dict.fromkeys((*STATES.values(), STOPPED), 0), self._stopped()
        for one in standings(self.storage, self._study_id):
            counts[state_of(one.state, stopped=stopped)] += 1
        return counts

    @contextmanager
    def running(self) -> Iterator[None]:
        """This process runs the trials; those that have not ended with the context are stopped."""
        with beating(self.set_note):
            yield

    def _stopped(self) -> bool:
        """Whether no process runs the trials, as far as can be told from this machine."""
        process = self.study.user_attrs.get(PROCESS, "")  # empty: a search of an earlier version
        return process is None or (process != "" and has_ended(process))

    def _id(self, number: int) -> int:
        if number not in self._ids:
            self._ids[number] = self.storage.get_trial_id_from_study_id_trial_number(
                self._study_id, number
            )
        return self._ids[number]
