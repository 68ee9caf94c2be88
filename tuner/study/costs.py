"""How long a search will take on this machine, and what would make it shorter, before it runs."""

from __future__ import annotations

import contextlib
import math
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from statistics import median
from typing import Any, NamedTuple

import torch

import models
from data import Dataset
from data.console import Output, duration
from data.videos.video import Video
from models.config import ModelConfig
from tuner.config.load import Config
from tuner.preparation.cluster import learnt_from
from tuner.preparation.costs import Need, Part, gigabytes, lines, need, warnings
from tuner.preparation.speed import Speed, measure
from tuner.study.halving.rungs import Rungs, most_epochs, usual, usual_epochs
from tuner.study.space.checks import searched_views
from tuner.study.space.probes import probes
from tuner.study.space.space import Space, resolve
from tuner.study.time_left import TimeLeft
from tuner.training.device import OutOfMemory
from tuner.training.loop import Diverged
from tuner.training.speed import epoch_seconds, probe_seconds

_DRAWS = 100  # of the space, for the share of each architecture
_ROUND_RATES = (10, 5, 2, 1)  # frames a second
_LONG, _LARGE = 600, 5e9  # seconds and bytes, from which a lower rate is worth a hint


class Trials(NamedTuple):
    """Seconds that all trials take: as it is to be expected, and at most."""

    expected: float
    most: float


def say_costs(
    config: Config,
    space: Space,
    searched: Sequence[ModelConfig],
    dataset: Dataset,
    trials: int,
    workers: int,
    output: Output,
) -> None:
    """Say what is to be stored, how long all will take here, and whether a lower rate would help.

    Args:
        trials: that will be tried.
        workers: trials that run at once.
    """
    videos = list(dataset.videos.values())
    table = dataset.table
    tested = set(table["video"]) - set(table.loc[table["split"] != "test", "video"])

    def needed(videos: Sequence[Video]) -> Need:
        return need(
            searched,
            videos,
            config.data,
            without_features=tested,
            views=searched_views(space),
            learnt=learnt_from(dataset, config),
        )

    now = needed(videos)
    for line in lines(now):
        output.say(line)
    for warning in warnings(now, config.data):
        output.warn(warning)
    output.say("measuring how long it will take on this machine...")
    speed = measure(now, config.data, output)
    each = mean_epoch(config, space, dataset, speed.unknown)
    train, valid = _clips(dataset, config)
    of_trials = trial_seconds(
        config,
        trials,
        each,
        workers,
        before=all_probes(config, dataset) / workers,
        more=(train + valid) / max(1, train),
    )
    output.say(_times(now, speed, of_trials))
    for reason in speed.unknown:
        output.say(f"  {reason}")
    if hint := _hint(config, videos, now, speed, of_trials.expected, needed):
        output.say(hint)


def _times(need: Need, speed: Speed, trials: Trials) -> str:
    parts = []
    if need.decodings:
        parts.append(f"decoding {duration(speed.decoding(need))}")
    by_backbone: dict[str, list[Part]] = {}
    for part in need.features:
        by_backbone.setdefault(part.what, []).append(part)
    for what, alike in by_backbone.items():  # together: one pass may give several of them
        if seconds := speed.computing(alike):
            parts.append(f"{what} {duration(seconds)}")
    parts.append(
        f"trials {duration(trials.expected)} (at most {duration(trials.most)})"
        if trials.most
        else "trials seconds each"
    )
    total = _prepared(need, speed) + trials.expected
    least = "at least " if speed.unknown else ""
    return f"time here, about: {', '.join(parts)}; {least}{duration(total)} in all"


def _prepared(need: Need, speed: Speed) -> float:
    return speed.decoding(need) + speed.computing(need.features)


def _hint(
    config: Config,
    videos: Sequence[Video],
    now: Need,
    speed: Speed,
    trials: float,
    needed: Any,
) -> str:
    """What two lower sampling rates would take, where there is much to prepare; else nothing."""
    seconds = _prepared(now, speed) + trials
    if config.data.unit != "frame" or (seconds < _LONG and now.missing_bytes < _LARGE):
        return ""
    if speed.decode is None or not speed.knows(now.features):
        return ""  # most is stored already, or it can't be told
    rate = median(video.fps or video.info.fps for video in videos)
    options = []
    for fps in lower_rates(rate):
        fewer = [replace(video, fps=fps) for video in videos]
        there, share = needed(fewer), sum(map(len, fewer)) / sum(map(len, videos))
        lasts = duration(_prepared(there, speed) + trials * share)
        options.append(f"  data.fps={fps}: {gigabytes(there.missing_bytes)}, {lasts} in all")
    if not options:
        return ""
    return "\n".join(
        [f"hint: {rate:.3g} frames a second are taken of the videos; fewer need less, and the "
         "frames of a clip then span a longer time:", *options]
    )  # fmt: skip


def lower_rates(rate: float) -> list[int]:
    """Two round sampling rates that are at most half of `rate`, if there are any."""
    return [lower for lower in _ROUND_RATES if lower <= rate / 2][:2]


def trial_seconds(
    config: Config,
    trials: int,
    epoch: float,
    workers: int,
    *,
    before: float = 0.0,
    more: float = 1.0,
) -> Trials:
    """How long the trials take, by the seconds of an `epoch` and the odds of successive halving.

    Args:
        before: seconds until the first of them begins, of the linear probes.
        more: how much longer an epoch of train and valid is, for a search with ``refit``.
    """
    search = config.search
    step = epoch if search.validation is None else epoch * usual_epochs(config)
    rungs = Rungs.of(config)
    left = TimeLeft(
        trials, levels=rungs.levels, factor=search.reduction_factor, first_guess=usual(config)
    )
    at_once = min(workers, trials) or 1
    steps = left.epochs(running=[], waiting=[], ended=0)
    most = epoch * most_epochs(config)
    if (validation := search.validation) is not None:
        most *= validation.folds
        if validation.refit:  # after the last fold, on the videos of all of them
            longer = validation.folds / (validation.folds - 1)
            most += longer * epoch * most_epochs(config)
            steps += longer * trials / search.reduction_factor ** len(rungs.levels)
    elif search.refit:
        most += more * epoch * most_epochs(config)
        steps += more * most_epochs(config) * trials / search.reduction_factor ** len(rungs.levels)
    limit = math.inf if search.time_budget is None else search.time_budget
    return Trials(
        min(limit, before + steps * step / at_once), min(limit, before + trials * most / at_once)
    )


def mean_epoch(config: Config, space: Space, dataset: Dataset, unknown: list[str]) -> float:
    """Mean seconds of an epoch over the space, from one model of each architecture.

    An architecture that does not fit goes to `unknown`.
    """
    draw = _Draw()
    drawn = [resolve(space.sample(draw)) for _ in range(_DRAWS)]
    shares = Counter(model.architecture for model, _ in drawn)
    train, valid = _clips(dataset, config)
    total, counted = 0.0, 0
    with _threads(config):
        for name, share in shares.items():
            model, settings = next(pair for pair in drawn if pair[0].architecture == name)
            try:
                seconds = epoch_seconds(model, settings, dataset.classes, train=train, valid=valid)
            except (OutOfMemory, Diverged) as error:
                unknown.append(f"trials of {name} are not measured ({error})")
                continue
            total += share * seconds
            counted += share
    return total / counted if counted else 0.0


def all_probes(config: Config, dataset: Dataset) -> float:
    """Seconds of all linear probes, one after the other, from one of each width."""
    train, _ = _clips(dataset, config)
    validation = config.search.validation
    fits = 1 + config.search.refit if validation is None else validation.folds + validation.refit
    each: dict[int, float] = {}
    total = 0.0
    with _threads(config):
        for model, settings in map(resolve, probes(config)):
            width = len(models.streams(model))
            if width not in each:
                each[width] = probe_seconds(model, settings, dataset.classes, train=train)
            total += fits * each[width]
    return total


@contextlib.contextmanager
def _threads(config: Config) -> Iterator[None]:
    """As many as a trial has."""
    threads = torch.get_num_threads()
    torch.set_num_threads(max(1, int(config.resources.cpus)))
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _clips(dataset: Dataset, config: Config) -> tuple[int, int]:
    """How many clips a training learns from, and how many validate it."""
    splits = dataset.table["split"].value_counts()
    train, valid = int(splits.get("train", 0)), int(splits.get("valid", 0))
    if (validation := config.search.validation) is not None:
        learnt = train + valid
        valid = max(1, learnt // validation.folds)
        train = learnt - valid
    return train, valid


class _Draw:
    """Draws from a space as Optuna's trial would, evenly and without a study."""

    def __init__(self) -> None:
        self.random = random.Random(0)

    def suggest_categorical(self, name: str, choices: list[Any]) -> Any:
        return self.random.choice(choices)

    def suggest_int(self, name: str, low: int, high: int, *, step: int, log: bool) -> int:
        return self.random.randrange(low, high + 1, step)

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None, log: bool
    ) -> float:
        return self.random.uniform(low, high)
