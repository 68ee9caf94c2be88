"""``python -m tuner.search CONFIG``: search the best model for the videos of a configuration."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import time
from contextlib import contextmanager
from pathlib import Path

from data.console import console, output
from models.config import ModelConfig
from models.registry import REGISTRY
from tuner import cli
from tuner.config.load import Config, absolute, load
from tuner.config.messages import UserError
from tuner.study.space.checks import check, remarks, searched_models
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


def dry_run(config: Config, space: Space, dataset) -> int:
    """Say what a search would do, having checked all that can be checked without training."""
    import models
    from tuner.preparation.checks import check_models, check_weights
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
    for line in remarks(space):
        console.print(f"  {line}")
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
        raise UserError(
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
    for line in remarks(space):
        console.print(line)
    start, again = time.monotonic(), config.folder.exists()
    ahead = every_cpu_trains(config)
    with only_one(config), RaySession(ahead=ahead) as session, cli.mistakes():
        config.storage_folder.check()
        if not again:  # a search that has ended already needs none
            session.start()  # before anything else: it takes seconds, most of which it waits
        from tuner.preparation.cluster import prepare_all
        from tuner.study.run import run_trials
        from tuner.study.store.results import ResultsStore
        from tuner.study.summary import summary

        store = ResultsStore.create(config, resume=resume)
        searched = searched_models(space)
        dataset = prepare_all(
            config,
            searched,
            output,
            session,
            test=False,  # those videos wait for tuner.best
            strict=strict,
        )
        store.set_note("classes", dataset.classes)
        store.set_note("rejects", [[r.video, str(r.path), r.reason] for r in dataset.rejects])
        interrupted = run_trials(config, space, dataset, store, console, session)
        config.storage_folder.keep_file(config.folder / "rejects.csv")
    summary(config, store, time.monotonic() - start, command if interrupted else "")
    if interrupted:
        return 130
    return 0 if store.ranking() else 1


def main() -> int:
    args = arguments().parse_args()
    config = absolute(load(args.config, args.overrides))
    if args.address:
        os.environ["RAY_ADDRESS"] = args.address
    if args.dry_run:
        from tuner.preparation.dataset import load_dataset

        space = check(config)
        dataset = load_dataset(config.data, output)
        for reject in dataset.rejects:
            console.print(f"left out: {reject.video}: {reject.reason} ({reject.path})")
        return dry_run(config, space, dataset)
    command = shlex.join(["python", "-m", "tuner.search", *sys.argv[1:]])
    if not args.resume:
        command += " --resume"
    return search(config, resume=args.resume, strict=args.strict, command=command)


if __name__ == "__main__":
    cli.run(main)
