"""How long a search will take on this machine, and what would make it shorter, before it runs."""

from __future__ import annotations

import math
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import torch

import models
from data import Dataset
from data.console import Output, duration
from data.videos.video import Video
from models.config import ModelConfig
from tuner.config.load import Config
from tuner.config.parameters import TrainingConfig
from tuner.preparation.cluster import learnt_from
from tuner.preparation.costs import Need, Part, gigabytes, lines, need, warnings
from tuner.preparation.speed import Speed, measure
from tuner.study.halving.rungs import Rungs, most_epochs, usual, usual_epochs
from tuner.study.space.checks import searched_views
from tuner.study.space.space import Space, resolve
from tuner.study.time_left import TimeLeft
from tuner.training.clips.batches import Clips, FeatureClips, FrameClips
from tuner.training.device import OutOfMemory, best_device
from tuner.training.loop import Diverged, Training
from tuner.training.task import Multiclass

_DRAWS = 100  # of the space, for the share of each architecture
_BATCHES = 16  # of features; a batch of frames takes long enough
_FEW = 2  # clips of frames, on CPUs
_EVALUATION = 1 / 3  # of the time that training on a clip takes: there is no backward pass
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
    each = epoch_seconds(config, space, dataset, speed.unknown)
    of_trials = trial_seconds(config, trials, each, workers)
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


def trial_seconds(config: Config, trials: int, epoch: float, workers: int) -> Trials:
    """How long the trials take, by the seconds of an `epoch` and the odds of successive halving."""
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
    limit = math.inf if search.time_budget is None else search.time_budget
    return Trials(min(limit, steps * step / at_once), min(limit, trials * most / at_once))


def epoch_seconds(config: Config, space: Space, dataset: Dataset, unknown: list[str]) -> float:
    """Mean seconds of an epoch over the space, from one model of each architecture.

    It is trained on a few clips of noise. An architecture that does not fit goes to `unknown`.
    """
    draw = _Draw()
    drawn = [resolve(space.sample(draw)) for _ in range(_DRAWS)]
    shares = Counter(model.architecture for model, _ in drawn)
    threads = torch.get_num_threads()
    torch.set_num_threads(max(1, int(config.resources.cpus)))  # as a trial does
    total, counted = 0.0, 0
    try:
        for name, share in shares.items():
            model, training = next(pair for pair in drawn if pair[0].architecture == name)
            try:
                total += share * _epoch(model, training, dataset, config)
                counted += share
            except (OutOfMemory, Diverged) as error:
                unknown.append(f"trials of {name} are not measured ({error})")
    finally:
        torch.set_num_threads(threads)
    return total / counted if counted else 0.0


def _epoch(model: ModelConfig, settings: TrainingConfig, dataset: Dataset, config: Config) -> float:
    """Seconds of an epoch of one model, over all clips of the data set."""
    splits = dataset.table["split"].value_counts()
    train, valid = int(splits.get("train", 0)), int(splits.get("valid", 0))
    if (validation := config.search.validation) is not None:
        learnt = train + valid
        valid = max(1, learnt // validation.folds)
        train = learnt - valid
    train = min(train, settings.clips_per_epoch or train)
    device = best_device()
    stored = models.uses_stored_features(model)
    count = settings.batch_size * settings.accumulate
    if stored:
        count *= _BATCHES
    elif device.type == "cpu":
        count = min(count, _FEW)
    count, checked = max(_FEW, min(train, count)), max(_FEW, min(valid, count if stored else 0))
    plain = model.model_copy(update={"pretrained": False, "model_weights_path": None})
    training = Training(
        models.build(plain, dataset.classes, with_backbone=False),
        noise_clips(model, count, len(dataset.classes)),
        noise_clips(model, checked, len(dataset.classes)),
        config=settings,
        task=Multiclass(dataset.classes),
        metric=config.search.metric,
        device=device,
    )
    if stored or device.type == "cuda":
        training.step()  # the first takes longer
    start = time.perf_counter()
    training.step()
    seconds = time.perf_counter() - start
    return seconds * (train + _EVALUATION * valid) / (count + _EVALUATION * checked)


def noise_clips(model: ModelConfig, count: int, classes: int) -> Clips:
    """Clips as the model takes them, of features or frames, that show nothing."""
    draw = np.random.default_rng(0)
    labels = torch.arange(count) % classes
    steps = models.input_steps(model)
    if models.uses_stored_features(model):
        width = models.build(model, ["one", "other"], with_backbone=False).num_features
        index = torch.from_numpy(draw.integers(0, 8 * count, (count, 1))) + torch.arange(steps)
        return FeatureClips(torch.rand(8 * count + steps, width).half(), index, labels)
    length = steps * models.clip_length(model)
    frames = draw.integers(0, 256, (length, *models.frame_size(model), 3), np.uint8)
    return FrameClips(
        videos=[[frames] * len(models.streams(model))],
        video=torch.zeros(count, dtype=torch.int64),
        index=torch.arange(length).expand(count, length),
        labels=labels,
    )


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
