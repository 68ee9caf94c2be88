"""Optuna behind Ray Tune: proposes trials, and first those that an earlier run left unfinished."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import optuna
from optuna.trial import FrozenTrial
from ray.tune.search import Searcher

from data.files.storage import Storage
from models.registry import PROBE
from tuner.config.parameters import Params
from tuner.config.sections import SearchConfig
from tuner.study.space.space import Space
from tuner.study.store.patches import waiting_as_pruned
from tuner.study.store.record import UNFINISHED
from tuner.study.store.results import ResultsStore
from tuner.study.warm_start import best_frozen


class TPE(optuna.samplers.TPESampler):
    """TPE (Bergstra et al. 2011) over parameters jointly, in groups of those that occur together.

    Running trials count as poor, so that parallel workers spread out (constant liar). Trials that
    wait at a rung count with their values so far.

    Args:
        waiting: numbers of the trials that wait, kept up to date.
        options: these and all other arguments are Optuna's.
    """

    def __init__(
        self,
        *,
        seed: int | None = None,
        n_startup_trials: int = 10,
        waiting: Collection[int] = (),
        multivariate: bool = True,
        group: bool = True,
        constant_liar: bool = True,
        **options: Any,
    ) -> None:
        super().__init__(
            seed=seed,
            n_startup_trials=n_startup_trials,
            multivariate=multivariate,
            group=group,
            constant_liar=constant_liar,
            **options,
        )
        self._waiting = waiting

    def sample_relative(self, study: Any, trial: FrozenTrial, search_space: Any) -> dict[str, Any]:
        return super().sample_relative(waiting_as_pruned(study, self._waiting), trial, search_space)

    def sample_independent(self, study: Any, trial: FrozenTrial, name: str, domain: Any) -> Any:
        return super().sample_independent(
            waiting_as_pruned(study, self._waiting), trial, name, domain
        )


def key_of(params: Params) -> str:
    """A text that is equal for equal parameters, also when they come from the store's JSON."""
    return json.dumps(params, sort_keys=True)


class StudySearcher(Searcher):
    """Ray Tune's side of a study: `suggest` asks the study, which hears of results from `Recorder`.

    Args:
        storage: where the search's models are, for warm starts.
        first: parameters of trials that come before all others, and are not the sampler's.
        at_once: how many trials may run at once; None: as many as there is room for.
        waiting: numbers of the trials that wait at a rung, kept up to date.
    """

    def __init__(
        self,
        store: ResultsStore,
        space: Space,
        search: SearchConfig,
        storage: Storage,
        *,
        first: Sequence[Params] = (),
        at_once: int | None = None,
        waiting: Collection[int] = (),
    ) -> None:
        super().__init__()
        self.store, self.space, self.storage, self.at_once = store, space, storage, at_once
        records = store.records()
        self.unfinished = [record for record in records if record.state in UNFINISHED]
        ended = len(records) - len(self.unfinished)
        self.waiting = waiting
        self.live: set[str] = set()  # trials that Tune has and that have not ended
        store.study.sampler = search.make_sampler(trials_done=len(records), waiting=waiting)
        # Some samplers call it when they have no more to propose.
        store.study.stop = self._no_more  # type: ignore[method-assign]
        tried = {key_of(record.params) for record in records}
        if records and not any(record.params["architecture"] == PROBE for record in records):
            first = ()  # an earlier version began the search
        self._first = [params for params in first if key_of(params) not in tried]
        self._grid: Iterator[Params] | None = None
        total = search.trials
        if search.sampler == "grid":
            grid = list(space.enumerate())
            self._grid = (params for params in grid if key_of(params) not in tried)
            total = min(total or len(grid), len(grid))
        assert total is not None  # tuner.search checks that only a grid leaves it open
        self.total = total + len(first)
        self.remaining = max(0, self.total - ended)

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:  # type: ignore[override]
        """The next trial's `model_id` and parameters; None while the last ones still run or wait.

        Tune lets go of its workers as soon as a searcher has finished.
        """
        if self.remaining == 0:
            return None if self.live else Searcher.FINISHED
        if self.at_once is not None and len(self.live) - len(self.waiting) >= self.at_once:
            return None
        self.remaining -= 1
        self.live.add(trial_id)
        if self.unfinished:
            record = self.unfinished.pop(0)
            if record.reason:
                self.store.leave(record.number, "")
            return self._trial(record.number, record.params)
        if self._first:
            simplest = self._first.pop(0)
            return self._trial(*self.store.ask(lambda _: simplest))
        if self._grid is None:
            return self._trial(*self.store.ask(self.space.sample))
        params = next(self._grid, None)
        if params is None:
            self._no_more()
            self.live.discard(trial_id)
            return self.suggest(trial_id)
        return self._trial(*self.store.ask(lambda _: params))

    def _no_more(self) -> None:
        self.remaining = 0

    def _trial(self, number: int, params: Params) -> dict[str, Any]:
        """What `Trial` needs; for a warm start with a model, whose number is recorded."""
        path = params.get("warm_start")
        if path == "best":
            source = best_frozen(self.store, params, self.storage)
            self.store.annotate(number, "warm_start", source and source.number)
            path = source and str(source.path)
        return {"model_id": number, "params": params, "warm_start": path}

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Count it. `Recorder` tells the study, with the reason, which Tune does not give here."""
        self.live.discard(trial_id)

    # A search is resumed from the results store; Tune's own snapshots are empty.
    def __getstate__(self) -> dict[str, Any]:
        return {}

    def save(self, checkpoint_path: str) -> None: ...
    def restore(self, checkpoint_path: str) -> None: ...
