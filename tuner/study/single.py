"""One model trained by itself, with the parameters of a configuration and no search."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from data import Dataset
from data.console import Output
from tuner.config.load import Config
from tuner.config.messages import ConfigError
from tuner.config.parameters import PARAMETERS, Params, TrainingConfig
from tuner.objective import METRICS
from tuner.preparation.learnt import keep_learnt
from tuner.preparation.one_machine import prepare
from tuner.study.space.describe import run_name
from tuner.study.space.space import Space, resolve
from tuner.study.store.about import TRAIN
from tuner.study.store.results import ResultsStore
from tuner.study.warm_start import best_frozen
from tuner.training.clips.source import ClipSource
from tuner.training.run import Run


def parameters(config: Config) -> Params:
    """Every parameter of the one model that ``model`` and ``training`` describe.

    Raises:
        ConfigError: they don't make a model.
    """
    if config.model.architecture is None:
        raise ConfigError(
            config.name, ["model.architecture: is missing; add --set model.architecture=NAME"]
        )
    params: Params = {}
    space = Space(config.model_copy(update={"space": {}}))
    for name in PARAMETERS:
        choices = space.domain(name, params).choices
        # A value that a rule forbids stays as written, so that the model's own check reports it.
        params[name] = choices[0] if choices else getattr(config.model, name)
    try:
        resolve(params)
    except ValidationError as error:
        problems = [f"model.{e['loc'][0]}: {e['msg']}" for e in error.errors()]
        raise ConfigError(config.name, problems) from error
    return params


def study_of(config: Config) -> Config:
    """`config` under the name of its single trainings, which are kept apart from a search's trials."""
    search = config.search.model_copy(update={"validation": None})  # it is validated on one split
    return config.model_copy(update={"name": f"{config.name}{TRAIN}", "search": search})


def train_one(config: Config, output: Output, *, strict: bool) -> tuple[ResultsStore, int, Dataset]:
    """Train one model and record it, a line an epoch.

    Args:
        config: whose `study_of` the model is recorded in.
        strict: raise if any labelled video does not decode.

    Returns:
        the store, the model's number in it, and the data set.

    Raises:
        ConfigError, DataError, StoreError, WeightsError: as for a search.
    """
    params = parameters(config)
    model, training = resolve(params)
    search, config = config, study_of(config)
    ResultsStore.check_joins(config, "train")
    opened: list[Dataset] = []  # also those that don't decode, as of a search
    dataset = prepare(
        config.data, [model], config.folder, output, strict=strict, check=opened.append
    )
    store = ResultsStore.create(config, resume=True, kind="train")
    number, params = store.ask(lambda _: params)
    folder = config.folder / "models" / str(number)
    if training.warm_start == "best":
        training = _warm(search, params, training, output)
    output.say(f"model {number}: {folder}")
    try:
        keep_learnt(config, opened[0], folder, output)
        run = Run(
            folder=folder,
            config=model,
            training_config=training,
            source=ClipSource(dataset, config.data),
            metric=config.search.metric,
            seed=config.search.seed,
            params=params,
            storage=config.storage_folder,
            events=config.folder / run_name(number, params),
        )
        objective = run.training.objective
        with store.running():
            while not run.training.finished:
                result = run.step()
                store.report(number, {result["epoch"]: objective.value(result)})
                output.say(_line(result))
            run.close()
    except BaseException as error:  # whatever ends it, the store must not say that it still runs
        store.fail(number, f"{type(error).__name__}: {error}".strip(": "))
        raise
    value = objective.value(run.training.best)
    store.finish(number, pruned=False, results=run.summary(), value=value)
    return store, number, dataset


def _warm(
    search: Config, params: Params, training: TrainingConfig, output: Output
) -> TrainingConfig:
    """`training` that begins with the head of the search's best frozen model, if there is one."""
    searched = ResultsStore.open(search.results_url, search.name)
    source = best_frozen(searched, params, searched.config.storage_folder)
    output.say(f"warm start: {f'model {source.number}' if source else 'there is no such head'}")
    return training.model_copy(update={"warm_start": source and str(source.path)})


def _line(result: dict[str, Any]) -> str:
    figures = ", ".join(f"{name} {result[name]:.4f}" for name in ("train_loss", *METRICS))
    return f"epoch {result['epoch']:3} (round {result['round']}): {figures}"
