"""What a notebook or a script calls; the commands call it, too.

Nothing is printed, but a notebook shows progress; in a script, what a user should not miss, such as a
video that is left out, is one of Python's warnings. Nothing ends the process: a user's mistake is raised
as ConfigError, DataError, StoreError, UserError, WeightsError or S3Error, whose text says what is wrong,
where, and what to do.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from data.console import Output, for_python
from data.files.patience import telling
from tuner.analysis import evaluation
from tuner.analysis.ensemble import Ensemble, Size
from tuner.analysis.evaluation import Trained
from tuner.config.load import Config, default_results_url
from tuner.kept import best_ensemble, trained
from tuner.learnt import evaluated_on
from tuner.runtime.session import RaySession, every_cpu_trains
from tuner.study.search import run_search
from tuner.study.single import study_of, train_one
from tuner.study.space.unit import with_unit
from tuner.study.store.database import open_existing
from tuner.study.store.overview import OVERVIEW, overview
from tuner.study.store.record import TrialRecord
from tuner.study.store.results import ResultsStore
from tuner.study.store.table import trials_table

_LOOKED = "results of model "  # notes of a search that begin so are looks at its test videos


@dataclass(frozen=True)
class SearchResult:
    """What a search found.

    Attributes:
        name: of the search.
        folder: where its models are on this machine.
        ranking: every finished or pruned model, the best first.
        trials: a row a trial, as of `Results.trials`.
        seconds: how long the search took this time.
        interrupted: whether some trials have not ended; ``resume=True`` goes on with them.
        store: the results store.
    """

    name: str
    folder: Path
    ranking: list[Trained]
    trials: pd.DataFrame
    seconds: float
    interrupted: bool
    store: ResultsStore = field(repr=False)

    @property
    def best(self) -> Trained:
        """The best model.

        Raises:
            LookupError: no trial came to the end of an epoch.
        """
        if not self.ranking:
            raise LookupError(f"search '{self.name}' has no trained model; trials says why")
        return self.ranking[0]

    def ensemble(self, size: Size = "auto") -> Ensemble:
        """As of `best_ensemble`: the models that predict best together."""
        return best_ensemble(self.store, size)


@dataclass(frozen=True)
class TrainResult:
    """A model that was trained by itself.

    Attributes:
        model: as `load_model` takes it.
        figures: what its ``results.json`` holds, those of the test videos included.
    """

    model: Trained
    figures: dict[str, Any]


def search(
    config: Config,
    *,
    resume: bool = False,
    accept_changed_data: bool = False,
    strict: bool = False,
    output: Output | None = None,
    session: RaySession | None = None,
) -> SearchResult:
    """Search the best model for the videos of a configuration.

    Args:
        resume: go on with the search of this name, if there is one.
        accept_changed_data: if it began with other videos or labels, delete its trials and begin again.
        strict: raise if any labelled video does not decode.
        output: where progress is shown; None: in a notebook, and nowhere else.
        session: of Ray; None starts one, or joins the cluster that this machine is part of.
    """
    output = output or for_python()
    ray = nullcontext(session) if session else RaySession(ahead=every_cpu_trains(config))
    with ray as session, telling(output.warn):
        ended = run_search(
            config,
            session,
            output,
            resume=resume,
            strict=strict,
            accept_changed_data=accept_changed_data,
        )
    return SearchResult(
        name=config.name,
        folder=config.folder,
        ranking=_ranking(ended.store),
        trials=trials_table(ended.store),
        seconds=ended.seconds,
        interrupted=ended.interrupted,
        store=ended.store,
    )


def train(config: Config, *, strict: bool = False, output: Output | None = None) -> TrainResult:
    """Train one model with the parameters under ``model`` and ``training``, and evaluate it.

    Args:
        strict, output: as of `search`.
    """
    output = output or for_python()
    alone = with_unit(config.model_copy(update={"space": {}}))
    config = config.model_copy(update={"data": alone.data})
    with telling(output.warn):
        store, number, dataset = train_one(config, output, strict=strict)
        config = study_of(config)
        model = trained(config, store.record(number))
        figures = evaluation.evaluate([model], model.folder, dataset, config.data, output=output)
        store.set_note(f"{_LOOKED}{number}", figures)
        config.storage_folder.keep(model.folder)
    return TrainResult(model, figures)


@dataclass(frozen=True)
class Evaluation:
    """How well models do on the data of their search.

    Attributes:
        figures: what ``results.json`` holds, those of the test videos included.
        folder: where the predictions and all other files are.
        looked: how many times the test videos of this search have been looked at.
    """

    figures: dict[str, Any]
    folder: Path
    looked: int


def evaluate(
    store: ResultsStore,
    models: Sequence[Trained] | Ensemble,
    *,
    current_labels: bool = False,
    output: Output | None = None,
) -> Evaluation:
    """Predict every frame of the search's data, and write all files of the models.

    The data is what the search was trained on, as it wrote it down when it began.

    Args:
        models: the best first, as of `with_weights`, or what `best_ensemble` gives; the probabilities
            of several are averaged.
        current_labels: take videos and labels as they are now; no video that the search was trained on
            is tested on, whatever its split is now.
        output: as of `search`.
    """
    output, config = output or for_python(), store.config
    ensemble = models if isinstance(models, Ensemble) else Ensemble.of(models)
    members, folder = ensemble.members, folder_of(config, ensemble.members)
    figures = evaluation.evaluate(
        members,
        folder,
        ensemble.dataset or evaluated_on(store, members, output, current=current_labels),
        config.data,
        folds=store.folds,
        weights=ensemble.weights,
        temperature=ensemble.temperature,
        thresholds=ensemble.thresholds,
        output=output,
    )
    store.set_note(f"{_LOOKED}{ensemble.name}", figures)
    for changed in {folder, *(model.folder for model in members)}:
        config.storage_folder.keep(changed)
    return Evaluation(figures, folder, len(store.notes(_LOOKED)))


def folder_of(config: Config, models: Sequence[Trained]) -> Path:
    """Where the files of one model go, or of several together."""
    return models[0].folder if len(models) == 1 else config.folder / "ensemble"


def open_results(url: str | None = None) -> Results:
    """The searches of a results store, also while they run.

    Args:
        url: such as ``sqlite:///runs/results.db`` or ``postgresql://user@host/database``; None is the
            SQLite file in ``runs``.

    Raises:
        StoreError: there is none, or it can't be opened.
    """
    results = Results(url or default_results_url())
    open_existing(results.url)
    return results


@dataclass(frozen=True)
class Results:
    """A results store, read."""

    url: str

    def searches(self) -> pd.DataFrame:
        """One row a search, the latest last.

        Returns:
            ``search, started``; the number of trials that are ``finished, pruned, failed, running,
            stopped``; ``best``, a model_id; ``metric`` and its ``value``, by which it is the best.
        """
        return pd.DataFrame(overview(self.url), columns=OVERVIEW, dtype=object)

    def trials(self, search: str | None = None) -> pd.DataFrame:
        """One row a trial of a search, the latest if no name is given; columns as of `trials_table`."""
        return trials_table(ResultsStore.open(self.url, search))

    def ranking(self, search: str | None = None) -> list[Trained]:
        """Finished and pruned models of a search, the best first; for `load_model`."""
        return _ranking(ResultsStore.open(self.url, search))


def _ranking(store: ResultsStore) -> list[Trained]:
    config = store.config
    records: Sequence[TrialRecord] = store.ranking()
    return [trained(config, record) for record in records]
