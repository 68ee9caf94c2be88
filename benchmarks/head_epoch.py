"""An epoch of an LRCN head over stored features, against the same loop over tensors in memory.

The peer is what a script would do: PyTorch's own LSTM over every window as float32 in memory (L copies
of each feature), trained and evaluated, with no other metrics and no checkpoint.
"""

from __future__ import annotations

import statistics
import time

import torch

import models
from benchmarks.report import report
from benchmarks.scripts.common import Head, epoch
from data.console import output
from models import ModelConfig
from tuner.config.parameters import TrainingConfig
from tuner.config.sections import DataConfig
from tuner.preparation.one_machine import load_dataset
from tuner.training.clips.source import ClipSource, fit_normalisation
from tuner.training.loop import Training

CONFIG = ModelConfig(
    architecture="video_lrcnn_frozen", sequence_model="LSTM", sequence_length=5, layer_1_size=256
)


def main(epochs: int = 15) -> None:
    torch.set_num_threads(1)
    dataset = load_dataset(DataConfig(), output)
    source = ClipSource(dataset, DataConfig())
    train, valid = (source.clips(CONFIG, split) for split in ("train", "valid"))
    ours = models.build(CONFIG, dataset.classes, with_backbone=False)
    fit_normalisation(ours, train)
    settings = TrainingConfig(epochs=10_000, patience=10_000, rounds=1)
    training = Training(ours, train, valid, config=settings, task=source.task)

    peer = Head("LSTM", 256)
    data = {
        name: (ours.norm(split.features[split.index]), split.labels)
        for name, split in (("train", train), ("valid", valid))
    }
    optimizer = torch.optim.Adam(peer.parameters(), lr=1e-3, fused=True)

    ratios, seconds = [], []
    for _ in range(epochs):  # in turn, so that a busy machine slows both
        begin = time.perf_counter()
        training.step()
        our_seconds = time.perf_counter() - begin
        begin = time.perf_counter()
        epoch(peer, optimizer, data)
        ratios.append((time.perf_counter() - begin) / our_seconds)
        seconds.append(our_seconds)
    report(
        "head_epoch",
        {"speed / loop over tensors in memory": (statistics.median(ratios[2:]), "0.9 or more")},
        {"seconds": statistics.median(seconds[2:]), "clips": len(train)},
    )


if __name__ == "__main__":
    main()
