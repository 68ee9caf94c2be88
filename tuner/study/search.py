"""A search from its configuration to its last trial."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import filelock

from data import Dataset
from data.console import Output
from data.labels.splits import SPLITS_FILE, write_folds
from tuner.config.load import Config
from tuner.config.messages import UserError
from tuner.objective import Objective
from tuner.preparation.cluster import prepare_all
from tuner.preparation.learnt import keep_learnt, kept_learnt
from tuner.runtime.session import RaySession
from tuner.study.folds import deal, tell
from tuner.study.space.checks import remarks, searched_views
from tuner.study.space.probes import networks
from tuner.study.space.unit import fitting, searchable
from tuner.study.store.fingerprint import go_on, same_rejects
from tuner.study.store.results import COMMONEST, ResultsStore
from tuner.study.tune import run_trials
from tuner.training.task import task_of


@dataclass(frozen=True)
class Ended:
    """How a search ended.

    Attributes:
        store: with all of its trials.
        seconds: how long it took this time.
        interrupted: whether some trials have not ended.
    """

    store: ResultsStore
    seconds: float
    interrupted: bool


def run_search(
    config: Config,
    session: RaySession,
    output: Output,
    *,
    resume: bool,
    strict: bool,
    accept_changed_data: bool = False,
) -> Ended:
    """Prepare the videos, and run all trials that the search still lacks.

    Args:
        resume: go on with the search of this name, if there is one.
        strict: raise if any labelled video does not decode.
        accept_changed_data: if the search began with other data, delete its trials and begin again.

    Raises:
        ConfigError: it can't be searched.
        DataError: the labels or videos can't be used.
        StoreError: the results store can't be used, or has another search of this name, or the search
            began with other data.
        UserError: another process runs a search of this name.
        WeightsError: weights of a backbone are not available.
    """
    start, again = time.monotonic(), config.folder.exists()
    config, space = searchable(config)
    output.say(fitting(config))
    for line in remarks(space):
        output.warn(line)
    with _only_one(config), ExitStack() as running:
        config.storage_folder.check()
        if not again:  # a search that has already ended needs no Ray
            session.start()  # first of all: Ray takes seconds to start, and mostly waits
        store = ResultsStore.create(config, resume=resume)
        running.enter_context(store.running())

        def check(opened: Dataset) -> None:  # before hours of preparing
            nonlocal store
            deal(config, opened)
            before = store
            store = go_on(store, config, opened, output, accept_changed_data=accept_changed_data)
            if store is not before:
                running.enter_context(store.running())
            begun = any(store.counts().values())
            if not begun or kept_learnt(config.storage_folder, config.folder) is None:
                keep_learnt(config, opened, config.folder, output)

        dataset = prepare_all(
            config,
            networks(config, space),
            output,
            session,
            test=False,  # those videos wait for the best model
            views=searched_views(space),
            strict=strict,
            check=check,
        )
        if folds := deal(config, dataset, store.folds):
            tell(config, dataset, folds, output)
            store.set_folds(folds)
            write_folds(folds, config.folder)
            config.storage_folder.keep_file(config.folder / SPLITS_FILE)
        store.set_note("classes", dataset.classes)
        store.set_note(COMMONEST, _commonest(dataset, store.objective))
        same_rejects(store, dataset)
        budget = config.search.time_budget
        interrupted = run_trials(
            config,
            space,
            dataset,
            store,
            output.console,
            session,
            folds=folds,
            end=None if budget is None else start + budget,
        )
        config.storage_folder.keep_file(config.folder / "rejects.csv")
        store.storage.verify()
    return Ended(store, time.monotonic() - start, interrupted)


def _commonest(dataset: Dataset, objective: Objective) -> tuple[str, float]:
    """The commonest class, or all if several may be shown, and the metric of always naming it.

    With folds, all that is not in the test split is trained on, and validates.
    """
    task, table = task_of(dataset.task, dataset.classes), dataset.table
    both = ["train", "valid"]
    train, valid = (
        task.encode(table.loc[table["split"].isin(both if objective.folded else [split]), "label"])
        for split in both
    )
    name, figures = task.without_looking(train, valid)
    return name, objective.value({f"valid_{figure}": value for figure, value in figures.items()})


@contextmanager
def _only_one(config: Config) -> Iterator[None]:
    """One search of a name at a time.

    Raises:
        UserError: another process runs it.
    """
    config.folder.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(config.folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        raise UserError(
            f"search '{config.name}' is running in another process (it holds {lock.lock_file}); "
            "wait for it, or --set name=ANOTHER"
        ) from None
    try:
        yield
    finally:
        lock.release()
