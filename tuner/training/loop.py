"""Training one model: rounds at falling learning rates, each from the best weights so far.

A training is a sequence of epochs that can be stopped after any of them and continued elsewhere
from `state_dict`, with the same outcome as if it had not been stopped.
"""

from __future__ import annotations

import copy
import math
import time
from typing import Any

import torch
from torch import Tensor, nn

from tuner.config import METRICS
from tuner.parameters import TrainingConfig
from tuner.training.dataset import Clips
from tuner.training.metrics import class_weights, confusion, scores

_EVALUATION_BATCH = 512


class Diverged(Exception):
    """The loss is no longer a number."""


class Training:
    """Trains `model` epoch by epoch.

    Args:
        model: what is trained; parameters that need no gradient stay as they are.
        train, valid: clips to learn from and to select on.
        classes: their number.
        metric: the best weights are those with the best value of it; ties go to the lower loss.
        seed: with the same seed, parameters and clips, the same figures on one CPU thread.
    """

    def __init__(
        self,
        model: nn.Module,
        train: Clips,
        valid: Clips,
        *,
        config: TrainingConfig,
        classes: int,
        metric: str = "valid_f1",
        seed: int = 0,
        device: torch.device | None = None,
    ) -> None:
        self.device = device or torch.device("cpu")
        self.model = model.to(self.device)
        self.train, self.valid = train.to(self.device), valid.to(self.device)
        self.config, self.classes, self.metric, self.seed = config, classes, metric, seed
        self.sign = 1.0 if METRICS[metric] == "maximize" else -1.0
        weights = class_weights(train.labels, classes, config.class_weights)
        self.loss = nn.CrossEntropyLoss(None if weights is None else weights.to(self.device))
        self.history: list[dict[str, Any]] = []
        self.best_weights: dict[str, Tensor] = {}
        self.best_confusion: list[list[int]] = []
        self.best_epoch = 0
        self.round, self.round_start = 1, 0
        self.finished = False
        self.optimizer = self._new_optimizer()

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
        """How many epochs each round took that has been begun."""
        rounds = [entry["round"] for entry in self.history]
        return [rounds.count(number) for number in sorted(set(rounds))]

    def step(self) -> dict[str, Any]:
        """Train one epoch and evaluate it.

        Returns:
            ``epoch, round, learning_rate, train_loss, train_accuracy, valid_loss, valid_accuracy,
            valid_f1, seconds, data_wait`` (share of the seconds spent waiting for data).

        Raises:
            Diverged: a loss is NaN or infinite.
        """
        start = time.perf_counter()
        # A seed an epoch: a training continued from a checkpoint draws what it would have drawn.
        torch.manual_seed(self.seed * 100_003 + self.epoch)
        result: dict[str, Any] = {
            "epoch": self.epoch + 1,
            "round": self.round,
            "learning_rate": self.optimizer.param_groups[0]["lr"],
        }
        trained, waited = self._train_epoch()
        result |= trained
        logits, labels = self.predict(self.valid)
        valid = scores(logits, labels, self.classes)
        result |= {
            "valid_loss": float(self.loss(logits, labels)),
            "valid_accuracy": valid["accuracy"],
            "valid_f1": valid["f1"],
        }
        for name in ("train_loss", "valid_loss"):
            if not math.isfinite(result[name]):
                raise Diverged(
                    f"{name} is {result[name]} in epoch {result['epoch']} at learning rate "
                    f"{result['learning_rate']:g}: a smaller learning_rate may help"
                )
        result["seconds"] = time.perf_counter() - start
        result["data_wait"] = waited / result["seconds"]
        self.history.append(result)
        if self.best_epoch == 0 or self._better(result, self.best):
            self.best_epoch = self.epoch
            self.best_weights = copy.deepcopy(trained_state(self.model))
            self.best_confusion = confusion(logits, labels, self.classes).tolist()
        self._end_round_if_due()
        return result

    def predict(self, clips: Clips) -> tuple[Tensor, Tensor]:
        """Logits ``[M, C]`` and labels ``[M]`` of all clips, in their order."""
        self.model.eval()
        logits = []
        with torch.inference_mode(), self._autocast():
            for which in torch.arange(len(clips), device=self.device).split(_EVALUATION_BATCH):
                logits.append(self.model(clips.batch(which)[0]).float())
        return torch.cat(logits), clips.labels

    def _train_epoch(self) -> tuple[dict[str, float], float]:
        self.model.train()
        waited = 0.0
        total = torch.zeros(3, device=self.device)  # loss, right answers, clips
        order = torch.randperm(len(self.train)).to(self.device)
        for which in order.split(self.config.batch_size):
            before = time.perf_counter()
            clips, labels = self.train.batch(which)
            waited += time.perf_counter() - before
            with self._autocast():
                logits = self.model(clips)
                loss = self.loss(logits.float(), labels)
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            self.optimizer.step()
            right = (logits.detach().argmax(dim=1) == labels).sum()
            total += torch.stack([loss.detach() * len(labels), right, torch.tensor(len(labels))])
        loss_sum, right_sum, count = total.tolist()
        return {"train_loss": loss_sum / count, "train_accuracy": right_sum / count}, waited

    def _autocast(self) -> torch.autocast:
        return torch.autocast(
            self.device.type, dtype=torch.bfloat16, enabled=self.device.type == "cuda"
        )

    def _new_optimizer(self) -> torch.optim.Optimizer:
        rate = self.config.learning_rate * self.config.learning_rate_decay ** (self.round - 1)
        parameters = [p for p in self.model.parameters() if p.requires_grad]
        return torch.optim.Adam(
            parameters, lr=rate, weight_decay=self.config.weight_decay, fused=True
        )

    def _better(self, result: dict[str, Any], other: dict[str, Any]) -> bool:
        mine, theirs = self.sign * result[self.metric], self.sign * other[self.metric]
        return mine > theirs or (mine == theirs and result["valid_loss"] < other["valid_loss"])

    def _end_round_if_due(self) -> None:
        own = self.history[self.round_start :]
        best = 0
        for number, entry in enumerate(own):
            if self._better(entry, own[best]):
                best = number
        if len(own) - 1 - best < self.config.patience and len(own) < self.config.epochs:
            return
        if self.round == self.config.rounds:
            self.finished = True
            return
        self.round, self.round_start = self.round + 1, self.epoch
        load_trained_state(self.model, self.best_weights)
        self.optimizer = self._new_optimizer()

    def state_dict(self) -> dict[str, Any]:
        """All that `load_state_dict` needs but the best weights, which change more rarely."""
        return {
            "model": trained_state(self.model),
            "optimizer": self.optimizer.state_dict(),
            "history": self.history,
            "best_epoch": self.best_epoch,
            "best_confusion": self.best_confusion,
            "round": self.round,
            "round_start": self.round_start,
            "finished": self.finished,
        }

    def load_state_dict(self, state: dict[str, Any], best_weights: dict[str, Tensor]) -> None:
        """Continue from `state_dict` of a training with the same parameters."""
        load_trained_state(self.model, state["model"])
        self.round = state["round"]
        self.optimizer = self._new_optimizer()
        self.optimizer.load_state_dict(state["optimizer"])
        self.history, self.best_epoch = state["history"], state["best_epoch"]
        self.best_confusion = state["best_confusion"]
        self.round_start, self.finished = state["round_start"], state["finished"]
        self.best_weights = best_weights


def trained_state(model: nn.Module) -> dict[str, Tensor]:
    """The state of `model` without that of a frozen backbone, which its name determines."""
    state = model.state_dict()
    backbone = getattr(model, "backbone", None)
    if backbone is None or any(p.requires_grad for p in backbone.parameters()):
        return state
    return {name: value for name, value in state.items() if not name.startswith("backbone.")}


def load_trained_state(model: nn.Module, state: dict[str, Tensor]) -> None:
    """The inverse of `trained_state`."""
    missing = model.load_state_dict(state, strict=False)
    wrong = [n for n in missing.missing_keys if not n.startswith("backbone.")]
    if wrong or missing.unexpected_keys:
        raise ValueError(f"weights don't fit: {wrong} missing, {missing.unexpected_keys} unknown")
