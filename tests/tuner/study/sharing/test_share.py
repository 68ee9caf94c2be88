"""How many trials share a card: from what one takes, by the largest of its kind, measured once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from models.config import ModelConfig
from tuner.config.load import parse
from tuner.config.parameters import TrainingConfig
from tuner.study.sharing.largest import largest
from tuner.study.sharing.remembered import file_of, recall, remember
from tuner.study.sharing.share import Shares, alike, kind_of, part, said, trials_a_card
from tuner.study.space.space import Space
from tuner.training.speed import Card, Load, covered, load_on_card

GB = 10**9
CARD = Card("a card", 140 * GB)
NET = ("image_mlp_trainable", "resnet50")


@pytest.mark.parametrize(
    ("memory", "busy", "count"),
    [
        (2, 0.3, 3),  # a fourth would only wait
        (2, 0.35, 3),
        (2, 0.5, 2),
        (2, 0.85, 2),
        (2, 0.95, 1),
        (50, 0.1, 2),  # three would leave no margin
        (63, 0.3, 2),  # just 90 %
        (64, 0.3, 1),
        (200, 0.3, 1),
        (1, 0.01, 16),
        (0, 0.0, 16),
    ],
)
def test_as_many_share_a_card_as_fit_and_make_it_busy(memory, busy, count):
    assert trials_a_card(Load(memory * GB, busy), CARD.memory) == count


def test_heads_keep_their_number_however_busy_they_are_if_they_fit():
    assert trials_a_card(Load(2 * GB, 1.0), CARD.memory, least=4) == 4
    assert trials_a_card(Load(40 * GB, 1.0), CARD.memory, least=4) == 3


def test_kinds_that_differ_by_less_than_twice_can_take_over_each_others_workers():
    counts = {("a", None): 5, ("b", "x"): 3, ("b", "y"): 1, ("c", None): 6, ("d", None): 16}
    expected = {("a", None): 3, ("b", "x"): 3, ("b", "y"): 1, ("c", None): 6, ("d", None): 16}
    assert alike(counts) == expected


@pytest.mark.parametrize("count", range(1, 17))
def test_shares_add_up_to_a_card_in_the_parts_that_ray_counts_in(count):
    units = part(count) * 10_000
    assert round(units) == pytest.approx(units)
    assert round(units) * count <= 10_000 < round(units) * (count + 1)
    config = parse({"name": "a", "space": {"architecture": ["c3d"]}}, "a")
    assert config.resources.workers({"CPU": 16, "GPU": 1}, part(count)) == count


def test_a_trial_has_the_share_of_its_kind_or_the_fixed_one():
    shares = Shares({"linear_probe": 0.25, NET[0]: 1.0}, {NET: 0.5})
    assert shares.of({"architecture": NET[0], "pretrained_model_name": "resnet50"}) == 0.5
    assert shares.of({"architecture": NET[0], "pretrained_model_name": "vgg16"}) == 1.0
    assert shares.of({"architecture": "linear_probe"}) == 0.25
    assert shares.all == [0.5] and Shares(shares.fixed).all == [1.0]


def test_the_line_says_why():
    assert said(NET, Load(2_100_000_000, 0.35), CARD.memory, 2) == (
        "image_mlp_trainable of resnet50: 2.1 of 140 GB, busy 35 %: 2 trials a card"
    )
    assert said(NET, Load(2_100_000_000, 1.0), CARD.memory, 1).endswith(
        "busy 100 %: 1 trial a card"
    )


def test_time_in_which_two_kernels_run_counts_once():
    assert covered([(5, 6), (0, 2), (1, 3), (1.5, 2)]) == 4
    assert covered([]) == 0


def space_of(**space: Any) -> Space:
    return Space(parse({"name": "a", "space": space}, "a"))


def test_the_largest_of_each_kind_is_measured():
    found = largest(
        space_of(
            architecture=["c3d", "c3dsmall"],
            frame_size=[[112, 112], [96, 128], [64, 64]],
            sequence_length={"low": 16, "high": 24},
            batch_size=[
                {"choices": [4, 8], "when": {"frame_size": [[112, 112], [96, 128]]}},
                {"choices": [64]},
            ],
            learning_rate={"low": 1e-4, "high": 1e-2, "log": True},
            optimizer=["sgd", "adam"],
            precision=["bf16", "fp32"],
        )
    )
    assert list(found) == [("c3d", None), ("c3dsmall", None)]
    for params in found.values():
        # so many small clips are more than fewer large ones
        assert (params["frame_size"], params["batch_size"]) == ((64, 64), 64)
        assert params["sequence_length"] == 24 and isinstance(params["sequence_length"], int)
        assert (params["optimizer"], params["precision"]) == ("adam", "fp32")
        assert params["learning_rate"] == 1e-4


def test_each_trained_network_is_a_kind_and_heads_of_an_architecture_are_one():
    found = largest(
        space_of(
            architecture=["image_mlp_frozen", "image_mlp_trainable", "linear_probe"],
            pretrained_model_name=["efficientnet_lite0", "resnet50"],
            trainable_layers=[2, "all", 4],
            gradient_checkpointing=[True, False],
        )
    )
    trained = "image_mlp_trainable"
    head = ("image_mlp_frozen", None)
    assert {head, (trained, "resnet50")} < found.keys() and len(found) == 3
    assert found[head]["pretrained_model_name"] == "resnet50"  # the wider features
    assert kind_of(found[head]) == head
    for kind in found.keys() - {head}:
        assert found[kind]["trainable_layers"] == "all"
        assert found[kind]["gradient_checkpointing"] is False


@pytest.fixture
def params() -> dict[str, Any]:
    (found,) = largest(space_of(architecture=["c3dsmall"])).values()
    return found


def test_what_was_measured_is_remembered_for_the_same_card_and_shape(params):
    load = Load(3 * GB, 0.25)
    file = file_of(CARD, params, 2, 1)
    assert recall(file) is None
    remember(file, CARD, params, load)
    assert recall(file_of(CARD, {**params, "learning_rate": 0.5}, 2, 1)) == load
    others = [
        file_of(Card("another", CARD.memory), params, 2, 1),
        file_of(Card(CARD.name, 1), params, 2, 1),
        file_of(CARD, {**params, "batch_size": 1}, 2, 1),
        file_of(CARD, {**params, "sequence_length": 17}, 2, 1),
        file_of(CARD, {**params, "precision": "fp32"}, 2, 1),
        file_of(CARD, params, 3, 1),
        file_of(CARD, params, 2, 4),
    ]
    assert [recall(other) for other in others] == [None] * len(others)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"memory": -1, "busy": 0.5}', '{"memory": 1, "busy']
)
def test_a_damaged_file_is_as_good_as_none(text, params):
    file = file_of(CARD, params, 2, 1)
    file.parent.mkdir(parents=True)
    file.write_text(text)
    assert recall(file) is None
    remember(file, CARD, params, Load(1, 0.5))
    assert recall(file) == Load(1, 0.5)


def test_where_nothing_can_be_kept_it_is_measured_again(params, tmp_path: Path, monkeypatch):
    (tmp_path / "cards").write_text("no folder")
    monkeypatch.setenv("TUNER_CACHE", str(tmp_path))
    file = file_of(CARD, params, 2, 1)
    remember(file, CARD, params, Load(1, 0.5))
    assert recall(file) is None


HEAD = ModelConfig(architecture="c3dsmall", frame_size=(64, 64))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_without_a_card_nothing_is_measured():
    assert Card.here() is None
    with pytest.raises(RuntimeError, match="no CUDA device"):
        load_on_card(HEAD, TrainingConfig(batch_size=2), ["a", "b"])


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_card_is_measured():
    card = Card.here()
    assert card is not None and card.memory > GB
    small, large = (
        load_on_card(HEAD, TrainingConfig(batch_size=size), ["a", "b"]) for size in (2, 16)
    )
    assert 0 < small.memory < large.memory < card.memory
    assert 0 < small.busy <= 1 and 0 < large.busy <= 1
    head = ModelConfig(architecture="video_lrcnn_frozen", sequence_model="LSTM", sequence_length=5)
    load = load_on_card(head, TrainingConfig(), ["a", "b"])
    assert 0 < load.memory < card.memory / 4 and 0 < load.busy <= 1
