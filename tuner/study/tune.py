"""All trials of a search under Ray Tune."""

from __future__ import annotations

import logging
import os
import shutil
import time
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console

from data import Dataset
from data.console import output_to
from tuner.config.load import Config
from tuner.runtime.machines import capacity
from tuner.runtime.session import RaySession
from tuner.study.halving.rungs import Rungs
from tuner.study.space.probes import probes
from tuner.study.space.space import Space
from tuner.study.store.results import ResultsStore

_GRACE = 0.5  # seconds


def run_trials(
    config: Config,
    space: Space,
    dataset: Dataset,
    store: ResultsStore,
    console: Console,
    session: RaySession,
    *,
    folds: Mapping[str, int] | None = None,
    end: float | None = None,
    trainable: Any = None,
    callbacks: Sequence[Any] = (),
) -> bool:
    """Run the trials that the search still lacks.

    Args:
        folds: as of `SearchContext`; None: it has none.
        end: when its time is over, in seconds of `time.monotonic`; None: never.
        trainable: what Tune runs for each; None is `Trial`.
        callbacks: of Tune, beside those that record and show.

    Returns:
        whether it was interrupted before all of them had ended.
    """
    from tuner.study.halving.schedule import make_rungs
    from tuner.study.sampler import StudySearcher

    rungs = make_rungs(config, store)
    searcher = StudySearcher(
        store,
        space,
        config.search,
        config.storage_folder,
        first=probes(config),
        at_once=config.resources.trials_at_once,
        waiting=rungs.waiting,
    )
    if searcher.remaining == 0:
        console.print(f"all {searcher.total} trials have ended already")
        return False
    if end is not None and time.monotonic() >= end:
        console.print(
            "search.time_budget was over before the first trial: preparing took all of it"
        )
        return False
    console.print(f"search '{config.name}': {searcher.remaining} of {searcher.total} trials to run")
    session.wait()
    from tuner.runtime import patches

    try:
        patches.adapt(started_ray=session.started_ray)
        with store.running():
            _fit(
                *(config, space, dataset, folds or {}, store, rungs, searcher, console, end),
                trainable,
                callbacks,
            )
    finally:
        shutil.rmtree(config.folder / ".tune", ignore_errors=True)
    return bool(store.counts()["stopped"])


def _fit(
    config: Config,
    space: Space,
    dataset: Dataset,
    folds: Mapping[str, int],
    store: ResultsStore,
    rungs: Rungs,
    searcher: Any,
    console: Console,
    end: float | None,
    trainable: Any,
    callbacks: Sequence[Any],
) -> None:
    from ray import tune

    from tuner.runtime.signals import handlers_kept
    from tuner.study.context import SearchContext
    from tuner.study.halving.rungs import most_epochs, usual
    from tuner.study.halving.schedule import (
        TimeBudget,
        decisions,
        make_scheduler,
        watchers,
    )
    from tuner.study.progress import NoReports, Progress
    from tuner.study.recorder import Recorder
    from tuner.study.sharing.measure import find_shares
    from tuner.study.time_left import TimeLeft
    from tuner.study.trial import Trial
    from tuner.training.clips.stored import known

    for name in ("ray.tune", "ray.air", "ray.train"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    resources = config.resources
    cluster = capacity()
    shares = find_shares(
        *(config, space, dataset, cluster, output_to(console)),
        trials=searcher.remaining,
        end=end,
    )
    workers = resources.workers(cluster, shares.all[0])
    # Enough waiting trials that every worker starts, and not so many that they were proposed
    # long before they run.
    os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = str(min(workers, searcher.remaining) + 1)
    scheduler = make_scheduler(config, rungs, lambda: searcher.remaining)
    context = SearchContext(
        config,
        dataset,
        config.storage_folder,
        decisions(config, rungs),
        known(),
        # The search stops first; trials that are still training end a moment later.
        deadline=None if end is None else time.time() + end - time.monotonic() + _GRACE,
        folds=folds,
    )
    budget = TimeBudget(end)
    recorder = Recorder(store, context)
    left = TimeLeft(
        searcher.total,
        levels=rungs.levels,
        factor=config.search.reduction_factor,
        first_guess=usual(config) + (most_epochs(config) if config.search.refit else 0),
    )
    with (
        handlers_kept(),
        Progress(
            store,
            left,
            console=console,
            notices=context.notices,
            waiting=rungs.waiting,
            end=end,
        ) as progress,
    ):
        trainable = tune.with_resources(
            trainable or tune.with_parameters(Trial, context=context),
            lambda trial: tune.PlacementGroupFactory(
                [{"CPU": resources.cpus, "GPU": shares.of(trial["params"])}]
            ),
        )
        tune.Tuner(
            trainable,
            tune_config=tune.TuneConfig(
                search_alg=searcher,
                scheduler=scheduler,
                num_samples=-1,  # the searcher knows when it has finished
                reuse_actors=True,
            ),
            run_config=tune.RunConfig(
                name=".tune",
                storage_path=str(config.folder),
                stop=budget,
                verbose=0,
                progress_reporter=NoReports(),
                callbacks=[*watchers(config, rungs), recorder, progress, *callbacks],
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
                failure_config=tune.FailureConfig(max_failures=config.search.retries),
            ),
        ).fit()
    if budget.stop_all():
        recorder.end_of_time()
    recorder.sweep()
