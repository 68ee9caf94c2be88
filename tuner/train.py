"""``python -m tuner.train CONFIG``: train one model, without a search."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from data.console import console, output
from tuner import cli
from tuner.config.load import Config, absolute, load
from tuner.config.messages import ConfigError
from tuner.config.parameters import PARAMETERS
from tuner.objective import METRICS

EXAMPLES = """
python -m tuner.train configs/seals.yaml --set model.architecture=image_mlp_frozen
python -m tuner.train configs/seals.yaml --set model.architecture=video_lrcnn_frozen \\
    --set model.sequence_model=GRU --set model.sequence_length=5 --set training.learning_rate=5e-4
"""


def arguments() -> argparse.ArgumentParser:
    parser = cli.parser(
        "train", "Train one model with the parameters under model: and training:.", EXAMPLES
    )
    parser.add_argument("config", type=Path, help="the YAML file; its space: is not used")
    cli.add_set(parser)
    parser.add_argument(
        "--strict", action="store_true", help="stop if any labelled video does not decode"
    )
    return parser


def parameters(config: Config) -> dict[str, Any]:
    """Every parameter of the one model.

    Raises:
        ConfigError: they don't make a model.
    """
    from pydantic import ValidationError

    from tuner.study.space.space import Space, resolve

    if config.model.architecture is None:
        raise ConfigError(
            config.name, ["model.architecture: is missing; add --set model.architecture=NAME"]
        )
    fixed = config.model_copy(update={"space": {}})
    params: dict[str, Any] = {}
    space = Space(fixed)
    for name in PARAMETERS:
        choices = space.domain(name, params).choices
        # What a rule forbids is left as it was written, for the message of the model's own check.
        params[name] = choices[0] if choices else getattr(config.model, name)
    try:
        resolve(params)
    except ValidationError as error:
        problems = [f"model.{e['loc'][0]}: {e['msg']}" for e in error.errors()]
        raise ConfigError(config.name, problems) from error
    return params


def train(config: Config, params: dict[str, Any], *, strict: bool) -> int:
    """Train, record and evaluate one model; returns the exit status."""
    from tuner.analysis.evaluation import Trained, evaluate
    from tuner.analysis.summary import show_results
    from tuner.preparation.dataset import prepare
    from tuner.study.space.describe import run_name
    from tuner.study.space.space import resolve
    from tuner.study.store.results import TRAIN, ResultsStore
    from tuner.study.warm_start import best_frozen
    from tuner.training.clips.source import ClipSource
    from tuner.training.run import Run

    model, training = resolve(params)
    # Single trainings have a study of their own: they are no trials that a sampler proposed.
    searched_name = config.name
    config = config.model_copy(update={"name": f"{searched_name}{TRAIN}"})
    dataset = prepare(config.data, [model], config.folder, output, strict=strict)
    store = ResultsStore.create(config, resume=True, kind="train")
    number, params = store.ask(lambda _: params)
    folder = config.folder / "models" / str(number)
    if training.warm_start == "best":
        searched = ResultsStore.open(config.results_url, searched_name)
        source = best_frozen(searched, params, searched.config.storage_folder)
        training = training.model_copy(update={"warm_start": source and str(source.path)})
        console.print(
            f"warm start: {f'model {source.number}' if source else 'there is no such head'}"
        )
    console.print(f"model {number}: {folder}")
    try:
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
        while not run.training.finished:
            result = run.step()
            store.report(number, {result["epoch"]: objective.value(result)})
            figures = ", ".join(f"{name} {result[name]:.4f}" for name in ("train_loss", *METRICS))
            console.print(f"epoch {result['epoch']:3} (round {result['round']}): {figures}")
        run.close()
    except BaseException as error:  # whatever ends it, the store must not say that it still runs
        store.fail(number, f"{type(error).__name__}: {error}".strip(": "))
        raise
    summary, value = run.summary(), objective.value(run.training.best)
    store.finish(number, pruned=False, results=summary, value=value)
    record = store.record(number)
    trained = Trained(number, folder, params, summary, record.started, record.ended)
    results = evaluate([trained], folder, dataset, config.data, output=output)
    store.set_note(f"results of model {number}", results)
    config.storage_folder.keep(folder)
    show_results(results, folder)
    return 0


def main() -> int:
    args = arguments().parse_args()
    config = absolute(load(args.config, args.overrides))
    return train(config, parameters(config), strict=args.strict)


if __name__ == "__main__":
    cli.run(main)
