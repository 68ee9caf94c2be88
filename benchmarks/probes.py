"""What the linear probes of a search cost: 500 videos with stored features, against 10 seconds.

    python -m benchmarks.probes [--videos 500]

The peer is the script that one would write: scikit-learn's LogisticRegression with its own scaling, for
each strength, over the same pooled features in memory.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import models
from benchmarks.report import report
from models import ModelConfig
from tuner.config.parameters import TrainingConfig
from tuner.training.clips.batches import FeatureClips
from tuner.training.clips.source import fit_normalisation
from tuner.training.probe import STRENGTHS, ProbeTraining
from tuner.training.task import Multiclass

CLASSES, FRAMES, KINDS = ["empty", "fox", "deer", "bird"], 32, 6


def clips(videos: int, width: int, seed: int) -> FeatureClips:
    """Made-up features of videos in which some frames show what the label says."""
    draw = torch.Generator().manual_seed(seed)
    labels = torch.randint(len(CLASSES), (videos,), generator=draw)
    features = torch.randn(videos, FRAMES, width, generator=draw)
    features[:, :10] += 0.2 * torch.randn(len(CLASSES), width, generator=draw)[labels][:, None]
    index = torch.arange(videos * FRAMES).view(videos, FRAMES)
    return FeatureClips(features.half().flatten(0, 1), index, labels)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--videos", type=int, default=500)
    args = parser.parse_args()
    torch.set_num_threads(1)
    config = ModelConfig(architecture="linear_probe", frames_per_video=FRAMES)
    ours, peers = 0.0, 0.0
    for kind in range(KINDS):
        model = models.build(config, CLASSES, with_backbone=False)
        train, valid = (clips(n, model.num_features, kind) for n in (args.videos, args.videos // 5))
        begin = time.perf_counter()
        fit_normalisation(model, train)
        training = ProbeTraining(
            model, train, valid, config=TrainingConfig(), task=Multiclass(CLASSES)
        )
        training.step()
        ours += time.perf_counter() - begin
        begin = time.perf_counter()
        pooled = []
        for part in (train, valid):
            steps = part.features.float().view(-1, FRAMES, model.num_features).numpy()
            pooled.append(np.concatenate([steps.mean(1), steps.max(1), steps.std(1)], axis=1))
        for strength in STRENGTHS:
            fit = LogisticRegression(C=strength, class_weight="balanced")
            pipeline = make_pipeline(StandardScaler(), fit).fit(pooled[0], train.labels.numpy())
            pipeline.score(pooled[1], valid.labels.numpy())
        peers += time.perf_counter() - begin
    report(
        "probes",
        {
            f"seconds of {KINDS} probes / 10 s": (ours / 10, "below 1"),
            "scikit-learn's own loop / ours": (peers / ours, "-"),
        },
        {"seconds": ours, "peer": peers, "videos": args.videos},
    )


if __name__ == "__main__":
    main()
