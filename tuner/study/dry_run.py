"""What a search would do, found out without training anything."""

from __future__ import annotations

import os

import models
from data.console import Output
from models.config import ModelConfig
from tuner.config.load import Config
from tuner.preparation.checks import check_models, check_weights
from tuner.preparation.one_machine import load_dataset
from tuner.study.costs import say_costs
from tuner.study.folds import deal, tell
from tuner.study.sharing.measure import known_shares
from tuner.study.space.checks import remarks
from tuner.study.space.probes import networks
from tuner.study.space.space import Space
from tuner.study.space.unit import fitting, searchable
from tuner.study.store.database import without_password
from tuner.training.device import gpus_here


def dry_run(config: Config, output: Output) -> None:
    """Check all that can be checked without training, and say what a search would do.

    Raises:
        ConfigError, DataError, WeightsError: as a search would.
    """
    config, space = searchable(config)
    output.say(fitting(config))
    searched = networks(config, space)
    dataset = load_dataset(config.data, output, searched[0].task)
    for reject in [*dataset.rejects, *dataset.damaged]:
        output.say(reject.told)
    tell(config, dataset, deal(config, dataset), output)
    check_models(searched, config.data)
    _say_models(searched, dataset.classes, output)
    output.say("weights:")
    for line in check_weights(searched, download=False):
        output.say(f"  {line}")
    asked = _say_space(space, config.search.trials, output)
    resources = config.resources
    here = {"CPU": os.cpu_count() or 1, "GPU": gpus_here()}
    shares = known_shares(config, space, dataset, here, output)
    workers = resources.workers(here, shares.all[0])
    output.say(
        f"search: {asked} trials, sampler {config.search.sampler}, scheduler "
        f"{config.search.scheduler}, selected by {config.search.metric}\n"
        f"resources: {resources.cpus:g} CPUs and {' or '.join(f'{share:g}' for share in shares.all)} "
        f"GPUs a trial; {workers} at once on this machine "
        f"({here['CPU']} CPUs, {here['GPU']} GPUs)\n"
        f"results: {without_password(config.results_url)}\nmodels: {config.folder / 'models'}"
    )
    say_costs(config, space, searched, dataset, asked, workers, output)
    output.say("dry run: nothing was trained")


def _say_models(networks: list[ModelConfig], classes: list[str], output: Output) -> None:
    """A line an architecture."""
    first: dict[str, ModelConfig] = {}
    for network in networks:
        first.setdefault(network.architecture, network)
    output.say("\nmodels:")
    for name, network in first.items():
        # Weights are checked later, and need not be here yet.
        plain = network.model_copy(update={"pretrained": False, "model_weights_path": None})
        count = models.param_count(models.build(plain, classes, with_backbone=False))
        output.say(
            f"  {name}: {count:,} parameters to train "
            f"(smallest clip, {network.pretrained_model_name})"
        )


def _say_space(space: Space, trials: int | None, output: Output) -> int:
    """How many configurations there are; returns how many of them will be tried."""
    count, endless = space.count(), space.continuous()
    if count is not None:
        output.say(f"space: {count} configurations")
    else:
        number = "endlessly many" if endless else "over 1,000,000"
        output.say(f"space: {number} configurations")
    if endless:
        output.say(f"  continuous: {', '.join(endless)}")
    for line in remarks(space):
        output.say(f"  {line}")
    return min(trials or count or 0, count or trials or 0)
