"""The models that a search has kept, one or several together."""

from __future__ import annotations

from collections.abc import Sequence

from data.console import Output, for_python
from models.tensors import DamagedTensors
from tuner.analysis.ensemble import Ensemble, Size, noted, select
from tuner.analysis.evaluation import Trained
from tuner.config.load import Config
from tuner.config.messages import UserError
from tuner.learnt import evaluated_on
from tuner.study.store.record import TrialRecord
from tuner.study.store.results import ResultsStore


def trained(config: Config, record: TrialRecord) -> Trained:
    """The model that a trial has left."""
    params, weights = record.params, config.model.model_weights_path
    if weights is not None and params.get("model_weights_path") is not None:
        params = {**params, "model_weights_path": weights}  # that file may have been moved
    return Trained(
        model_id=record.number,
        folder=config.folder / "models" / str(record.number),
        value=record.value,
        params=params,
        summary=record.results,
        started=record.started,
        ended=record.ended,
        fps=config.data.fps,
        storage=config.storage_folder,
    )


def with_weights(store: ResultsStore, records: Sequence[TrialRecord]) -> list[Trained]:
    """The models that trials have left, with their weights on this machine.

    Raises:
        UserError: the weights of one of them are not there any more, or damaged.
    """
    models = [trained(store.config, record) for record in records]
    for model in models:
        model.fetch()
        try:
            model.load()
        except FileNotFoundError as error:
            raise UserError(
                f"{error}: the search keeps the weights of its {store.config.search.keep_models} "
                "best models (search.keep_models); is this the machine that it ran on? Where its folder "
                "was moved to is said with --set storage=FOLDER"
            ) from error
        except DamagedTensors as error:
            raise UserError(
                f"{error}: take another of the search's models (--model ID), or a copy of that file"
            ) from error
    return models


def best_ensemble(
    store: ResultsStore,
    size: Size = "auto",
    *,
    again: bool = True,
    current_labels: bool = False,
    output: Output | None = None,
) -> Ensemble:
    """Models that predict together, for `evaluate` and `load_model`.

    Their probabilities of the validation videos are computed, and no others. What was chosen is kept in
    the results store.

    Args:
        size: ``auto`` chooses among all models whose weights are kept; a number takes so many of the
            best ones, with equal weights.
        again: choose even if that was done before for the same models; the videos are needed.
        current_labels: choose by the labels as they are now.
        output: as of `search`.

    Raises:
        UserError: the weights of the models are not there; or the search has no model yet.
    """
    output, config = output or for_python(), store.config
    records = store.ranking()
    if not records:
        raise UserError(f"search '{store.name}' has no trained model yet")
    if isinstance(size, int):
        candidates = with_weights(store, records[:size])
    else:
        candidates = _kept(store, records[: config.search.keep_models], output)
    numbers = ", ".join(str(model.model_id) for model in candidates)
    key = f"ensemble {size} of {numbers}"
    if not again and key in (notes := store.notes(key)):
        return noted(notes[key], candidates)
    dataset = evaluated_on(store, candidates, output, current=current_labels)
    auto = size == "auto"
    ensemble = select(
        candidates,
        dataset,
        config.data,
        store.objective,
        folds=store.folds,
        auto=auto,
        output=output,
    )
    store.set_note(key, ensemble.note())
    return ensemble


def _kept(store: ResultsStore, records: Sequence[TrialRecord], output: Output) -> list[Trained]:
    """Of these models those whose weights are there, and whole, on this machine."""
    kept = []
    for record in records:
        model = trained(store.config, record)
        model.fetch()
        try:
            model.load()
        except FileNotFoundError:
            continue
        except DamagedTensors as error:
            output.warn(f"{error}: model {record.number} is left out")
            continue
        kept.append(model)
    return kept or with_weights(store, records)
