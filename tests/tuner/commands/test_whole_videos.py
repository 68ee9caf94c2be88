"""Labels of whole videos: searched, evaluated and predicted by video, with every kind of model."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import av
import numpy as np
import pandas as pd
import pytest
import torch

import models
from data.console import quiet
from data.errors import DataError
from models import ModelConfig
from models.registry import ARCHITECTURES
from tuner.analysis.model import load_model
from tuner.analysis.prediction import predict
from tuner.config.parameters import TrainingConfig
from tuner.config.sections import DataConfig
from tuner.preparation.one_machine import load_dataset
from tuner.study.store.results import ResultsStore
from tuner.training.clips.source import ClipSource
from tuner.training.run import Run

pytestmark = pytest.mark.shared_cache

IMAGE = {"frame_size": 32, "pretrained": False, "pretrained_model_name": "test_resnet"}
VIDEO = {"pretrained_model_name": "r3d_18", "pretrained": False, "sequence_length": 4}
VIDEO |= {"frame_size": 32, "layer_1_size": 8, "frames_per_video": 2}
KINDS = {
    "image_mlp_frozen": {**IMAGE, "video_pooling": "AttentionPooling", "layer_1_size": 8},
    "image_mlp_trainable": {**IMAGE, "video_pooling": "LogSumExpPooling", "layer_1_size": 0},
    "video_mlp_concat": {**IMAGE, "layer_1_size": 8},
    "video_lrcnn_frozen": {**IMAGE, "sequence_model": "GRU", "layer_1_size": 8},
    "video_lrcnn_trainable": {**IMAGE, "sequence_model": "MaxPooling", "layer_1_size": 8},
    "c3d": {"sequence_length": 16, "frame_size": 32, "frames_per_video": 2},
    "c3dsmall": {"sequence_length": 11, "frame_size": 54, "frames_per_video": 2},
    "video_3d_frozen": VIDEO,
    "video_3d_trainable": {**VIDEO, "trainable_layers": 1, "video_pooling": "MaxPooling"},
    "linear_probe": IMAGE,
}
SAY_WHERE = {  # have features of the video, and pool them
    *("image_mlp_frozen", "image_mlp_trainable", "video_lrcnn_trainable", "video_3d_frozen")
}
FRAMES = {"short": 1, "long": 60}  # of two of the videos; the others have 20


def draw(path: Path, count: int, moves: bool, seed: int) -> None:
    """A still scene, in which something bright passes for a third of the frames, or nothing."""
    rng = np.random.default_rng(seed)
    scene = rng.integers(0, 90, (48, 64, 3), dtype=np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for frame in range(count):
            image = scene.copy()
            if moves and (count < 3 or count // 3 <= frame < 2 * count // 3):
                x = 4 + 40 * frame // count
                image[12:36, x : x + 18] = 230
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())


@pytest.fixture(scope="module")
def passing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve videos, half of them with something that passes, and a label for each."""
    folder = tmp_path_factory.mktemp("passing")
    with (folder / "labels.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["video", "label", "split"])
        for number in range(12):
            split = ("train", "train", "train", "train", "valid", "test")[number // 2]
            name = {0: "short", 3: "long"}.get(number, f"v{number:02}")
            draw(folder / f"{name}.mp4", FRAMES.get(name, 20), number % 2 == 0, number)
            writer.writerow([name, "fox" if number % 2 == 0 else "empty", split])
    return folder


def source(folder: Path, most: int | None) -> ClipSource:
    data = DataConfig(
        videos=str(folder), labels=str(folder / "labels.csv"), unit="video", max_frames=most
    )
    return ClipSource(load_dataset(data, quiet), data)


@pytest.mark.parametrize(  # c3d has 50 M weights
    "name", [pytest.param(n, marks=pytest.mark.long if n == "c3d" else ()) for n in ARCHITECTURES]
)
def test_every_architecture_answers_once_a_video(passing: Path, tmp_path: Path, name: str) -> None:
    config = ModelConfig(architecture=name, **{"frames_per_video": 6, **KINDS[name]})
    clips = source(passing, 6 if config.sequence_length == 1 else None)
    settings = TrainingConfig(rounds=1, epochs=2, batch_size=4)
    training = Run(tmp_path, config, settings, clips, "valid_f1", 0, {})
    assert len(training.training.train) == 8 and len(training.training.valid) == 2
    while not training.training.finished:
        training.step()
    training.close()
    model = models.load(tmp_path / "best.pt")
    if models.uses_stored_features(config):
        model = models.attach_backbone(model)
    videos = [clips.dataset.videos[video] for video in ("short", "long", "v02")]
    found = predict([model], videos, clips.config)
    assert found.videos["video"].tolist() == ["short", "long", "v02"]
    assert np.allclose(found.videos[["empty", "fox"]].sum(axis=1), 1)
    shown = found.frames.groupby("video", sort=False).size()
    assert shown.tolist() == [len(video) for video in videos]
    if "attention" in found.frames:
        assert np.allclose(found.frames.groupby("video")["attention"].sum(), 1)
    assert ("attention" in found.frames) == (name in SAY_WHERE)


def test_a_search_by_video_finds_what_passes_and_when(
    passing: Path, tmp_path: Path, write_config, command, ray_session
) -> None:
    path = write_config(
        data={"videos": str(passing), "labels": str(passing / "labels.csv")},
        space={
            "architecture": ["image_mlp_frozen"],
            "frames_per_video": [6, 12],
            "video_pooling": ["AttentionPooling"],
            "top_frames": [0.5],
            "layer_1_size": [0],
        },
        training={"epochs": 8, "patience": 8, "rounds": 1, "learning_rate": 0.01},
        search={"trials": 3, "probes": 4, "scheduler": "none"},
    )
    status, out, err = command("search", path)
    assert status == 0, out + err
    assert "12 videos with labels" in out and "always naming" in out and "linear probe" in out
    url = f"sqlite:///{tmp_path / 'runs'}/results.db"
    store = ResultsStore.open(url)
    assert store.config.data.unit == "video" and store.config.data.max_frames == 12
    kinds = [record.params["architecture"] for record in store.records()]
    assert kinds == ["linear_probe", *["image_mlp_frozen"] * 3]
    assert all(record.state == "finished" for record in store.records())

    status, out, err = command("best", "--results", url, "--model", "1", "--predict")
    assert status == 0, err
    folder = tmp_path / "runs" / "small" / "models" / "1"
    of_videos = pd.read_csv(folder / "video_predictions.csv")
    assert list(of_videos.columns) == [
        *("empty", "fox", "prediction", "video", "frames", "first_second", "last_second"),
        *("label", "split", "error"),
    ]
    assert (
        len(of_videos) == 12
        and dict(zip(of_videos["video"], of_videos["frames"], strict=True))["long"] == 12
    )
    frames = pd.read_csv(folder / "frame_predictions.csv")
    assert len(frames) == 10 * 12 + 1 + 12
    counted = frames.groupby("video")["attention"].agg(["size", lambda own: (own > 0).sum()])
    assert (counted["<lambda_0>"] == (counted["size"] / 2).round().clip(lower=1)).all()
    results = json.loads((folder / "results.json").read_text())
    assert results["unit"] == "video" and results["data_total_rows_train"] == 8
    assert results["by_unit"]["video"]["test"]["rows"] == 2
    # A copy of the file predicts the same from the videos alone.
    model = load_model(folder / "model.pt")
    again = model.predict_all(passing).videos.set_index("video")
    for row in of_videos.itertuples():
        assert again.loc[f"{row.video}.mp4", "fox"] == pytest.approx(row.fox, abs=0.02)


def test_labels_of_frames_may_be_taken_as_those_of_their_videos(passing: Path, tmp_path: Path):
    labels = tmp_path / "labels.csv"
    rows = ["video,frame,label", "v02,3,fox", "v02,4,fox", "v01,0,empty", "v01,9,empty"]
    labels.write_text("\n".join([*rows, "v04,0,fox", "v05,0,empty"]))
    data = DataConfig(videos=str(passing), labels=str(labels), unit="video")
    dataset = load_dataset(data, quiet)
    assert sorted(dataset.table["video"]) == ["v01", "v02", "v04", "v05"]
    labels.write_text("\n".join([*rows, "v01,5,fox", "v04,0,fox"]))
    with pytest.raises(DataError, match=r"video 'v01' has 2 labels.*data\.unit: frame"):
        load_dataset(data, quiet)


def test_labels_of_frames_are_not_taken_for_others_where_few_frames_are_kept(
    passing: Path, tmp_path: Path
) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_text("video,frame,label\nv02,3,fox\nv01,0,empty\n")
    data = DataConfig(videos=str(passing), labels=str(labels), unit="frame", max_frames=12)
    with pytest.raises(DataError, match=r"data\.max_frames \(12\) leaves out frames"):
        load_dataset(data, quiet)


def test_most_frames_are_spread_over_a_video(passing: Path) -> None:
    videos = source(passing, 12).dataset.videos
    long = videos["long"]
    assert len(long) == 12 and long.indices.tolist() == list(range(2, 60, 5))
    assert np.allclose(long.times, np.arange(2, 60, 5) / 10)
    assert len(videos["short"]) == 1 and len(source(passing, None).dataset.videos["long"]) == 60
    assert long.key != source(passing, None).dataset.videos["long"].key


def test_attention_finds_the_moment() -> None:
    config = ModelConfig(
        architecture="image_mlp_frozen", frames_per_video=4, video_pooling="AttentionPooling",
        layer_1_size=0, pretrained_model_name="test_resnet", pretrained=False,
    )  # fmt: skip
    model = models.build(config, ["empty", "fox"], with_backbone=False)
    features = torch.zeros(1, 4, model.num_features)
    features[0, 2] = 1
    with torch.no_grad():
        for parameter in model.pool.parameters():
            parameter.zero_()
        model.pool.value.weight.fill_(1)
        model.pool.score.weight.fill_(0.1)
    weights = model.weigh(features).detach()
    assert weights.shape == (1, 4) and weights.sum() == pytest.approx(1)
    assert weights[0].argmax() == 2
