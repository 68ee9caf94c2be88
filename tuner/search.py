"""``python -m tuner.search CONFIG``: search the best model for the videos of a configuration."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from data.files.s3 import S3
from models.config import ModelConfig
from models.registry import REGISTRY
from tuner import cli
from tuner.cli import console
from tuner.config.messages import ConfigError
from tuner.config.sections import Config, absolute, default_results_url, load
from tuner.study.space.space import Space

EXAMPLES = """
python -m tuner.search configs/seals.yaml
python -m tuner.search configs/seals.yaml --dry-run
python -m tuner.search configs/seals.yaml --set data.videos=VIDEOS --set data.labels=labels.csv
python -m tuner.search configs/seals.yaml --set name=night --set search.time_budget=8h
python -m tuner.search configs/seals.yaml --resume
"""


def arguments() -> argparse.ArgumentParser:
    parser = cli.parser("search", "Search the best video classifier.", EXAMPLES)
    parser.add_argument("config", type=Path, help="the YAML file of the search")
    cli.add_set(parser)
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="check everything and say what would be searched; train nothing",
    )
    parser.add_argument(
        "--resume", action="store_true", help="go on with the search of this name, or start it"
    )
    parser.add_argument(
        "--address",
        metavar="HOST:PORT",
        help="the Ray cluster to run on (default: RAY_ADDRESS, or the one that this machine is part "
        "of, or this machine alone)",
    )
    parser.add_argument(
        "--strict", action="store_true", help="stop if any labelled video does not decode"
    )
    return parser


def check(config: Config) -> Space:
    """The space of a configuration.

    Raises:
        ConfigError: it can't be searched.
    """
    space = Space(config)
    problems = space.problems()
    search = config.search
    if search.sampler == "grid":
        problems += [
            f"space.{name}: a grid can't list a continuous range; give step: or choices:"
            for name in space.continuous()
        ]
    elif search.trials is None:
        problems.append(f"search.trials: sampler {search.sampler} needs a number of trials")
    heads = {config.training.warm_start, *(v for (v,) in space.values("warm_start"))}
    problems += [
        f"warm_start: there is no file {path}; give that of a model, or best"
        for path in sorted(heads - {None, "best"})
        if not Path(path).is_file()
    ]
    if problems:
        raise ConfigError(config.name, problems)
    return space


def searched_models(space: Space) -> list[ModelConfig]:
    """One model for each way in which the space's networks and the frames they take differ."""
    networks = (
        *("architecture", "pretrained_model_name", "pooling", "frame_size", "pretrained"),
        *("model_weights_path", "trainable_layers", "gradient_checkpointing", "motion"),
    )
    names = (*networks, "sequence_length", "sequence_model")
    configs: dict[tuple[Any, ...], ModelConfig] = {}
    for values in space.values(*names):
        params = dict(zip(names, values, strict=True))
        # A network over whole clips may not take clips of every length.
        clips = REGISTRY[params["architecture"]].backbone != "image"
        key = (*values[: len(networks)], params["sequence_length"] if clips else None)
        configs.setdefault(key, ModelConfig(**params, convolution_kernel_size=1))
    return list(configs.values())


def dry_run(config: Config, space: Space, dataset) -> int:
    """Say what a search would do, having checked all that can be checked without training."""
    import models
    from tuner.preparation.dataset import check_models, check_weights
    from tuner.study.store.database import without_password
    from tuner.training.device import gpus_here

    configs = searched_models(space)
    check_models(configs, config.data)
    console.print("\nmodels:")
    built: dict[str, ModelConfig] = {}
    for model_config in configs:
        built.setdefault(model_config.architecture, model_config)
    for name, model_config in built.items():
        # Weights are checked below, and need not be here yet.
        plain = model_config.model_copy(update={"pretrained": False, "model_weights_path": None})
        model = models.build(plain, dataset.classes, with_backbone=False)
        console.print(
            f"  {name}: {models.param_count(model):,} parameters to train "
            f"(smallest clip, {model_config.pretrained_model_name})"
        )
    console.print("weights:")
    for line in check_weights(configs, download=False):
        console.print(f"  {line}")
    count, trials = space.count(), config.search.trials
    number = "endlessly many" if space.continuous() else f"{count:,}" if count else "over 1,000,000"
    console.print(
        f"space: {number} configurations" if count is None else f"space: {count} configurations"
    )
    if space.continuous():
        console.print(f"  continuous: {', '.join(space.continuous())}")
    asked = min(trials or count or 0, count or trials or 0)
    resources = config.resources
    here = {"CPU": os.cpu_count() or 1, "GPU": gpus_here()}
    gpus = sorted({resources.gpus_of(head=REGISTRY[name].frozen, cluster=here) for name in built})
    concurrent = resources.workers(here, gpus[0])
    console.print(
        f"search: {asked} trials, sampler {config.search.sampler}, scheduler "
        f"{config.search.scheduler}, selected by {config.search.metric}\n"
        f"resources: {resources.cpus:g} CPUs and {' or '.join(f'{share:g}' for share in gpus)} "
        f"GPUs a trial; {concurrent} at once on this machine ({here['CPU']} CPUs, {here['GPU']} GPUs)\n"
        f"results: {without_password(config.results_url)}\nmodels: {config.folder / 'models'}\n"
        "dry run: nothing was trained"
    )
    return 0


@contextmanager
def only_one(config: Config):
    """One search of a name at a time.

    Raises:
        UserError: another process runs it.
    """
    import filelock

    config.folder.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(config.folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        raise cli.UserError(
            f"search '{config.name}' is running in another process (it holds {lock.lock_file}); "
            "wait for it, or --set name=ANOTHER"
        ) from None
    try:
        yield
    finally:
        lock.release()


def search(config: Config, *, resume: bool, strict: bool, command: str) -> int:
    """Run a search to its end; returns the exit status."""
    from tuner.runtime.session import RaySession, every_cpu_trains

    space = check(config)
    start, again = time.monotonic(), config.folder.exists()
    ahead = every_cpu_trains(config)
    with only_one(config), RaySession(ahead=ahead) as session, cli.mistakes():
        config.kept.check()
        if not again:  # a search that has ended already needs none
            session.start()  # before anything else: it takes seconds, most of which it waits
        from tuner.preparation.cluster import prepare_all
        from tuner.study.run import run_trials
        from tuner.study.store.results import ResultsStore

        store = ResultsStore.create(config, resume=resume)
        searched = searched_models(space)
        dataset = prepare_all(
            config,
            searched,
            cli.output,
            session,
            test=False,  # those videos wait for tuner.best
            strict=strict,
        )
        store.set_note("classes", dataset.classes)
        store.set_note("rejects", [[r.video, str(r.path), r.reason] for r in dataset.rejects])
        interrupted = run_trials(config, space, dataset, store, console, session)
        config.kept.keep_file(config.folder / "rejects.csv")
    summary(config, store, time.monotonic() - start, command if interrupted else "")
    if interrupted:
        return 130
    return 0 if store.ranking() else 1


def summary(config: Config, store, seconds: float, unfinished: str) -> None:
    """Print how the search ended, and where everything is."""
    from tuner.study.progress import describe, duration
    from tuner.study.store.database import without_password

    counts = store.counts()
    console.print(
        f"\nsearch '{config.name}': {counts['finished']} finished, {counts['pruned']} pruned, "
        f"{counts['failed']} failed, in {duration(seconds)}"
    )
    reasons: dict[str, list[int]] = {}
    for record in store.records():
        if record.state == "failed":
            reasons.setdefault(record.reason, []).append(record.number)
    for reason, numbers in reasons.items():
        console.print(f"  failed: {len(numbers)} (model {numbers[0]}...): {reason}")
    ranking, url = store.ranking(), without_password(config.results_url)
    if ranking:
        best = ranking[0]
        console.print(f"best: model {best.number}, {config.search.metric} {best.value:.3f}")
        console.print(f"  {describe(best.params)}")
    if unfinished:
        unfinished = unfinished.replace(config.results_url, url)
        console.print(f"stopped before its end; go on with:\n  {unfinished}")
    storage = config.storage
    if not storage.startswith(S3):
        storage = os.path.relpath(storage)
    results = "" if config.results_url == default_results_url() else (
        f" --results {shlex.quote(url)}"
    )  # fmt: skip
    console.print(
        f"results: {url}\nmodels:  {config.kept.url or config.folder}/models\n"
        f"next:    python -m tuner.best{results} --search {shlex.quote(config.name)} --predict\n"
        f"         tensorboard --logdir {shlex.quote(storage)}"
    )


def main() -> int:
    args = arguments().parse_args()
    config = absolute(load(args.config, args.overrides))
    if args.address:
        os.environ["RAY_ADDRESS"] = args.address
    if args.dry_run:
        from tuner.preparation.dataset import load_dataset

        space = check(config)
        dataset = load_dataset(config.data, cli.output)
        for reject in dataset.rejects:
            console.print(f"left out: {reject.video}: {reject.reason} ({reject.path})")
        return dry_run(config, space, dataset)
    command = shlex.join(["python", "-m", "tuner.search", *sys.argv[1:]])
    if not args.resume:
        command += " --resume"
    return search(config, resume=args.resume, strict=args.strict, command=command)


if __name__ == "__main__":
    cli.run(main)
