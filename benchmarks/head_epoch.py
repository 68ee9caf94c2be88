"""An epoch of an LRCN head over stored features, against the same loop over tensors in memory.

The peer holds every window as float32 in memory (L copies of each feature), and does nothing but
train: no metrics, no validation, no checkpoint.
"""

from __future__ import annotations

import statistics
import time

import torch
from torch import nn

import models
from benchmarks.report import report
from models import ModelConfig
from tuner import cli
from tuner.config import DataConfig
from tuner.parameters import TrainingConfig
from tuner.training.clips import FeatureClips
from tuner.training.dataset import ClipSource, fit_normalisation
from tuner.training.loop import Training
from tuner.training.prepare import load_dataset

CONFIG = ModelConfig(
    architecture="video_lrcnn_frozen", sequence_model="LSTM", sequence_length=5, layer_1_size=256
)


def peer_epoch(
    model: nn.Module, optimizer: torch.optim.Optimizer, windows: torch.Tensor, labels: torch.Tensor
) -> float:
    """Seconds of one epoch of the plain loop."""
    start = time.perf_counter()
    model.train()
    for which in torch.randperm(len(labels)).split(32):
        loss = nn.functional.cross_entropy(model(windows[which]), labels[which])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
    return time.perf_counter() - start


def main(epochs: int = 15) -> None:
    torch.set_num_threads(1)
    dataset = load_dataset(DataConfig(), cli.output)
    train = ClipSource(dataset, DataConfig()).clips(CONFIG, "train")
    empty = FeatureClips(
        train.features, train.index[:1], train.labels[:1]
    )  # no validation to speak of

    ours = models.build(CONFIG, dataset.classes, with_backbone=False)
    fit_normalisation(ours, train)
    settings = TrainingConfig(epochs=10_000, patience=10_000, rounds=1)
    training = Training(ours, train, empty, config=settings, classes=len(dataset.classes))

    theirs = models.build(CONFIG, dataset.classes, with_backbone=False)
    fit_normalisation(theirs, train)
    windows = train.features[train.index].float()
    optimizer = torch.optim.Adam(theirs.parameters(), lr=1e-3, fused=True)

    ratios, seconds = [], []
    for _ in range(epochs):  # in turn, so that a busy machine slows both
        begin = time.perf_counter()
        training.step()
        mine = time.perf_counter() - begin
        peer = peer_epoch(theirs, optimizer, windows, train.labels)
        ratios.append(peer / mine)
        seconds.append(mine)
    report(
        "head_epoch",
        {"speed / loop over tensors in memory": (statistics.median(ratios[2:]), "0.8 or more")},
        {"seconds": statistics.median(seconds[2:]), "clips": len(train)},
    )


if __name__ == "__main__":
    main()
