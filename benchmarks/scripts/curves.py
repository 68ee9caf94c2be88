"""Learning curves of models drawn at random, trained to their end: what `pruning` replays.

    python -m benchmarks.scripts.curves VIDEOS LABELS.csv

Each is trained for the same number of epochs, whatever its figures. The selection metric and the
loss of every epoch go to ``results/curves.json``, so that schedulers can be compared in milliseconds.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import optuna
import torch

import models
from benchmarks.report import FOLDER
from data.console import output
from tuner import Config
from tuner.preparation.one_machine import prepare
from tuner.study.space.space import Space, resolve
from tuner.training.clips.source import ClipSource, fit_normalisation
from tuner.training.loop import Diverged, Training

CONFIG = Path(__file__).parents[2] / "configs" / "seals.yaml"
SPACE = {
    "sequence_length": "[5, 10, 20]",
    "sequence_model": "[LSTM, GRU, SimpleRNN, Convolution1D]",
    "layer_1_size": "[256, 128, 64]",
    "dropout": "{low: 0.0, high: 0.6}",
    "learning_rate": "{low: 1.0e-5, high: 1.0e-1, log: true}",
    "weight_decay": "{low: 1.0e-6, high: 1.0e-1, log: true}",
    "batch_size": "[16, 32, 64]",
}


def main(videos: str, labels: str, trials: int = 200, epochs: int = 27) -> None:
    torch.set_num_threads(1)
    overrides = [f"data.videos={videos}", f"data.labels={labels}", "training.rounds=1"]
    overrides += [f"training.epochs={epochs}", f"training.patience={epochs}"]
    overrides += [f"space.{name}={domain}" for name, domain in SPACE.items()]
    config = Config.load(CONFIG, overrides)
    space = Space(config)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    proposed = [space.sample(study.ask()) for _ in range(trials)]
    dataset = prepare(config.data, [resolve(proposed[0])[0]], FOLDER, output)
    source = ClipSource(dataset, config.data)
    curves = []
    with output.bar("training", trials) as advance:
        for number, params in enumerate(proposed):
            model_config, settings = resolve(params)
            torch.manual_seed(number)
            train, valid = (source.clips(model_config, split) for split in ("train", "valid"))
            model = models.build(model_config, dataset.classes, with_backbone=False)
            fit_normalisation(model, train)
            run = Training(model, train, valid, config=settings, task=source.task, seed=number)
            try:
                while not run.finished:
                    run.step()
            except Diverged:
                pass  # left out: such trials fail in a search, too
            else:
                curves.append([[e["valid_f1"], e["valid_loss"]] for e in run.history])
            advance()
    rounded = [[[round(v, 5) for v in epoch] for epoch in curve] for curve in curves]
    (FOLDER / "curves.json").write_text(json.dumps(rounded, separators=(",", ":")) + "\n")
    print(f"{len(curves)} curves of {epochs} epochs: {FOLDER / 'curves.json'}")


if __name__ == "__main__":
    main(*sys.argv[1:3])
