"""All trials of a search under Ray Tune."""

from __future__ import annotations

import logging
import os
import shutil
import sys
import threading
from collections.abc import Sequence
from typing import Any

from rich.console import Console

from data import Dataset
from tuner.config import Config
from tuner.study.space import Space
from tuner.study.store import ResultsStore

# Tune's own snapshots, loggers and metric checks: the results store has their place.
_ENVIRONMENT = {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "1000000000",
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
}


def environment() -> None:
    """Set what Ray and its workers read when they start."""
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)


class RaySession:
    """Ray, which takes seconds to start and so does it while other work is done; ends with the context.

    One that runs already in this process is used, and left running.

    Attributes:
        joins: whether there is a Ray already, in this process or as ``RAY_ADDRESS`` says.
    """

    def __init__(self) -> None:
        ray = sys.modules.get("ray")
        self.joins = bool(os.environ.get("RAY_ADDRESS")) or bool(ray and ray.is_initialized())
        self._thread: threading.Thread | None = None
        self._ready, self._end = threading.Event(), threading.Event()
        self._error: BaseException | None = None
        self._own = False

    def start(self) -> None:
        """Begin to start, and return at once."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._start, daemon=True)
            self._thread.start()

    def wait(self) -> None:
        """Return when Ray runs.

        Raises:
            Exception: whatever kept it from starting.
        """
        self.start()
        self._ready.wait()
        if self._error is not None:
            raise self._error

    def _start(self) -> None:
        environment()
        try:
            import ray

            if not ray.is_initialized():
                # Without an address Ray would join what a killed one left behind, and wait for ever.
                ray.init(
                    address=os.environ.get("RAY_ADDRESS") or "local",
                    include_dashboard=False,
                    log_to_driver=False,
                    logging_level=logging.ERROR,
                )
                self._own = True
        except BaseException as error:  # raised where it is waited for
            self._error = error
        self._ready.set()
        # Ray's processes end with the thread that started them, as they ask of the system.
        self._end.wait()

    def __enter__(self) -> RaySession:
        return self

    def __exit__(self, *error: object) -> None:
        if self._thread is not None:
            self._ready.wait()
            if self._own:
                import ray

                ray.shutdown()
            self._end.set()
            self._thread.join()


def run_trials(
    config: Config,
    space: Space,
    dataset: Dataset,
    store: ResultsStore,
    console: Console,
    session: RaySession,
    *,
    trainable: Any = None,
    callbacks: Sequence[Any] = (),
) -> bool:
    """Run the trials that the search still lacks.

    Args:
        trainable: what Tune runs for each; None is `Trial`.
        callbacks: of Tune, beside those that record and show.

    Returns:
        whether it was interrupted before all of them had ended.
    """
    from tuner.study.sampler import StudySearcher

    searcher = StudySearcher(store, space, config.search, config.folder / "models")
    if searcher.remaining == 0:
        console.print(f"all {searcher.total} trials have ended already")
        return False
    console.print(f"search '{config.name}': {searcher.remaining} of {searcher.total} trials to run")
    session.wait()
    try:
        _fit(config, dataset, store, searcher, console, trainable, callbacks)
    finally:
        shutil.rmtree(config.folder / ".tune", ignore_errors=True)
    return bool(store.counts()["running"])


def _fit(
    config: Config,
    dataset: Dataset,
    store: ResultsStore,
    searcher: Any,
    console: Console,
    trainable: Any,
    callbacks: Sequence[Any],
) -> None:
    import ray
    from ray import tune

    from tuner.study.progress import Progress
    from tuner.study.recorder import Recorder
    from tuner.study.schedule import ASHA, TimeBudget, make_scheduler
    from tuner.study.trial import SearchContext, Trial
    from tuner.training.features import known

    for name in ("ray.tune", "ray.air", "ray.train"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    resources = config.resources
    cluster = ray.cluster_resources()
    workers = max(1, int(cluster.get("CPU", 1) // resources.cpus))
    if resources.gpus:
        workers = min(workers, max(1, int(cluster.get("GPU", 0) / resources.gpus)))
    # Enough waiting trials that every worker starts, and not so many that they were proposed
    # long before they run.
    os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = str(min(workers, searcher.remaining) + 1)
    scheduler = make_scheduler(config, store, searcher)
    rungs = tuple(scheduler.rungs.levels) if isinstance(scheduler, ASHA) else ()
    context = SearchContext(config, dataset, config.folder, rungs, known())
    budget = TimeBudget(config.search.time_budget)
    metric = config.search.metric
    recorder = Recorder(store, context)
    with Progress(store, searcher.total, metric, console=console) as progress:
        trainable = tune.with_resources(
            trainable or tune.with_parameters(Trial, context=context),
            {"cpu": resources.cpus, "gpu": resources.gpus},
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
                callbacks=[recorder, progress, *callbacks],
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
                failure_config=tune.FailureConfig(max_failures=config.search.retries),
            ),
        ).fit()
    if budget.stop_all():
        recorder.end_of_time()
    recorder.sweep()
