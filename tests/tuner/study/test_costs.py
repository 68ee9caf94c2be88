"""What a dry run says of disk space and time: counted from the videos, timed on made-up rates."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from data import FrameStore, Video
from data.console import quiet
from data.stores.crops import CroppedStore
from data.videos.info import VideoInfo
from models.config import ModelConfig
from tuner.config.load import Config
from tuner.config.sections import DataConfig
from tuner.preparation import speed
from tuner.preparation.compute import Views, features, stores_of_views
from tuner.preparation.costs import Decoding, Need, Part, gigabytes, lines, need, tell, warnings
from tuner.preparation.one_machine import load_dataset
from tuner.preparation.speed import DecodeRate, decode_rate
from tuner.study import costs
from tuner.study.costs import lower_rates, trial_seconds
from tuner.training.clips.augment import Augmentation
from tuner.training.speed import noise_clips

SIZE = (32, 32)
SMALL = {"pretrained_model_name": "test_resnet", "pretrained": False, "frame_size": SIZE}


def video(name: str, frames: int, *, most: int | None = None, fps: float | None = None) -> Video:
    info = VideoInfo(Path(f"/nowhere/{name}.mp4"), np.arange(frames) / 25, 25, 20, 10, "pyav")
    return Video(name, info, fps, name, most)


def model(**parameters: object) -> ModelConfig:
    return ModelConfig(**{"architecture": "image_mlp_frozen", **SMALL, **parameters})


@pytest.fixture
def on_disk(drawn: Path) -> tuple[DataConfig, list[Video]]:
    """Four videos of 24 frames."""
    data = DataConfig(videos=str(drawn), labels=str(drawn / "labels.csv"), unit="frame")
    return data, list(load_dataset(data, quiet).videos.values())


def figures(of: Need) -> dict[str, tuple[int, int, int]]:
    return {part.what: (part.rows, part.missing, part.missing_bytes) for part in of.parts}


def test_frames_and_features_of_all_videos_are_counted() -> None:
    found = need([model()], [video("a", 100), video("b", 50)], DataConfig())
    assert figures(found) == {
        "frames 32x32": (150, 150, 150 * 32 * 32 * 3),
        "features of test_resnet": (150, 150, 150 * found.features[0].row_bytes),
    }
    assert [(d.video.name, d.passes) for d in found.decodings] == [("a", 1), ("b", 1)]
    assert found.missing_bytes == sum(part.missing_bytes for part in found.parts)


def test_each_kind_of_picture_has_features_and_crops_are_decoded_once_more() -> None:
    searched = [model(), model(motion="both"), model(crop="motion")]
    found = need(searched, [video("a", 100)], DataConfig())
    assert len(found.features) == 4  # frames, two motions, crops
    assert [part.what for part in found.pictures] == ["frames 32x32", "crops 32x32"]
    assert found.decodings[0].passes == 2
    assert "  features of test_resnet: 4 x 100, " in "\n".join(lines(found))


def test_views_are_features_of_the_videos_that_are_learnt_from() -> None:
    views = Views(Augmentation(flip=True), 3)
    videos = [video("a", 100), video("b", 50)]
    found = need([model()], videos, DataConfig(), views=views, learnt={"b"})
    assert [part.rows for part in found.features] == [150, 50, 50]
    assert len({store.kind for store, _ in stores_of_views([model()], DataConfig(), views)}) == 2


def test_a_few_frames_of_a_video_are_stored_and_all_are_decoded() -> None:
    found = need([model()], [video("a", 1000, most=4)], DataConfig())
    assert [part.rows for part in found.parts] == [4, 4]
    rate = DecodeRate(decode=1.0, resize=10.0)
    assert rate.seconds(found.decodings, at_once=1) == 200 * (1000 + 4 * 10)


def test_videos_are_decoded_several_at_a_time_and_crops_take_longer() -> None:
    rate = DecodeRate(decode=1.0, resize=0.5, box=2.0)
    once = Decoding(video("a", 10), 1, [SIZE], [])
    twice = Decoding(video("a", 10), 2, [SIZE], [SIZE])
    assert rate.seconds([once], at_once=1) == 2000 + 1000
    assert rate.seconds([twice], at_once=2) == (4000 + 2000 + 10 * 32 * 32 * 2) / 2


def test_clips_of_a_network_over_clips_have_a_feature_each() -> None:
    clips = {"architecture": "video_3d_frozen", "pretrained_model_name": "r3d_18"}
    clips |= {"sequence_length": 4, "frames_per_video": 3}
    found = need([model(**clips)], [video("a", 100), video("b", 50)], DataConfig(unit="video"))
    assert found.features[0].rows == 6


def test_direct_frames_are_not_stored() -> None:
    found = need([model()], [video("a", 100)], DataConfig(frames="direct"))
    assert not found.pictures and found.decodings[0].passes == 2  # a first look, and features


def test_what_is_stored_already_is_not_counted_again(on_disk) -> None:
    data, videos = on_disk
    FrameStore().ensure(videos[0], [SIZE])
    found = need([model()], videos, data)
    assert figures(found)["frames 32x32"][:2] == (96, 72)
    assert "frames 32x32: 72, 0.2 MB (24 of 96 are stored already)" in "\n".join(lines(found))
    assert [d.video.name for d in found.decodings] == [v.name for v in videos[1:]]
    CroppedStore().ensure(videos[0], [SIZE])
    cropped = need([model(crop="motion")], videos, data)
    assert figures(cropped)["crops 32x32"][:2] == (96, 72)
    assert [d.passes for d in cropped.decodings] == [2, 2, 2]


def test_videos_with_stored_features_are_not_decoded_again(on_disk, tmp_path) -> None:
    data, videos = on_disk
    features(data, [model()], videos[:3], quiet)
    for path in FrameStore().store.folder.glob("*.npy"):
        path.unlink()
    found = need([model()], videos, data)
    assert [d.video.name for d in found.decodings] == [videos[3].name]
    assert [part.missing for part in found.parts] == [24, 24]
    assert need([model()], videos, data, without_features={videos[3].name}).features[0].missing == 0
    trained = need([model(), model(architecture="image_mlp_trainable")], videos, data)
    assert len(trained.decodings) == 4  # it learns from the frames


def test_too_much_for_the_cache_or_its_disk_is_told_before_it_is_made() -> None:
    part = Part("frames", "frames 9x9", 2_000, 1, 10**9)
    heavy = Need([part], [], [])
    (limit,) = warnings(heavy, DataConfig(cache_limit_gb=1500.0))
    assert "all frames take 2,000 GB, but data.cache_limit_gb is 1500" in limit
    assert not warnings(heavy, DataConfig(cache_limit_gb=None))
    full = Need([replace(part, missing=10**9)], [], [])
    assert "set TUNER_CACHE" in warnings(full, DataConfig(cache_limit_gb=None))[0]


def test_a_search_tells_of_much_and_not_of_little() -> None:
    said: list[str] = []
    output = replace(quiet, say=said.append, warn=said.append)
    little = Part("frames", "frames 9x9", 100, 100, 10**6)
    tell(Need([little], [], []), DataConfig(), output)
    assert not said
    tell(Need([replace(little, missing=3000, rows=3000)], [], []), DataConfig(), output)
    assert said[0].startswith("to store: 3.0 GB in ")
    assert said[1] == "  frames 9x9: 3,000, 3.0 GB"


@pytest.mark.parametrize(
    ("count", "text"), [(7.2e9, "7.2 GB"), (1.8e11, "180 GB"), (2.5e6, "2.5 MB"), (0, "0.0 MB")]
)
def test_gigabytes(count, text):
    assert gigabytes(count) == text


@pytest.mark.parametrize(
    ("rate", "lower"), [(25, [10, 5]), (10, [5, 2]), (2, [1]), (1, []), (29.97, [10, 5])]
)
def test_lower_rates(rate, lower):
    assert lower_rates(rate) == lower


def test_trials_take_what_successive_halving_leaves_them(write_config) -> None:
    training = {"epochs": 9, "rounds": 1}
    config = Config.load(write_config(training=training, search={"grace_period": 3}))
    found = trial_seconds(config, 6, 2.0, 2)
    assert found.most == 6 * 9 * 2 / 2
    # Trainings are expected to end half way, after 4.5 epochs; one of three goes on after 3.
    assert found.expected == pytest.approx(6 * (3 + 1.5 / 3) * 2 / 2)
    later = trial_seconds(config, 6, 2.0, 2, before=7.0)  # as the linear probes come first
    assert later == (found.expected + 7, found.most + 7)
    short = Config.load(write_config(training=training, search={"time_budget": 5}))
    assert trial_seconds(short, 6, 2.0, 2) == (5, 5)


def test_a_fall_of_the_rate_is_trained_to_its_end(write_config) -> None:
    training = {"schedule": "cosine", "epochs": 9}
    config = Config.load(write_config(training=training, search={"scheduler": "none"}))
    assert trial_seconds(config, 6, 2.0, 2) == (6 * 9 * 2 / 2, 6 * 9 * 2 / 2)


def test_those_that_come_to_their_end_are_trained_once_more(write_config) -> None:
    training = {"schedule": "cosine", "epochs": 9}
    config = Config.load(write_config(training=training, search={"refit": True}))
    without = Config.load(write_config(training=training))
    found = trial_seconds(config, 6, 2.0, 2, more=1.5)
    before = trial_seconds(without, 6, 2.0, 2)
    assert found.most == before.most + 6 * 1.5 * 9 * 2 / 2
    assert before.expected < found.expected < before.expected + 6 * 1.5 * 9 * 2 / 2


@pytest.mark.parametrize("refit", [True, False])
def test_a_fold_is_a_whole_training(write_config, refit: bool) -> None:
    training = {"schedule": "cosine", "epochs": 9}
    validation = {"folds": 3, "refit": refit}
    config = Config.load(write_config(training=training, search={"validation": validation}))
    last = 1.5 if refit else 0  # of half as many videos more
    found = trial_seconds(config, 6, 2.0, 2)
    assert found.most == 6 * (3 + last) * 9 * 2 / 2
    factor = config.search.reduction_factor  # after one fold, one of so many goes on to the others
    assert found.expected == pytest.approx(6 * (1 + (2 + last) / factor) * 9 * 2 / 2)


def test_videos_that_can_not_be_read_are_named() -> None:
    unknown: list[str] = []
    assert decode_rate([video("gone", 9)], [SIZE], unknown, cropped=False) is None
    assert "decoding is not measured (gone: " in unknown[0]


def test_backbones_that_take_too_long_to_measure_are_named(monkeypatch) -> None:
    monkeypatch.setattr(speed, "_LIMIT", -1)
    videos = [video("gone", 9)]
    found = speed.measure(need([model()], videos, DataConfig()), DataConfig(), quiet)
    assert "features of test_resnet at 32x32 are not measured: it takes too long" in found.unknown
    assert found.computing(need([model()], videos, DataConfig()).features) == 0


def test_noise_has_the_shape_of_a_models_clips() -> None:
    frames = noise_clips(
        model(architecture="image_mlp_trainable", motion="both"), torch.tensor([0, 1, 0])
    )
    (batch, labels), *_ = frames.batches(frames.labels, 3)
    assert batch.shape == (3, 3, 3, *SIZE) and labels.tolist() == [0, 1, 0]


def test_a_dry_run_says_what_it_will_take(command, write_config, drawn, monkeypatch) -> None:
    monkeypatch.setattr(costs, "_LONG", 0)
    space = {"architecture": ["image_mlp_frozen", "image_mlp_trainable"]}
    path = write_config(
        model={**SMALL, "frame_size": list(SIZE)}, space=space, search={"grace_period": 1}
    )
    status, out, err = command("search", path, "--dry-run")
    assert status == 0, err
    assert "to store: 0.3 MB" in out or "to store: 0.4 MB" in out
    assert "frames 32x32: 96, 0.3 MB" in out
    assert "features of test_resnet: 72, " in out  # those of the test video wait for the best model
    assert "time here, about: decoding 0:00" in out and "(at most " in out and " in all" in out
    assert "hint: 10 frames a second are taken" in out
    assert "  data.fps=5: 0." in out and "  data.fps=2: 0." in out
    assert "not measured" not in out

    config = Config.load(path)
    data = config.data.model_copy(update={"unit": "frame"})
    videos = list(load_dataset(data, quiet).videos.values())
    features(data, [model(pooling="avg")], videos, quiet)
    status, out, err = command("search", path, "--dry-run")
    assert status == 0, err
    assert "frames 32x32: all 96 are stored already" in out
    assert "features of test_resnet: all 72 are stored already" in out
    assert "time here, about: trials " in out
    assert "hint" not in out
