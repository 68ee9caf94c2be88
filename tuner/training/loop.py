"""Training one model: rounds at falling learning rates, each from the best weights so far.

A training is a sequence of epochs that can be stopped after any of them and continued elsewhere
from `state_dict`, with the same outcome as if it had not been stopped.
"""

from __future__ import annotations

import contextlib
import copy
import math
import time
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from models import VideoClassifier
from tuner.config.parameters import TrainingConfig
from tuner.objective import Objective
from tuner.training.clips.augment import augmentation
from tuner.training.clips.batches import Clips, FeatureClips, all_logits
from tuner.training.device import OF_BACKBONES, OF_HEADS, keep_freed_memory, precision
from tuner.training.optimisation import Average, load_optimizer, make_optimizer, rate_factor
from tuner.training.state import load_trained_state, moved, trained_state
from tuner.training.steps.graph import GraphedStep
from tuner.training.steps.plain import Step
from tuner.training.task import Task

_EVALUATION_BATCH = 512  # of features; frames come in batches as large as in training


class Diverged(Exception):
    """The loss is no longer a number."""


class OutOfTime(Exception):
    """The time for training is over in the middle of an epoch, which then does not count."""


class Training:
    """Trains `model` epoch by epoch.

    Args:
        model: what is trained; parameters that need no gradient stay as they are.
        train, valid: clips to learn from and to select on.
        task: says what labels and logits mean.
        metric: decides which epoch, and so which weights, are the best; see `Objective`.
        seed: with the same seed, parameters and clips, the same figures on one CPU thread.
        deadline: when the time for it is over, in seconds of `time.time`; None: never.
    """

    def __init__(
        self,
        model: VideoClassifier,
        train: Clips,
        valid: Clips,
        *,
        config: TrainingConfig,
        task: Task,
        metric: str = "valid_f1",
        seed: int = 0,
        device: torch.device | None = None,
        deadline: float | None = None,
    ) -> None:
        self.deadline = deadline
        self.device = device or torch.device("cpu")
        self.model = model.to(self.device)
        self.train, self.valid = train.to(self.device), valid.to(self.device)
        self.config, self.task, self.seed = config, task, seed
        self.objective = Objective(metric)
        self.stored = isinstance(train, FeatureClips)
        if self.device.type == "cpu":
            keep_freed_memory(OF_HEADS if self.stored else OF_BACKBONES)
        self.precision = precision(config.precision, self.device, self.model, stored=self.stored)
        self.augmentation = augmentation(config)
        kind = GraphedStep if self.device.type == "cuda" else Step
        loss = task.loss(config, train.labels)
        self.step_over = kind(
            *(self.model, config, task, loss, self.augmentation, self.device, self.precision)
        )
        self.history: list[dict[str, Any]] = []
        self.best_weights: dict[str, Tensor] = {}
        self.best_confusion: list[Any] = []
        self.best_valid: tuple[Tensor, Tensor] | None = None
        self.best_epoch = 0
        self.round, self.round_start = 1, 0
        self.finished = False
        self.optimizer = make_optimizer(self.model, config)
        self.average = Average(config.ema) if config.ema else None

    @property
    def epoch(self) -> int:
        """Epochs done."""
        return len(self.history)

    @property
    def best(self) -> dict[str, Any]:
        """The figures of the best epoch."""
        return self.history[self.best_epoch - 1]

    @property
    def stopped_epochs(self) -> list[int]:
        """How many epochs each round has taken, of the rounds that have begun."""
        rounds = [entry["round"] for entry in self.history]
        return [rounds.count(number) for number in sorted(set(rounds))]

    def step(self) -> dict[str, Any]:
        """Train one epoch and evaluate it.

        Returns:
            ``epoch, round, learning_rate, train_loss, train_accuracy``, all of `METRICS`, ``seconds,
            data_wait`` (share of the seconds spent waiting for data).

        Raises:
            Diverged: a loss is NaN or infinite.
            OutOfTime: the deadline has come; the results of earlier epochs are unchanged.
        """
        start = time.perf_counter()
        # Each epoch has its own seed, so that a training draws the same when it is resumed.
        torch.manual_seed(self.seed * 100_003 + self.epoch)
        result: dict[str, Any] = {
            "epoch": self.epoch + 1,
            "round": self.round,
            "learning_rate": self.config.learning_rate * self._rate_factor(0.5),
        }
        trained, waited = self._train_epoch()
        result |= trained
        judged = self._judge(result)
        for name in ("train_loss", "valid_loss"):
            if not math.isfinite(result.get(name, 0.0)):
                raise Diverged(
                    f"{name} is {result[name]} in epoch {result['epoch']} at learning rate "
                    f"{result['learning_rate']:g}: a smaller learning_rate may help"
                )
        result["seconds"] = time.perf_counter() - start
        result["data_wait"] = waited / result["seconds"]
        self.history.append(result)
        self._keep_if_best(judged)
        self._end_round_if_due()
        return result

    def _judge(self, result: dict[str, Any]) -> tuple[Tensor, Tensor] | None:
        """Add the valid split's figures to an epoch's result; returns its logits and labels."""
        with self.evaluated():
            logits, labels = self.predict(self.valid)
        figures = self.task.epoch_figures(logits, labels)
        result |= {f"valid_{name}": value for name, value in figures.items()}
        return logits, labels

    def _keep_if_best(self, judged: tuple[Tensor, Tensor] | None) -> None:
        """Keep the weights of the latest epoch, if it is the best; `judged` as of `_judge`."""
        assert judged is not None
        result = self.history[-1]
        if self.best_epoch == 0 or self.objective.better(result, self.best):
            self._keep()
            self.best_confusion = self.task.epoch_confusion(*judged).tolist()
            self.best_valid = judged

    def _keep(self) -> None:
        """Make the latest epoch the best."""
        self.best_epoch = self.epoch
        with self.evaluated():
            self.best_weights = copy.deepcopy(trained_state(self.model))

    def valid_at_best(self) -> tuple[Tensor, Tensor]:
        """Logits ``[M, C]`` and labels ``[M]`` of the valid split at the best epoch, on the CPU."""
        if self.best_valid is None:  # another process has trained it
            with self.at_best():
                self.best_valid = self.predict(self.valid)
        logits, labels = self.best_valid
        return logits.cpu(), labels.cpu()

    def calibration(self) -> dict[str, Any]:
        """Of the best epoch; as of the task's."""
        logits, labels = self.valid_at_best()
        return self.task.calibration(self.task.probabilities(logits.double()), labels)

    @contextlib.contextmanager
    def evaluated(self) -> Iterator[None]:
        """The model with the weights that are evaluated: their average, if one is kept."""
        if self.average is None or not self.average.values:
            yield
            return
        current = copy.deepcopy(trained_state(self.model))
        load_trained_state(self.model, {**current, **self.average.values})
        try:
            yield
        finally:
            load_trained_state(self.model, current)

    @contextlib.contextmanager
    def at_best(self) -> Iterator[None]:
        """The model with its best weights so far."""
        current = copy.deepcopy(trained_state(self.model))
        load_trained_state(self.model, self.best_weights)
        try:
            yield
        finally:
            load_trained_state(self.model, current)

    def predict(self, clips: Clips) -> tuple[Tensor, Tensor]:
        """Logits ``[M, C]`` and labels ``[M]`` of all clips, in their order."""
        self.model.eval()
        size = _EVALUATION_BATCH if self.stored else self.step_over.at_once.most
        with self.step_over.autocast():
            return all_logits(self.model, clips, size, on_batch=self._check_time), clips.labels

    def _train_epoch(self) -> tuple[dict[str, float], float]:
        self.model.train()
        config = self.config
        order = torch.randperm(len(self.train))
        if config.sampling == "balanced":
            order = self.task.balanced_order(self.train.labels.cpu())
        order = order[: config.clips_per_epoch]
        count, size = len(order), config.batch_size * config.accumulate
        windows = self.augmentation.windows if self.augmentation.changes_time else None
        batches = self.train.batches(order, size, windows=windows)
        waited = 0.0
        total = torch.zeros(3, device=self.device)  # loss, right answers, clips
        for done in range(0, count, size):
            self._check_time()
            before = time.perf_counter()
            clips, labels = next(batches)
            waited += time.perf_counter() - before
            factor = self._rate_factor(min(done + size, count) / count)
            for group in self.optimizer.param_groups:
                group["lr"] = group["base_lr"] * factor
            total += self.step_over(self.optimizer, clips, labels)
            if self.average:
                self.average.update(trained_state(self.model))
        loss_sum, right_sum, seen = total.tolist()
        return {"train_loss": loss_sum / seen, "train_accuracy": right_sum / seen}, waited

    def _check_time(self, _: object = None) -> None:
        if self.deadline is not None and time.time() >= self.deadline:
            raise OutOfTime

    def _rate_factor(self, done: float) -> float:
        """The factor of all learning rates; `done` is the share of the current epoch."""
        return rate_factor(self.config, epoch=self.epoch + done, number=self.round)

    def _end_round_if_due(self) -> None:
        if self.config.schedule == "cosine":
            self.finished = self.epoch >= self.config.epochs
            return
        of_round = self.history[self.round_start :]
        if (
            len(of_round) - 1 - self.objective.best(of_round) < self.config.patience
            and len(of_round) < self.config.epochs
        ):
            return
        if self.round == self.config.rounds:
            self.finished = True
            return
        load_trained_state(self.model, self.best_weights)
        self._begin_round(self.round + 1)

    def _begin_round(self, number: int) -> None:
        self.round, self.round_start = number, self.epoch
        self.optimizer = make_optimizer(self.model, self.config)
        self.average = Average(self.config.ema) if self.config.ema else None

    def state_dict(self) -> dict[str, Any]:
        """All that `load_state_dict` needs, except the best weights, which change less often.

        A training that has finished does not go on, so its last weights are left out.
        """
        going_on = not self.finished
        return {
            "model": trained_state(self.model) if going_on else None,
            "optimizer": self.optimizer.state_dict() if going_on else None,
            "history": self.history,
            "best_epoch": self.best_epoch,
            "best_confusion": self.best_confusion,
            "round": self.round,
            "round_start": self.round_start,
            "parts": self.step_over.parts,
            "finished": self.finished,
            "average": self.average.state_dict() if self.average and going_on else None,
        }

    def load_state_dict(self, state: dict[str, Any], best_weights: dict[str, Tensor]) -> None:
        """Continue from `state_dict` of a training with the same parameters, on whatever device."""
        state, best_weights = moved((state, best_weights), self.device)
        load_trained_state(self.model, state["model"] or best_weights)
        self.round = state["round"]
        if not state["finished"]:
            load_optimizer(self.optimizer, state["optimizer"])
            if self.average:
                self.average.load_state_dict(state["average"])
        self.history, self.best_epoch = state["history"], state["best_epoch"]
        self.best_confusion = state["best_confusion"]
        self.round_start, self.finished = state["round_start"], state["finished"]
        self.step_over.parts = state["parts"]
        self.best_weights = best_weights
