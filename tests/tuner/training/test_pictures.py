"""What a model sees of each frame: streams in their order, the same in training and prediction."""

from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import models
from data import FeatureStore
from data.console import output
from models import ModelConfig
from models.backbones import load
from models.backbones.image import Output
from tuner.analysis.new_videos import predict_new
from tuner.analysis.prediction import steps
from tuner.config.messages import ConfigError
from tuner.config.parameters import TrainingConfig
from tuner.config.sections import DataConfig
from tuner.preparation.checks import check_models
from tuner.preparation.one_machine import load_dataset
from tuner.training.clips.batches import all_logits
from tuner.training.clips.extractor import extractor
from tuner.training.clips.source import ClipSource, fit_normalisation
from tuner.training.clips.stored import open_stores
from tuner.training.clips.stored import pictures as pictures_of
from tuner.training.device import backbone_precision, best_device

WIDTH = 1280
pytestmark = pytest.mark.shared_cache


def of(architecture: str = "image_mlp_frozen", **values: Any) -> ModelConfig:
    return ModelConfig(**{"architecture": architecture, "frame_size": 32, **values})


@pytest.fixture
def source(drawn) -> ClipSource:
    data = DataConfig(videos=str(drawn), labels=str(drawn / "labels.csv"))
    return ClipSource(load_dataset(data, output), data)


def pictures(source: ClipSource, **values: Any) -> torch.Tensor:
    clips = source.clips(of("image_mlp_trainable", **values), "valid")
    return torch.cat([batch for batch, _ in clips.batches(torch.arange(len(clips)), 7)])


def features(source: ClipSource, training: TrainingConfig | None = None, **values: Any):
    return source.clips(of(**values), "train", training).features


def test_both_streams_come_after_the_frames(source):
    frames, both = pictures(source), pictures(source, motion="both")
    assert both.shape == (24, 3, 3, 32, 32)
    assert torch.equal(both[:, :1], frames)
    assert torch.equal(both[:, 1:2], pictures(source, motion="background")[:, 1:])
    assert torch.equal(both[:, 2:], pictures(source, motion="previous")[:, 1:])
    assert not torch.equal(both[:, 1], both[:, 2])
    alone = pictures(source, motion="both", appearance=False)
    assert torch.equal(alone, both[:, 1:])


def test_features_of_streams_are_those_of_each_alone_and_computed_once(source, monkeypatch):
    parts = [features(source, motion=kind)[:, WIDTH:] for kind in ("background", "previous")]
    expected = torch.cat([features(source), *parts], dim=1)
    monkeypatch.setattr("data.stores.features._compute", None)
    assert torch.equal(features(source, motion="both"), expected)
    assert torch.equal(features(source, motion="both", appearance=False), expected[:, WIDTH:])


def test_one_backbone_serves_videos_that_come_one_by_one(source, monkeypatch):
    loaded, load_backbone = [], load.load_backbone

    def counted(*args, **options):
        loaded.append(args)
        return load_backbone(*args, **options)

    monkeypatch.setattr(load, "load_backbone", counted)
    model = models.build(of(motion="both", frame_size=40), ["a", "b"], with_backbone=False)
    give = extractor(model, source.config)
    for video in source.dataset.videos.values():
        assert give(video).shape == (len(video), 3 * WIDTH)
    assert len(loaded) == 1


def test_only_the_frames_are_cropped_whether_stored_or_not(source):
    whole = pictures(source, motion="both")
    cropped = pictures(source, motion="both", crop="motion")
    assert torch.equal(cropped[:, 1:], whole[:, 1:])
    changed = (cropped[:, 0] != whole[:, 0]).flatten(1).any(dim=1)
    assert changed.any() and not changed.all()  # the square comes and goes
    with_motion = features(source, motion="both", crop="motion")
    assert torch.equal(with_motion[:, WIDTH:], features(source, motion="both")[:, WIDTH:])
    assert torch.equal(with_motion[:, :WIDTH], features(source, crop="motion"))
    assert not torch.equal(features(source, crop="motion"), features(source))


def test_motion_images_are_cut_where_their_frames_are(source):
    cut = pictures(source, motion="both", crop="all")
    frames = pictures(source, motion="both", crop="motion")
    assert torch.equal(cut[:, 0], frames[:, 0])
    boxed = (frames[:, 0] != pictures(source)[:, 0]).flatten(1).any(dim=1)
    for stream in (1, 2):
        differs = (cut[:, stream] != frames[:, stream]).flatten(1).any(dim=1)
        assert not differs[~boxed].any() and differs[boxed].float().mean() > 0.9
        # In its box the square is larger: more of the picture moves.
        moving = [(many[:, stream].float() - 128).abs().gt(8).float() for many in (cut, frames)]
        assert moving[0][boxed].mean() > 2 * moving[1][boxed].mean() > 0
    assert not torch.equal(
        features(source, motion="background", appearance=False, crop="all"),
        features(source, motion="background", appearance=False),
    )


def test_relative_features_are_without_their_videos_median(source):
    plain = features(source, motion="previous").float()
    relative = features(source, motion="previous", relative="video")
    assert relative.dtype == torch.float16
    for video in (slice(0, 24), slice(24, 48)):
        median = torch.from_numpy(np.median(plain[video].numpy(), axis=0))
        assert torch.equal(relative[video], (plain[video] - median).half())
    assert torch.equal(features(source, motion="previous").float(), plain)  # not what is stored


@pytest.mark.parametrize("relative", ["map", "place"])
def test_features_can_be_relative_to_their_place(source, relative, monkeypatch):
    from models.backbones.load import load_backbone
    from tuner.training.clips import stored

    monkeypatch.setattr(stored, "backbone_precision", lambda device: "fp32")

    config = of(relative=relative, frame_size=64)
    found = features(source, relative=relative, frame_size=64)[:24].float().numpy()
    table = source.dataset.table
    video = source.dataset.videos[table.loc[table["split"] == "train", "video"].iloc[0]]
    network = load_backbone(config.pretrained_model_name, pretrained=True, pooling="max").eval()
    (frames,) = pictures_of(config, source.config, video)
    images = torch.from_numpy(np.array(frames[:])).movedim(-1, 1)
    with torch.inference_mode():
        maps = network.giving([Output("last", "none")])(images).unflatten(1, (WIDTH, 4))
    maps = (maps - maps.median(dim=0).values).amax(dim=2).numpy()
    expected = maps - np.median(maps, axis=0) if relative == "place" else maps
    assert np.abs(found - expected).max() < 0.02
    whole = features(source, relative="video", frame_size=64)[:24].float().numpy()
    assert np.abs(whole - expected).max() > 0.1


def test_a_feature_is_the_same_whatever_it_is_made_with(source):
    """What is stored by one key must not depend on what else a search asks for."""
    plain = open_stores(of(pooling="both", frame_size=64), source.config)
    place = open_stores(of(pooling="both", frame_size=64, relative="place"), source.config)
    make = plain[0].make_backbone
    alone, together = (make([s.output for s in stores]) for stores in (plain, [*place, *plain]))
    frames = np.random.default_rng(0).integers(0, 256, (5, 64, 64, 3), np.uint8)
    assert np.array_equal(alone(frames), together.alone(frames)[:, 2 * WIDTH :])


def test_each_view_is_relative_to_itself(source):
    views = TrainingConfig(views=2, colour=0.5)
    relative = features(source, views, relative="video")
    assert not torch.equal(relative[:48], relative[48:])
    for start in range(0, 96, 24):
        median = np.median(relative[start : start + 24].float().numpy(), axis=0)
        assert np.abs(median).max() < 1e-3


def test_relative_features_forget_what_all_frames_of_a_video_share(source, monkeypatch):
    plain, load = features(source), FeatureStore.open
    before = features(source, relative="video")
    first = next(iter(source.dataset.videos))

    def shifted(store, video):
        return load(store, video) + np.float16(4 * (video.name == first))

    monkeypatch.setattr(FeatureStore, "open", shifted)
    again = ClipSource(source.dataset, source.config)
    assert torch.allclose(features(again)[:24], plain[:24] + 4, atol=0.01)
    assert torch.allclose(features(again, relative="video"), before, atol=0.01)


def test_a_model_of_relative_features_takes_no_frames():
    model = models.build(of(relative="video"), ["a", "b"])
    assert model(torch.rand(2, 1, WIDTH)).shape == (2, 2)
    with pytest.raises(ValueError, match="less a median over the video"):
        model(torch.zeros(2, 1, 3, 32, 32, dtype=torch.uint8))


SEEN = [
    *(
        {"motion": motion, "crop": crop}
        for motion, crop in product(("none", "previous", "both"), ("none", "motion"))
    ),
    *({"motion": motion, "appearance": False} for motion in ("previous", "both")),
    {"motion": "both", "crop": "all"},
]


def _name(config: ModelConfig) -> str:
    seen = config.motion, config.appearance, config.crop, config.relative
    return "-".join([config.architecture, *map(str, seen)])


LIGHT: dict[str, Any] = {"pretrained_model_name": "test_resnet", "pretrained": False}
MODELS = [
    *(  # each kind of picture once, with and without relative
        of(**seen, **LIGHT, relative=("none", "video")[number % 2])
        for number, seen in enumerate(SEEN)
    ),
    of("image_mlp_trainable", **SEEN[-1], **LIGHT),
    of("video_3d_frozen", relative="video", sequence_length=4, pretrained=False, crop="motion"),
    of("c3dsmall", frame_size=54, sequence_length=11, crop="motion"),
]


@pytest.mark.parametrize("config", MODELS, ids=_name)
def test_a_new_video_is_predicted_as_it_was_in_training(config, source, drawn, tmp_path):
    torch.manual_seed(0)
    model = models.build(config, source.dataset.classes, with_backbone=False)
    model.extra["feature_precision"] = backbone_precision(best_device())
    clips = source.clips(config, "valid")
    fit_normalisation(model, clips)
    models.save(model, tmp_path / "model.pt")
    model = models.load(tmp_path / "model.pt")
    logits = all_logits(model.to(best_device()), clips.to(best_device()), 8)
    direct = source.config.model_copy(update={"frames": "direct"})
    new = tmp_path / "new.mov"  # nothing of which is stored
    new.write_bytes((drawn / "b1.mov").read_bytes())
    found = predict_new([model], [str(new)], direct, output, temperature=1.0)
    assert not found.rejects and steps([model], [range(24)]) == 24 * model.streams
    expected = pd.DataFrame(logits.softmax(dim=1).cpu().numpy(), columns=source.dataset.classes)
    difference = (found.table[source.dataset.classes] - expected).abs().to_numpy()
    assert difference.max() <= 0.02 * np.ptp(expected.iloc[:, 0]) > 0  # the frames are told apart


def test_prepare_makes_the_crops_that_trials_read(command, write_config, monkeypatch, tmp_path):
    from data.stores import frames
    from tuner.config.load import load

    monkeypatch.setenv("TUNER_CACHE", str(tmp_path / "cache"))
    decoded, read = [], frames.read_frames

    def counted(info, wanted):
        decoded.append(info.path.name)
        return read(info, wanted)

    monkeypatch.setattr(frames, "read_frames", counted)
    space = {"architecture": ["image_mlp_trainable"], "crop": ["none", "motion"]}
    path = write_config(space={**space, "frame_size": [[32, 32], [48, 48]]}, model={})
    assert command("prepare", path)[0] == 0
    assert sorted(decoded) == sorted(2 * ["a1.mp4", "a2.avi", "b1.mov", "c1.mp4"])
    assert len(list((tmp_path / "cache" / "crops").glob("*.npy"))) == 4 * 2
    data = load(path).data
    of_trial = ClipSource(load_dataset(data, output), data)
    assert len(pictures(of_trial, crop="motion")) == 24 and len(decoded) == 8


@pytest.mark.parametrize(
    ("data", "values", "words"),
    [
        ({"frames": "direct"}, {"crop": "motion"}, "crop (motion) needs data.frames: stored"),
        ({"frames": "direct"}, {"motion": "both"}, "motion (both) needs data.frames: stored"),
        ({"max_frames": 1}, {"relative": "video"}, "relative (video) compares frames with others"),
        ({"max_frames": 1}, {"relative": "place"}, "relative (place) compares frames"),
        ({"max_frames": 1}, {"crop": "motion"}, "but data.max_frames is 1: raise it"),
        ({"frames": "direct", "max_frames": 2}, {"relative": "video"}, None),
    ],
)
def test_what_compares_frames_must_be_given_them(data, values, words):
    if words is None:
        check_models([of(**values)], DataConfig(**data))
        return
    with pytest.raises(ConfigError) as caught:
        check_models([of(**values)], DataConfig(**data))
    assert words in str(caught.value)


def test_a_frozen_network_without_the_map_is_told_before_anything_is_stored():
    vit = of(pretrained_model_name="test_vit", pooling="local", frame_size=160)
    with pytest.raises(ConfigError, match="local needs a map with rows and columns, and test_vit"):
        check_models([vit], DataConfig())
    check_models([vit.model_copy(update={"backbone_stage": "middle"})], DataConfig())
