"""The shares of a search's trials, measured in a process of its own on one card of the cluster."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from data import Dataset
from data.console import Output
from models.registry import PROBE, REGISTRY
from tuner.config.load import Config
from tuner.config.parameters import Params
from tuner.study.sharing.largest import largest, width
from tuner.study.sharing.remembered import file_of, recall, remember
from tuner.study.sharing.share import Kind, Shares, alike, kind_of, named, part, said, trials_a_card
from tuner.study.space.space import Space, resolve
from tuner.training.clips import stored
from tuner.training.clips.stored import Known
from tuner.training.speed import Card, Load, load_on_card

_SECONDS = 120.0  # for all kinds, with the start of the process
_MACHINE_SECONDS = 600.0  # more, where the cluster has yet to start a machine with a card
_OF_BUDGET = 0.2  # of the time that a search has left, at most
_FEATURE_BYTES = 2  # of a number
Measure = Callable[[Params], Load]


class Gauge:
    """A Ray actor that has a card for itself.

    Args:
        cpus: of a trial, which it computes with.
        facts: about backbones, as `stored.known` gives them.
    """

    def __init__(self, classes: Sequence[str], cpus: float, facts: Known) -> None:
        stored.remember(facts)
        torch.set_num_threads(max(1, int(cpus)))
        self.classes = list(classes)

    def card(self) -> Card | None:
        """What this machine's card is called; None if PyTorch can't use it."""
        return Card.here()

    def load(self, params: Params) -> Load:
        """What a trial takes; raises as `load_on_card` does."""
        return load_on_card(*resolve(params), self.classes)


class NotMeasured(Exception):
    """No more can be measured; the message says why."""


def fixed_shares(config: Config, space: Space, cluster: Mapping[str, float]) -> Shares:
    """The shares of a search in which nothing was measured."""
    names = [PROBE, *(name for (name,) in space.values("architecture"))]
    resources = config.resources
    return Shares(
        {name: resources.gpus_of(head=REGISTRY[name].frozen, cluster=cluster) for name in names}
    )


def known_shares(
    config: Config, space: Space, dataset: Dataset, cluster: Mapping[str, float], output: Output
) -> Shares:
    """The shares as far as earlier searches have measured them on such a card as this machine's."""
    fixed = fixed_shares(config, space, cluster)
    card = Card.here()
    if card is None or not _wanted(config, cluster):
        return fixed
    models = largest(space)
    files = _files(config, dataset, card, models)
    loads = {kind: load for kind in models if (load := recall(files[kind])) is not None}
    if missing := [named(kind) for kind in models if kind not in loads]:
        output.say(f"a search will first measure what it takes of a card: {', '.join(missing)}")
    return _shares(fixed, dataset, card, models, loads, output)


def find_shares(
    config: Config,
    space: Space,
    dataset: Dataset,
    cluster: Mapping[str, float],
    output: Output,
    *,
    trials: int,
    end: float | None = None,
) -> Shares:
    """The shares of a search's trials; what no search has measured yet is measured now.

    What can't be measured, as it does not fit or its process ends, has the fixed share, and a line
    says so. One card stands for all of the cluster.

    Args:
        cluster: its CPUs and GPUs.
        trials: that are to run.
        end: of the search's time, in seconds of `time.monotonic`; None: it has no end.
    """
    fixed = fixed_shares(config, space, cluster)
    if trials < 2 or not _wanted(config, cluster):
        return fixed
    torch.cuda.empty_cache()  # what this process took while it computed features is the trials'
    models = largest(space)
    try:
        _one_kind_of_card()
        with _gauge(config, dataset, end) as (card_of, measure):
            card = Card.here() or card_of()
            files = _files(config, dataset, card, models)
            loads = {kind: load for kind in models if (load := recall(files[kind])) is not None}
            missing = {kind: params for kind, params in models.items() if kind not in loads}
            for kind, load in _measured(missing, measure, output):
                remember(files[kind], card, models[kind], load)
                loads[kind] = load
    except NotMeasured as error:
        output.say(f"what trials take of a card is not measured ({error}): {_otherwise(fixed)}")
        return fixed
    return _shares(fixed, dataset, card, models, loads, output)


def _wanted(config: Config, cluster: Mapping[str, float]) -> bool:
    """Whether the shares are to be found, and several trials could run at once on a card."""
    resources = config.resources
    if resources.gpus != "auto" or resources.trials_at_once == 1:
        return False
    return bool(cluster.get("GPU")) and cluster.get("CPU", 1) // resources.cpus > 1


def _one_kind_of_card() -> None:
    """Raises NotMeasured if the cluster has several kinds, of which one can't stand for all."""
    import ray

    prefix = "accelerator_type:"
    kinds = sorted(name for name in ray.cluster_resources() if name.startswith(prefix))
    if len(kinds) > 1:
        names = ", ".join(name.removeprefix(prefix) for name in kinds)
        raise NotMeasured(f"the cluster has several kinds: {names}")


def _files(
    config: Config, dataset: Dataset, card: Card, models: Mapping[Kind, Params]
) -> dict[Kind, Any]:
    classes, cpus = len(dataset.classes), config.resources.cpus
    return {kind: file_of(card, params, classes, cpus) for kind, params in models.items()}


@contextmanager
def _gauge(
    config: Config, dataset: Dataset, end: float | None
) -> Iterator[tuple[Callable[[], Card], Measure]]:
    """Yield two functions: what card there is, and what a trial takes of it.

    The process starts when one of them is first called. Both raise NotMeasured if it has ended, or no
    time is left; the second raises RayTaskError if this one trial can't be measured.
    """
    import ray
    from ray.exceptions import GetTimeoutError, RayActorError

    actor: Any = None
    until = 0.0

    def ask(method: str, *given: Any) -> Any:
        nonlocal actor, until
        if actor is None:
            seconds = _SECONDS
            if not ray.cluster_resources().get("GPU"):
                seconds += _MACHINE_SECONDS
            if end is not None:
                seconds = min(seconds, _OF_BUDGET * (end - time.monotonic()))
            until = time.monotonic() + seconds
            kind: Any = ray.remote(num_cpus=config.resources.cpus, num_gpus=1)(Gauge)
            actor = kind.remote(dataset.classes, config.resources.cpus, stored.known())
        try:
            left = max(0.0, until - time.monotonic())
            return ray.get(getattr(actor, method).remote(*given), timeout=left)
        except GetTimeoutError:
            raise NotMeasured("it takes too long") from None
        except RayActorError as error:
            raise NotMeasured(f"its process ended: {_first_line(error)}") from None

    def card_of() -> Card:
        if (card := ask("card")) is None:
            raise NotMeasured("PyTorch can't use the card that Ray has found")
        return card

    try:
        yield card_of, lambda params: ask("load", params)
    finally:
        if actor is not None:
            ray.kill(actor)


def _measured(
    models: Mapping[Kind, Params], measure: Measure, output: Output
) -> Iterator[tuple[Kind, Load]]:
    """Measure one kind after the other; those that can't be are told and left out."""
    from ray.exceptions import RayTaskError

    if not models:
        return
    output.say(f"measuring what trials take of a card ({len(models)} kinds of models)...")
    with output.bar("kinds of models measured", len(models)) as advance:
        for kind, params in models.items():
            try:
                yield kind, measure(params)
            except RayTaskError as error:
                reason = _first_line(error.cause)
                output.say(f"{named(kind)} is not measured ({reason}): it has the fixed share")
            except NotMeasured as error:
                output.say(f"{named(kind)} and what follows is not measured: {error}")
                return
            advance()


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _otherwise(fixed: Shares) -> str:
    return f"they have {' or '.join(f'{share:g}' for share in fixed.all)} of one"


def _shares(
    fixed: Shares,
    dataset: Dataset,
    card: Card,
    models: Mapping[Kind, Params],
    loads: Mapping[Kind, Load],
    output: Output,
) -> Shares:
    """What follows from the loads, with a line for each."""
    if not loads:
        return fixed
    counts: dict[Kind, int] = {}
    whole: dict[Kind, Load] = {}
    for kind, params in models.items():
        usual = max(1, int(1 / fixed.of(params)))
        counts[kind] = usual
        if (load := loads.get(kind)) is not None:
            # A head's training holds all features; and its trial is short, mostly beside the card.
            whole[kind] = load._replace(memory=load.memory + _resident(dataset, params))
            least = usual if kind[1] is None and REGISTRY[kind[0]].frozen else 1
            counts[kind] = trials_a_card(whole[kind], card.memory, least=least)
    # Probes only pool the features on the card, as heads of their width would.
    heads = [count for (name, _), count in counts.items() if REGISTRY[name].frozen]
    probe = {"architecture": PROBE}
    counts[kind_of(probe)] = min(heads, default=int(1 / fixed.of(probe)))
    counts = alike(counts)
    for kind, load in whole.items():
        output.say(said(kind, load, card.memory, counts[kind]))
    return Shares(fixed.fixed, {kind: part(count) for kind, count in counts.items()})


def _resident(dataset: Dataset, params: Params) -> int:
    """Bytes of the features that a trial of a head has on the card; 0 of another."""
    if not REGISTRY[params["architecture"]].frozen:
        return 0
    table = dataset.table
    names = table.loc[table["split"] != "test", "video"].unique()
    frames = sum(len(dataset.videos[name]) for name in names)
    return frames * width(params) * _FEATURE_BYTES * (params["views"] or 1)
