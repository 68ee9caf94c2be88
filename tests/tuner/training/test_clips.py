"""Clips in batches: the same whether they come from stored features, stored frames or the file."""

import numpy as np
import pytest
import torch

import models
from data.console import output
from models import ModelConfig
from models.backbones.folding import folded
from tuner.config.parameters import TrainingConfig
from tuner.config.sections import DataConfig
from tuner.preparation.one_machine import load_dataset
from tuner.training.clips.batches import FeatureClips
from tuner.training.clips.source import ClipSource, Held, frame_numbers
from tuner.training.device import backbone_precision
from tuner.training.run import Run

CONFIG = ModelConfig(
    architecture="video_lrcnn_trainable",
    sequence_model="GRU",
    sequence_length=3,
    sequence_stride=2,
    frame_size=32,
)
pytestmark = pytest.mark.shared_cache


@pytest.fixture
def sources(drawn):
    """Where clips come from, stored and direct."""
    data = DataConfig(videos=str(drawn), labels=str(drawn / "labels.csv"))
    dataset = load_dataset(data, output)
    direct = data.model_copy(update={"frames": "direct"})
    return ClipSource(dataset, data), ClipSource(dataset, direct)


def collect(clips, order, size=7, **options):
    batches = list(clips.batches(order, size, **options))
    return torch.cat([clip for clip, _ in batches]), torch.cat([label for _, label in batches])


def test_stored_and_direct_clips_are_the_same(sources):
    stored, direct = (source.clips(CONFIG, "train") for source in sources)
    order = torch.arange(len(stored))
    one, labels = collect(stored, order)
    other, others = collect(direct, order)
    assert one.dtype == torch.uint8 and one.shape == (48, 3, 3, 32, 32)
    assert torch.equal(one, other)
    assert torch.equal(labels, others) and torch.equal(labels, stored.labels)


def test_each_clip_of_an_epoch_comes_once_with_its_label_however_it_is_read(sources):
    stored, direct = (source.clips(CONFIG, "train") for source in sources)
    torch.manual_seed(0)
    order = torch.cat([torch.randperm(len(stored)), torch.tensor([5, 5])])
    sums = []
    for clips in (stored, direct):
        batch, labels = collect(clips, order, size=4)
        sums.append(
            sorted(zip(batch.flatten(1).long().sum(1).tolist(), labels.tolist(), strict=True))
        )
    assert sums[0] == sums[1] and len(sums[0]) == 50


def test_direct_clips_of_a_batch_are_not_neighbours(sources):
    _, direct = (source.clips(CONFIG, "train") for source in sources)
    torch.manual_seed(0)
    batch, _ = next(direct.batches(torch.randperm(len(direct)), 8))
    in_order, _ = next(direct.batches(torch.arange(len(direct)), 8))
    assert not torch.equal(batch, in_order)


def test_frames_near_a_boundary_are_not_trained_on_and_validate(drawn):
    data = DataConfig(videos=str(drawn), labels=str(drawn / "labels.csv"), margin=0.1)
    with_margin = ClipSource(load_dataset(data, output), data)
    # Of 24 frames of two training videos, labels change at 6, 12 and 18, two frames of each near.
    assert len(with_margin.clips(CONFIG, "train")) == 2 * (24 - 3 * 2)
    assert len(with_margin.clips(CONFIG, "valid")) == 24
    assert with_margin.clips(CONFIG, "train").index.max() == 23


def test_windows_change_what_is_gathered(sources):
    def still(index):
        return index[:, -1:].expand_as(index).contiguous()

    for source in sources:
        clips, _ = collect(source.clips(CONFIG, "valid"), torch.arange(24), windows=still)
        assert torch.equal(clips[:, 0], clips[:, 2])


def test_no_clip_begins_in_the_video_before(sources):
    """Both training videos have 24 frames; their features lie one after the other in memory."""
    frozen = CONFIG.model_copy(update={"architecture": "video_lrcnn_frozen"})
    first, second = sources[0].clips(frozen, "train").index.split(24)
    assert first[:3].tolist() == [[0, 0, 0], [0, 0, 1], [0, 0, 2]]
    assert second.tolist() == (first + 24).tolist()


def test_each_clip_of_a_batch_is_of_one_view():
    features = torch.cat([torch.zeros(6, 4), torch.ones(6, 4), torch.full((6, 4), 2.0)]).half()
    index = torch.tensor([[0, 0, 1], [1, 2, 3], [3, 4, 5]]).repeat(40, 1)
    clips = FeatureClips(features, index, torch.zeros(120, dtype=torch.int64), views=3)
    torch.manual_seed(0)
    batch = next(clips.batches(torch.arange(120), 120))[0].clips()
    first = batch[:, :1, :1]
    assert (batch == first).all()  # not half of a clip from one view and half from another
    assert set(first.flatten().tolist()) == {0.0, 1.0, 2.0}


def test_every_view_of_each_clip_is_there_once():
    features = torch.cat([torch.full((4, 1), view) for view in range(3)]).half()
    index, labels = torch.tensor([[0, 1], [2, 3]]), torch.tensor([5, 6])
    stored = FeatureClips(features, index, labels, views=3)
    clips = stored.every_view()
    windows, found = clips.batch(torch.arange(len(clips)))
    assert windows.clips()[..., 0].tolist() == [[v, v] for v in (0, 0, 1, 1, 2, 2)]
    assert found.tolist() == [5, 6] * 3 and clips.views == 1
    assert [len(stored.every_view(most)) for most in (1, 3, 4, 5, 100)] == [2, 2, 4, 4, 6]


def test_the_first_view_is_that_of_held_views_and_other_views_are_made():
    held, made = Held(), []

    def of(views, changes, backbone="b"):
        def make():
            made.append((views, changes))
            return torch.arange(2 * views), {"v": 0}

        return held.of(backbone, "train", views, changes, make)[0].tolist()

    assert of(3, "flip") == of(3, "flip") == [0, 1, 2, 3, 4, 5]
    assert of(1, "None") == [0, 1]
    assert made == [(3, "flip")]
    of(3, "turn"), of(2, "flip"), of(1, "None", backbone="c")
    assert made[1:] == [(3, "turn"), (2, "flip"), (1, "None")]


def test_a_probe_is_fitted_to_every_view(sources, monkeypatch, tmp_path):
    from tuner.training import probe

    fitted = []

    def fits(inputs, labels, *rest):
        fitted.append((len(inputs), len(labels)))
        yield from before(inputs, labels, *rest)

    before = probe._fits
    monkeypatch.setattr(probe, "_fits", fits)
    for views in (1, 3):
        config = ModelConfig(architecture="linear_probe", frame_size=32)
        training = TrainingConfig(views=views, flip=True, rotation=20.0)
        folder = tmp_path / str(views)
        Run(folder, config, training, sources[0], "valid_f1", 0, None).training.step()
    (once, _), (rows, labels) = fitted
    assert rows == labels == 3 * once


def test_views_of_a_frozen_backbone_are_stored_and_differ(sources):
    frozen = CONFIG.model_copy(update={"architecture": "video_lrcnn_frozen"})
    training = TrainingConfig(views=2, flip=True, rotation=20.0, colour=0.3)
    clips = sources[0].clips(frozen, "train", training)
    plain = sources[0].clips(frozen, "train")
    assert clips.views == 2 and len(clips.features) == 2 * len(plain.features)
    count = len(plain.features)
    assert torch.equal(clips.features[:count], plain.features)
    assert not torch.equal(clips.features[count:], plain.features)
    assert sources[0].clips(frozen, "valid", None).views == 1


def test_features_of_direct_frames_are_those_of_stored_ones(sources, tmp_path, monkeypatch):
    frozen = CONFIG.model_copy(update={"architecture": "image_mlp_frozen", "sequence_length": 1})
    features = []
    for number, source in enumerate(sources):
        monkeypatch.setenv("TUNER_CACHE", str(tmp_path / str(number)))
        features.append(source.clips(frozen, "valid").features.clone())
    assert np.allclose(features[0], features[1], atol=1e-2)
    assert not list((tmp_path / "1").glob("frames/*.npy"))


@pytest.mark.parametrize("motion", ["background", "previous"])
def test_motion_comes_after_the_frames_and_is_stored_likewise(sources, motion):
    model = CONFIG.model_copy(update={"motion": motion})
    plain, _ = collect(sources[0].clips(CONFIG, "valid"), torch.arange(24))
    both, _ = collect(sources[0].clips(model, "valid"), torch.arange(24))
    assert torch.equal(both[:, :3], plain)
    images = both[:, 3:].float()
    assert images.shape == plain.shape
    assert (images - 128).abs().mean() < (plain.float() - 128).abs().mean()  # mostly still
    frozen = model.model_copy(update={"architecture": "video_lrcnn_frozen"})
    alone = frozen.model_copy(update={"motion": "none"})
    features = sources[0].clips(frozen, "valid").features
    assert torch.equal(features[:, :1280], sources[0].clips(alone, "valid").features)
    assert features.shape[1] == 2 * 1280
    network = models.build(frozen, ["a", "b"], with_backbone=True)
    network.backbone = folded(network.backbone, (1, 3, 32, 32))  # as it is for stored features
    bf16 = backbone_precision(torch.device("cpu")) == "bf16"
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16), torch.no_grad():
        seen = network.extract(both[:1]).half()
    expected = features[sources[0].clips(frozen, "valid").index[:1]]
    assert torch.allclose(seen.float(), expected.float(), atol=0.05)


@pytest.mark.parametrize("architecture", ["video_lrcnn_frozen", "video_lrcnn_trainable"])
def test_a_clip_may_lie_around_its_frame(architecture):
    values = {"architecture": architecture, "sequence_model": "GRU", "sequence_length": 5}
    around = ModelConfig(**values, labelled_frame="middle")
    assert frame_numbers(around, 10, np.array([0, 5, 9])).tolist() == [
        [0, 0, 0, 1, 2],
        [3, 4, 5, 6, 7],
        [7, 8, 9, 9, 9],
    ]
    assert frame_numbers(ModelConfig(**values), 10, np.array([5])).tolist() == [[1, 2, 3, 4, 5]]
    whole = ModelConfig(**values, labelled_frame="middle", frames_per_video=2)
    assert frame_numbers(whole, 10, None).tolist() == [[2, 7]]
