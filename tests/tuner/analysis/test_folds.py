"""What validated by folds is predicted by the models that were not trained on it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import models
from data.console import quiet
from models import Mixture, ModelConfig
from tuner.analysis import artifacts
from tuner.analysis.folds import held_out, predict_held_out
from tuner.analysis.prediction import predict
from tuner.config.sections import DataConfig
from tuner.preparation.one_machine import load_dataset

pytestmark = pytest.mark.shared_cache
CLASSES = ["noseal", "seal"]
FOLDS = {"b1": 1, "a2": 2, "a1": 3}
KINDS = {
    "frame": {"architecture": "image_mlp_frozen"},
    "video": {
        "architecture": "image_mlp_frozen",
        "video_pooling": "AttentionPooling",
        "frames_per_video": 6,
    },
}


def mixture(count: int, kind: str) -> Mixture:
    config = ModelConfig(frame_size=64, layer_1_size=8, **KINDS[kind])
    return Mixture([models.build(config, CLASSES, with_backbone=False) for _ in range(count)])


@pytest.mark.parametrize("kind", KINDS)
def test_each_video_is_predicted_by_the_members_that_did_not_see_it(drawn: Path, kind: str) -> None:
    torch.manual_seed(1)
    data = DataConfig(videos=str(drawn), labels=str(drawn / "labels.csv"))
    dataset = load_dataset(data, quiet)
    networks = [mixture(2, kind), mixture(3, kind)]  # one of them stopped after two folds
    videos = list(dataset.videos.values())
    found = predict_held_out(networks, videos, data, FOLDS, weights=[1, 2])
    assert list(found.videos["video"]) == [video.name for video in videos]
    asked = {
        "b1": [models.members(network)[0] for network in networks],
        "a2": [models.members(network)[1] for network in networks],
        "a1": networks,  # validated by one of the two alone
        "c1": networks,
    }
    for name, members in asked.items():
        alone = predict(members, [dataset.videos[name]], data, weights=[1, 2])
        for table, own in ((found.frames, alone.frames), (found.videos, alone.videos)):
            of_video = table[table["video"] == name].reset_index(drop=True)
            pd.testing.assert_frame_equal(of_video, own)
    splits = held_out(networks, dataset, FOLDS).splits()
    expected = {"a1": "train", "a2": "valid", "b1": "valid", "c1": "test"}
    assert dict(zip(splits["video"], splits["split"], strict=True)) == expected


def test_without_folds_nothing_changes(drawn: Path) -> None:
    data = DataConfig(videos=str(drawn), labels=str(drawn / "labels.csv"))
    dataset, network = load_dataset(data, quiet), mixture(2, "frame").members[0]
    videos = list(dataset.videos.values())
    pd.testing.assert_frame_equal(
        predict_held_out([network], videos, data, {}).frames,
        predict([network], videos, data).frames,
    )
    pd.testing.assert_frame_equal(held_out([network], dataset, {}).table, dataset.table)


def test_the_curves_of_folds_are_drawn(tmp_path: Path) -> None:
    names = [f"{split}_{name}" for split in ("train", "valid") for name in ("loss", "accuracy")]
    rows = [
        {"fold": fold, "epoch": e} | dict.fromkeys(names, 1 / e) for fold in (1, 2) for e in (1, 2)
    ]
    artifacts.write_fold_curves(pd.DataFrame(rows), tmp_path, [2, 1], "model 7")
    assert {path.name for path in tmp_path.iterdir()} == {"accuracy.png", "loss.png"}


def test_the_mean_of_members_is_what_an_ensemble_of_them_says(drawn: Path) -> None:
    data = DataConfig(videos=str(drawn), labels=str(drawn / "labels.csv"))
    dataset, network = load_dataset(data, quiet), mixture(3, "frame")
    videos = list(dataset.videos.values())
    together = predict([network], videos, data).frames[CLASSES]
    each = predict(models.members(network), videos, data).frames[CLASSES]
    np.testing.assert_allclose(together, each, atol=1e-6)
