"""What TensorBoard makes of the trials' event files: read back with its own HPARAMS plugin."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.context import RequestContext
from tensorboard.plugins.base_plugin import TBContext
from tensorboard.plugins.hparams import api_pb2, get_experiment, list_session_groups
from tensorboard.plugins.hparams.backend_context import Context

from tuner.objective import METRICS
from tuner.training.tensorboard import TrialWriter

SHOWN = 5  # columns of parameters, and of metrics, before a user ticks others


class Tab:
    """The HPARAMS tab over a folder."""

    def __init__(self, logdir: Path) -> None:
        events = EventMultiplexer().AddRunsFromDirectory(str(logdir)).Reload()
        provider = MultiplexerDataProvider(events, str(logdir))
        context, asked = Context(TBContext(data_provider=provider)), RequestContext()
        found = get_experiment.Handler(
            asked, context, "", api_pb2.GetExperimentRequest(hparams_limit=1000)
        ).run()
        self.parameters = [info.name for info in found.hparam_infos]
        self.metrics = [info.name.tag for info in found.metric_infos]
        statuses = [api_pb2.STATUS_UNKNOWN, api_pb2.STATUS_SUCCESS]
        request = api_pb2.ListSessionGroupsRequest(allowed_statuses=statuses, slice_size=100)
        groups = list_session_groups.Handler(asked, context, "", request).run().session_groups
        self.trials = {
            group.name: {metric.name.tag: metric.value for metric in group.metric_values}
            for group in groups
        }


def write(folder: Path, params: dict, value: float = 0.5, *, close: bool = True) -> None:
    writer = TrialWriter(folder, params)
    names = ("train_loss", "train_accuracy", "learning_rate", "seconds", "data_wait")
    result = dict.fromkeys((*names, *METRICS), 0.1)
    writer.epoch({**result, "epoch": 1}, {**result, "valid_f1": value})
    writer.flush()
    if close:
        writer.close([[1, 0], [0, 1]], ["noseal", "seal"], 1)


def test_what_the_search_varied_comes_first_and_then_the_best_values(tmp_path: Path):
    for number in range(3):
        params = {
            "architecture": "video_lrcnn_frozen",
            "batch_size": 32,
            "bidirectional": False,
            "dropout": 0.1 * number,
            "learning_rate": 1e-3 / (1 + number),
            "motion": None,
            "sequence_model": ["GRU", "LSTM", None][number],
        }
        name = tmp_path / "seals" / f"{number:03} lrcnn"
        write(name, params, 0.7 + number / 10, close=number < 2)
    tab = Tab(tmp_path)
    assert tab.parameters[:3] == ["dropout", "learning_rate", "sequence_model"]
    best = sorted(f"best/{name}" for name in METRICS)
    assert tab.metrics[:SHOWN] == [*best, "train_accuracy", "train_loss"][:SHOWN]
    values = [trial["best/valid_f1"] for trial in tab.trials.values()]
    assert values == pytest.approx([0.7, 0.8, 0.9])  # also for a trial that is running
    assert list(tab.trials) == ["seals/000 lrcnn", "seals/001 lrcnn", "seals/002 lrcnn"]


def test_searches_that_varied_other_things_are_shown_together(tmp_path: Path):
    for number in range(2):
        write(tmp_path / "a" / f"{number:03} mlp", {"pooling": "max", "dropout": 0.1 * number})
        write(tmp_path / "b" / f"{number:03} mlp", {"pooling": "avg", "views": 1 + number})
    tab = Tab(tmp_path)
    assert tab.parameters == ["dropout", "pooling", "views"] and len(tab.trials) == 4


def test_a_clock_that_was_set_back_holds_nothing_up(tmp_path: Path, monkeypatch):
    begun = time.time()
    monkeypatch.setattr(time, "time", lambda: begun + 180)
    for epochs_done in (0, 1):
        part = TrialWriter(tmp_path, {"a": 1}, epochs_done=epochs_done)
        part.epoch({"epoch": epochs_done + 1, "valid_f1": 0.5}, {"valid_f1": 0.5})
        part.close([], ["a"], 1)
        monkeypatch.setattr(time, "time", lambda: begun + 182)
    monkeypatch.undo()
    start = time.monotonic()
    late = TrialWriter(tmp_path, {"a": 1}, epochs_done=2)
    assert time.monotonic() - start < 30
    late.epoch({"epoch": 3, "valid_f1": 0.7}, {"valid_f1": 0.7})
    late.close([], ["a"], 3)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert len(names) == 3
    events = EventAccumulator(str(tmp_path)).Reload().Scalars("valid_f1")
    assert [(event.step, event.value) for event in events] == [
        (1, 0.5),
        (2, 0.5),
        (3, pytest.approx(0.7)),
    ]


def test_the_picture_of_a_hundred_classes_costs_a_trial_next_to_nothing(tmp_path: Path):
    classes = [f"Panthera species {number}" for number in range(100)]
    rng = np.random.default_rng(0)
    for trial in range(3):  # the first one also loads matplotlib
        writer = TrialWriter(tmp_path / str(trial), {"dropout": 0.1})
        start = time.process_time()
        writer.close(rng.integers(0, 9, (100, 100)).tolist(), classes, 1)
        spent = time.process_time() - start
    assert spent < 0.6  # it was 1.3 with thirty classes in it, and 20 with all
    events = EventAccumulator(str(tmp_path / "0")).Reload()
    (image,) = events.Images("confusion_matrix/valid")
    assert image.width * image.height < 1_000_000
