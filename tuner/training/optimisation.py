"""Optimizers with a rate for each part of a model, their schedules, and the average of weights."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from models import VideoClassifier
from models.patches import uncompiled
from tuner.config.parameters import TrainingConfig

_MOMENTUM = 0.9
_BACKBONE_SHARE = 0.1  # of the head's rate, where no rate is given: pretrained weights move less


def make_optimizer(model: VideoClassifier, config: TrainingConfig) -> torch.optim.Optimizer:
    """The optimizer of `model`'s trained weights; each group keeps its rate as ``base_lr``.

    One-dimensional parameters (biases, normalisation) of a fine-tuned backbone are not decayed.
    """
    backbone_rate = config.backbone_learning_rate or config.learning_rate * _BACKBONE_SHARE
    parts = model.parameter_groups()
    head = parts["head"]
    matrices = [p for p in parts["backbone"] if p.ndim > 1]
    vectors = [p for p in parts["backbone"] if p.ndim <= 1]
    groups: list[dict[str, Any]] = [
        {"params": head, "lr": config.learning_rate, "weight_decay": config.weight_decay},
        {"params": matrices, "lr": backbone_rate, "weight_decay": config.weight_decay},
        {"params": vectors, "lr": backbone_rate, "weight_decay": 0.0},
    ]
    groups = [{**group, "base_lr": group["lr"]} for group in groups if group["params"]]
    if config.optimizer == "sgd":
        return uncompiled(torch.optim.SGD)(groups, momentum=_MOMENTUM, nesterov=True, fused=True)
    kind = torch.optim.AdamW if config.optimizer == "adamw" else torch.optim.Adam
    # In a CUDA graph the number of steps has to be counted on the card.
    capturable = any(weight.is_cuda for weight in model.parameters())
    return uncompiled(kind)(groups, fused=True, capturable=capturable)


def load_optimizer(optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Continue from an optimizer's ``state_dict``, which may be one of another device."""
    own = [group.get("capturable") for group in optimizer.param_groups]
    optimizer.load_state_dict(state)
    for group, capturable in zip(optimizer.param_groups, own, strict=True):
        if capturable is not None:
            group["capturable"] = capturable


def rate_factor(config: TrainingConfig, *, epoch: float, number: int) -> float:
    """What all learning rates are multiplied by.

    Args:
        epoch: epochs done, with the share of the current one.
        number: the round, from 1.

    Source of the cosine: Loshchilov and Hutter, SGDR: stochastic gradient descent with warm
    restarts, ICLR 2017.
    """
    warm = config.warmup_epochs
    factor = min(1.0, epoch / warm) if warm else 1.0
    if config.schedule == "rounds":
        return factor * config.learning_rate_decay ** (number - 1)
    rest = max(config.epochs - warm, 1)
    return factor * 0.5 * (1 + math.cos(math.pi * min(max(epoch - warm, 0) / rest, 1.0)))


class Average:
    """An exponential moving average of weights, which often generalises better than the last ones.

    The decay grows with the steps, so that the beginning is forgotten soon. Source: Polyak and
    Juditsky, Acceleration of stochastic approximation by averaging, 1992; the growing decay is
    TensorFlow's.

    Args:
        decay: from 0 to below 1; 0.99 averages over about 100 steps.
    """

    def __init__(self, decay: float) -> None:
        self.decay, self.steps = decay, 0
        self.values: dict[str, Tensor] = {}

    def update(self, state: dict[str, Tensor]) -> None:
        """Add the weights after a step to the average."""
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        for name, value in state.items():
            if not value.is_floating_point():
                continue
            if name in self.values:
                self.values[name].lerp_(value.detach(), 1 - decay)
            else:
                self.values[name] = value.detach().clone()

    def state_dict(self) -> dict[str, Any]:
        return {"steps": self.steps, "values": self.values}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.steps, self.values = state["steps"], state["values"]
