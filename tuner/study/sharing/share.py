"""From what a trial takes of a card to how many trials share one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from models.registry import PROBE, REGISTRY
from tuner.config.sections import MOST_ON_A_GPU

if TYPE_CHECKING:
    from tuner.training.speed import Load

MARGIN = 0.1  # of its memory is left free: allocators fragment, and validation has peaks of its own
_FULL = 0.9  # of its time: a card that computes so much is full
_UNITS = 10_000  # Ray counts parts of a card in these

Kind = tuple[str, str | None]  # an architecture, and the network that it trains, if it trains one


def kind_of(params: Mapping[str, Any]) -> Kind:
    """The kind of a trial's model: heads of an architecture are alike, whatever features they take."""
    name = params["architecture"]
    return name, None if REGISTRY[name].frozen else params["pretrained_model_name"]


def named(kind: Kind) -> str:
    """``image_mlp_trainable of resnet50``."""
    name, network = kind
    return name if network is None else f"{name} of {network}"


@dataclass(frozen=True)
class Shares:
    """What a trial gets of a card: 1 is a whole one, 0 none.

    Attributes:
        fixed: by architecture.
        measured: by kind; these come first.
    """

    fixed: Mapping[str, float]
    measured: Mapping[Kind, float] = field(default_factory=dict)

    def of(self, params: Mapping[str, Any]) -> float:
        """The share of a trial with these parameters."""
        share = self.measured.get(kind_of(params))
        return self.fixed[params["architecture"]] if share is None else share

    @property
    def all(self) -> list[float]:
        """The different shares, smallest first; without that of the probes, which are soon done."""
        by_name = [(name, share) for (name, _), share in self.measured.items()]
        by_name = by_name or list(self.fixed.items())
        searched = [share for name, share in by_name if name != PROBE]
        return sorted(set(searched or [share for _, share in by_name]))


def trials_a_card(load: Load, memory: int, *, least: int = 1) -> int:
    """How many trials of a kind share a card: as many as fit, and no more than make it busy.

    Trials take turns on a card, so one that keeps it busy for 30 % of the time leaves room for two
    more; a fourth would only wait. The number is rounded up, as no trial computes all the time:
    epochs begin, models are saved.

    Args:
        load: of one trial, the largest of its kind.
        memory: of the card, in bytes.
        least: so many where they fit, however busy one keeps the card.
    """
    fit = int((1 - MARGIN) * memory / max(1, load.memory))
    useful = math.ceil(_FULL / max(load.busy, _FULL / MOST_ON_A_GPU))
    return max(1, min(fit, max(useful, least), MOST_ON_A_GPU))


def alike(counts: Mapping[Kind, int]) -> dict[Kind, int]:
    """`counts` with those made equal that differ by less than twice; all of them go with the smallest.

    Tune gives a trial a worker that is up only if both have the same share. Another one has to start,
    which takes about ten seconds and, where the card is full, the end of the first.
    """
    common, result = 0, {}
    for kind, count in sorted(counts.items(), key=lambda item: item[1]):
        if count >= 2 * common:
            common = count
        result[kind] = common
    return result


def part(count: int) -> float:
    """The share of which `count` make up a card, rounded down: else Ray would fit one less."""
    return _UNITS // count / _UNITS


def said(kind: Kind, load: Load, memory: int, count: int) -> str:
    """A line with what a kind of trial takes of a card, and how many share one for it."""
    used, whole = load.memory / 1e9, memory / 1e9
    return (
        f"{named(kind)}: {used:.1f} of {whole:.0f} GB, busy {load.busy:.0%}: "
        f"{count} trial{'s' * (count > 1)} a card"
    ).replace("%", " %")
