"""Several models predict together, frames or whole videos."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from data import Dataset
from data.console import quiet
from models import ModelConfig, build
from tuner.analysis import folds, prediction
from tuner.analysis.ensemble import Ensemble, noted, select
from tuner.analysis.evaluation import Trained
from tuner.analysis.prediction import answers, predict
from tuner.config.parameters import TrainingConfig
from tuner.config.sections import DataConfig
from tuner.objective import Objective
from tuner.preparation.one_machine import load_dataset
from tuner.training.clips import backbone, stored
from tuner.training.clips.extractor import shared_steps, steps
from tuner.training.clips.source import ClipSource
from tuner.training.clips.stored import stored_features
from tuner.training.run import Run
from tuner.training.task import Multiclass

pytestmark = [pytest.mark.shared_cache, pytest.mark.usefixtures("device")]
TASK = Multiclass(["noseal", "seal"])
LOSS = Objective("valid_loss")
VIDEOS = "video,label,split\na1,seal,train\na2,noseal,train\nb1,seal,valid\nc1,noseal,test\n"
PARAMETERS = {
    "frame": {"architecture": "image_mlp_frozen"},
    "video": {
        "architecture": "video_lrcnn_frozen",
        "sequence_model": "MeanPooling",
        "frames_per_video": 6,
    },
}


@pytest.fixture(scope="module", params=["frame", "video"])
def trained(
    request: pytest.FixtureRequest, drawn: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[list[Trained], Dataset, DataConfig]:
    """Three models of frames or of whole videos, and their data."""
    unit, folder = request.param, tmp_path_factory.mktemp("trained")
    (folder / "videos.csv").write_text(VIDEOS)
    labels = drawn / "labels.csv" if unit == "frame" else folder / "videos.csv"
    data = DataConfig(videos=str(drawn), labels=str(labels), unit=unit)
    dataset, found = load_dataset(data, quiet), []
    for number in range(3):
        config = ModelConfig(frame_size=64, layer_1_size=8, **PARAMETERS[unit])
        settings = TrainingConfig(rounds=1, epochs=1, learning_rate=1e-4, precision="fp32")
        source = ClipSource(dataset, data)
        run = Run(folder / str(number), config, settings, source, "valid_loss", number, {})
        run.step()
        run.close()
        found.append(Trained(number, folder / str(number), 0.5, {}, {}, None, None))
    return found, dataset, data


def test_no_video_but_those_of_the_valid_split_is_predicted(trained, monkeypatch):
    models, dataset, data = trained
    seen = set()

    def watched(function):
        def call(asked, videos, *args, **more):
            seen.update(video.name for video in videos)
            return function(asked, videos, *args, **more)

        return call

    monkeypatch.setattr(folds, "predict", watched(predict))
    monkeypatch.setattr(folds, "answers", watched(answers))
    chosen = select(models, dataset, data, LOSS, auto=True, output=quiet)
    assert seen == {"b1"}
    assert chosen.value < 1.5 * chosen.alone  # a loss
    assert {model.model_id for model in chosen.members} <= {0, 1, 2}
    assert noted(chosen.note(), models) == Ensemble(**{**vars(chosen), "dataset": None})


@pytest.mark.parametrize(
    "parameters",
    [
        {"architecture": "image_mlp_frozen"},
        {
            "architecture": "image_mlp_frozen",
            "motion": "both",
            "relative": "video",
            "top_frames": 0.5,
        },
        {"architecture": "video_lrcnn_frozen", "sequence_model": "GRU", "relative": "place"},
        {"architecture": "image_mlp_trainable"},
    ],
)
def test_answers_for_whole_videos_are_those_beside_the_frames(parameters, drawn, monkeypatch):
    data = DataConfig(videos=str(drawn), labels=str(drawn / "labels.csv"), unit="frame")
    videos = list(load_dataset(data, quiet).videos.values())
    torch.manual_seed(0)
    config = ModelConfig(frame_size=64, frames_per_video=5, **parameters)
    model = build(config, TASK.classes, with_backbone=False)
    torch.nn.init.normal_(model.logits.weight, std=0.01)  # it begins with zeros
    monkeypatch.setattr(prediction, "_VIDEOS_AT_ONCE", 3)  # of four
    told = []
    (said,) = answers([model], videos, data, told.append)
    beside = predict([model], videos, data).videos
    assert list(beside["video"]) == [video.name for video in videos]
    np.testing.assert_allclose(said, beside[TASK.classes].to_numpy(), atol=1e-6)
    assert len(np.unique(said.round(6))) > 2
    assert sum(told) == steps([model], videos)


def test_pictures_that_models_share_count_once(drawn):
    data = DataConfig(videos=str(drawn), labels=str(drawn / "labels.csv"), unit="frame")
    videos = list(load_dataset(data, quiet).videos.values())
    models = [
        build(
            ModelConfig(architecture="image_mlp_frozen", frame_size=72, **more),
            TASK.classes,
            with_backbone=False,
        )
        for more in ({}, {"motion": "background"}, {"motion": "background", "relative": "video"})
    ]
    told = list[int]()
    predict(models, videos, data, on_frames=told.append)
    # The pictures, and those of motion; as they go through the network, and not all at the end.
    count = 2 * sum(map(len, videos))
    assert sum(told) == shared_steps(models, videos, data) == count
    assert max(told) <= 32 < count
    assert steps(models, videos) == 2.5 * count


def test_at_places_never_seen_models_of_motion_alone_are_taken(trained, tmp_path):
    frames, dataset, data = trained
    unit = "frame" if dataset.unit == "frame" else "video"
    moving = {"motion": "background", "appearance": False}
    config = ModelConfig(frame_size=64, layer_1_size=8, **PARAMETERS[unit], **moving)
    settings = TrainingConfig(rounds=1, epochs=6, learning_rate=1e-2)
    run = Run(tmp_path / "3", config, settings, ClipSource(dataset, data), "valid_loss", 3, {})
    while not run.training.finished:
        run.step()
    run.close()
    both = [*frames, Trained(3, tmp_path / "3", 0.5, {}, {}, None, None)]
    at_sites = replace(dataset, by="site")
    # One video validates, so that all are within the error; an accuracy, so that none is better.
    for given, wanted in ((at_sites, {3}), (dataset, {0, 1, 2, 3})):
        chosen = select(both, given, data, Objective("valid_accuracy"), auto=True, output=quiet)
        assert {model.model_id for model in chosen.members} == wanted


def test_a_number_of_models_count_the_same_at_a_temperature_of_their_mean(trained):
    models, dataset, data = trained
    chosen = select(models, dataset, data, LOSS, auto=False, output=quiet)
    assert list(chosen.members) == models and chosen.weights == [1, 1, 1]
    assert chosen.name == "0, 1, 2"
    networks = [model.load() for model in models]
    found = predict(networks, [dataset.videos["b1"]], data)
    table = found.frames.merge(dataset.table) if dataset.unit == "frame" else found.videos
    labels = (
        table["label"] if dataset.unit == "frame" else dataset.table.query("video == 'b1'").label
    )
    mean = torch.tensor(table[TASK.classes].to_numpy(float))
    labels = TASK.encode(labels)
    assert chosen.temperature == pytest.approx(TASK.temperature(mean, labels), rel=1e-6)
    assert chosen.value == pytest.approx(float(-mean.log()[range(len(labels)), labels].mean()))


def test_models_that_see_the_same_share_what_is_read_and_say_what_each_says_alone(
    drawn, monkeypatch
):
    data = DataConfig(videos=str(drawn), labels=str(drawn / "labels.csv"), unit="frame")
    videos = list(load_dataset(data, quiet).videos.values())[:2]
    members = []
    for number, more in enumerate(({}, {"relative": "video"}, {}, {"motion": "background"}, {})):
        torch.manual_seed(number)
        trained = number == 4  # has a backbone of its own, which gives features of its own
        architecture = "image_mlp_trainable" if trained else "image_mlp_frozen"
        config = ModelConfig(
            architecture=architecture, frame_size=64, frames_per_video=5, pretrained=False, **more
        )
        members.append(build(config, TASK.classes, with_backbone=trained))
        torch.nn.init.normal_(members[-1].logits.weight, std=0.01)  # it begins with zeros
    each = [predict([member], videos, data) for member in members]
    read = []

    def counted(views, videos, config):
        read.append(config)
        return stored_features(views, videos, config)

    monkeypatch.setattr(stored, "stored_features", counted)
    together = predict(members, videos, data)
    for name in ("frames", "videos"):
        found, *alone = (getattr(one, name)[TASK.classes].to_numpy() for one in (together, *each))
        np.testing.assert_allclose(found, np.mean(alone, axis=0), atol=1e-6)
    assert len(read) == 3 * len(videos)  # of the first and the third model together
    for answer, alone in zip(answers(members, videos, data), each, strict=True):
        np.testing.assert_allclose(answer, alone.videos[TASK.classes].to_numpy(), atol=1e-6)
    assert len(read) == 3 * len(videos) + 3  # many videos at a time


@pytest.mark.parametrize("complete", [False, True], ids=["by name", "in their files"])
def test_a_frame_goes_once_through_a_network_whatever_models_take_of_it(
    complete, drawn, monkeypatch, tmp_path
):
    monkeypatch.setenv("TUNER_CACHE", str(tmp_path))  # nothing is stored
    data = DataConfig(videos=str(drawn), labels=str(drawn / "labels.csv"), unit="frame")
    video = load_dataset(data, quiet).videos["a1"]
    members = []
    for more in ({}, {"pooling": "avg"}, {"relative": "map"}, {"relative": "map"}):
        config = ModelConfig(
            architecture="image_mlp_frozen", frame_size=64, frames_per_video=5, **more
        )
        members.append(build(config, TASK.classes, with_backbone=complete))
    gone = []

    def counted(network, images, size):
        gone.append(len(images))
        return outputs(network, images, size)

    outputs = backbone._outputs
    monkeypatch.setattr(backbone, "_outputs", counted)
    predict(members, [video], data)
    assert sum(gone) == len(video)


def test_weights_count_as_often_as_a_model_is_named(trained):
    models, dataset, data = trained
    one, other = (model.load() for model in models[:2])
    videos = list(dataset.videos.values())
    weighted = predict([one, other], videos, data, weights=[2, 1])
    repeated = predict([one, one, other], videos, data)
    for name in ("frames", "videos"):
        a, b = (getattr(each, name)[TASK.classes] for each in (weighted, repeated))
        np.testing.assert_allclose(a, b)


def test_what_is_predicted_at_a_temperature(trained):
    models, dataset, data = trained
    raw = predict([models[0].load()], list(dataset.videos.values()), data)
    found = raw.at_temperature(TASK, 0.5)
    odds = (raw.frames["seal"] / raw.frames["noseal"]) ** 2
    np.testing.assert_allclose(found.frames["seal"], odds / (1 + odds))
    assert list(found.frames.columns) == list(raw.frames.columns)
    assert list(found.videos.columns) == list(raw.videos.columns)
    assert (found.frames["prediction"] == raw.frames["prediction"]).all()
    if dataset.unit == "video":
        odds = (raw.videos["seal"] / raw.videos["noseal"]) ** 2
        np.testing.assert_allclose(found.videos["seal"], odds / (1 + odds))
        assert (found.videos["prediction"] == raw.videos["prediction"]).all()
    else:
        of_frames = found.frames.groupby("video", sort=False)["seal"].mean()
        np.testing.assert_allclose(found.videos["seal"], of_frames)


def test_a_model_s_file_has_the_temperature_of_its_unit(trained):
    models, dataset, data = trained
    network = models[0].load()
    alone = select(models[:1], dataset, data, LOSS, auto=False, output=quiet)
    assert alone.temperature is None  # a single model has its own
    found = predict([network], [dataset.videos["b1"]], data)
    of_unit = found.videos if dataset.unit == "video" else found.frames
    rows = dataset.table.query("video == 'b1'")
    probabilities = torch.tensor(of_unit[TASK.classes].to_numpy(float))
    expected = TASK.temperature(probabilities, TASK.encode(rows["label"]))
    assert network.extra["temperature"] == pytest.approx(expected, rel=1e-3)
    assert expected != 1
