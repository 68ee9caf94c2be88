"""What a search shows while it runs."""

import io
import re
import time
from types import SimpleNamespace

import pytest
from rich.console import Console

from data.console import duration
from models import ModelConfig
from tuner.config.load import parse
from tuner.study.context import Report
from tuner.study.progress import Progress
from tuner.study.space.describe import describe, run_name
from tuner.study.space.space import Space
from tuner.study.store.results import ResultsStore
from tuner.study.time_left import TimeLeft


@pytest.mark.parametrize(
    ("seconds", "text"), [(5, "0:05"), (75, "1:15"), (3600 + 61, "1:01:01"), (90_000, "25:00:00")]
)
def test_durations(seconds, text):
    assert duration(seconds) == text


def test_models_are_described_in_a_few_words():
    params = {"architecture": "video_lrcnn_frozen", "pretrained_model_name": "vgg16"}
    params |= {"sequence_length": 5, "sequence_model": "GRU", "sequence_model_layers": 2}
    params |= {"layer_1_size": 256, "layer_2_size": 128, "layer_3_size": 0}
    assert describe(params) == "video_lrcnn_frozen vgg16 L=5 GRU x2 256/128"


def test_models_that_see_other_things_have_other_names():
    plain = ModelConfig(architecture="image_mlp_frozen").model_dump()
    assert run_name(7, plain) == "007 mlp 256"
    seen = {**plain, "motion": "both", "appearance": False, "relative": "video"}
    assert run_name(7, seen) == "007 mlp motion-both-alone relative 256"
    words = "image_mlp_frozen efficientnet_lite0 motion-background crop 256"
    assert describe({**plain, "motion": "background", "crop": "motion"}) == words
    cut = describe({**plain, "motion": "background", "crop": "all"})
    assert cut == words.replace("crop", "crop-all")
    around = {**plain, "backbone_stage": "middle", "sequence_length": 5, "labelled_frame": "middle"}
    assert "L=5-around middle" in describe(around)


def a_search(tmp_path, console, **options):
    """A search's store with one trial, the trial as Tune has it, and its progress."""
    tree = {"name": "a", "storage": str(tmp_path), "space": {"architecture": ["image_mlp_frozen"]}}
    config = parse(tree, "x")
    store = ResultsStore.create(config, resume=False)
    number, params = store.ask(Space(config).sample)
    trial = SimpleNamespace(
        config={"model_id": number, "params": params}, last_result=None, status="RUNNING"
    )
    left = TimeLeft(4, levels=[4, 12], factor=3, first_guess=30)
    return trial, Progress(store, left, console=console, every=0, **options)


def result(epoch=3, finished=False):
    report = Report({epoch - 1: 0.75, epoch: 0.7}, {})
    figures = {"best_value": 0.75, "epoch": epoch, "valid_f1": 0.7, "finished": finished}
    return {**figures, "report": report}


@pytest.mark.parametrize("terminal", [False, True])
def test_a_search_is_readable_on_a_terminal_and_in_a_file(tmp_path, terminal):
    text = io.StringIO()
    console = Console(file=text, force_terminal=terminal, width=80)
    trial, progress = a_search(tmp_path, console)
    with progress:
        progress.on_trial_start(0, [], trial)
        assert "? left, 0/4 trials, 1 running" in progress.lines()[0]
        trial.last_result = result()
        progress.on_trial_result(0, [], trial, trial.last_result)
        progress.last_line = -10.0
        progress.on_step_end(0, [])
        first, second = progress.lines()
        assert "1 running" in first and "best valid_f1 0.750 (model 0)" in second
        assert "? left" not in first
        progress.on_trial_complete(0, [], trial)
        line = " ".join(progress.lines())
    for words in ("1/4 trials", "0 running", "1 pruned", "0 failed", " epochs/", "left"):
        assert words in line
    shown = " ".join(text.getvalue().split())
    assert "model 0 pruned valid_f1 0.750 after 3 epochs" in shown
    assert "1 running" in shown and "left" in shown


def test_on_a_terminal_of_80_columns_nothing_is_cut_within_a_word(tmp_path):
    text = io.StringIO()
    console = Console(file=text, force_terminal=True, width=80, color_system=None)
    trial, progress = a_search(tmp_path, console)
    progress.total = progress.left.total = 4000
    progress.counts |= {"pruned": 2000, "finished": 1000, "failed": 100}
    progress.start -= 200_000
    for before in range(200_000, 0, -1000):
        progress.left.trained(200, time.monotonic() - before)
    with progress:
        progress.on_trial_start(0, [], trial)
        trial.last_result = result()
        progress.on_trial_result(0, [], trial, trial.last_result)
        assert max(map(len, progress.lines())) <= 80
        progress.on_trial_complete(0, [], trial)
    words = text.getvalue().split()
    assert {"image_mlp_frozen", "efficientnet_lite0", "pruned"} <= set(words)


def test_epochs_on_train_and_valid_count_for_the_time_that_is_left(tmp_path):
    trial, progress = a_search(tmp_path, Console(file=io.StringIO()))
    with progress:
        progress.on_trial_start(0, [], trial)
        trial.last_result = result(epoch=12, finished=True)
        trial.last_result["report"].summary["refit"] = 10
        progress.on_trial_result(0, [], trial, trial.last_result)
        progress.on_trial_complete(0, [], trial)
    assert progress.left.count == 2 + 10
    assert progress.left.length == (30 + 12 + 10) / 2  # with the first guess


def test_a_probe_says_nothing_of_the_time_that_others_take(tmp_path):
    trial, progress = a_search(tmp_path, Console(file=io.StringIO(), width=80))
    trial.config["params"]["architecture"] = "linear_probe"
    trial.last_result = result(epoch=1, finished=True)
    progress.on_trial_start(0, [], trial)
    progress.on_trial_result(0, [], trial, trial.last_result)
    progress.on_trial_complete(0, [], trial)
    assert "? left, 1/4 trials" in progress.lines()[0]


def test_the_time_left_is_at_most_that_of_the_budget(tmp_path):
    console = Console(file=io.StringIO(), width=80)
    trial, progress = a_search(tmp_path, console, end=time.monotonic() + 65.5)
    with progress:
        progress.on_trial_start(0, [], trial)
        assert re.search(r"1:0[45] left", progress.lines()[0])  # also before the first epoch
        progress.start -= 100
        progress.on_trial_result(0, [], trial, result())
        assert re.search(r"1:0[45] left", progress.lines()[0])
