"""What a search shows while it runs."""

import io
from types import SimpleNamespace

import pytest
from rich.console import Console

from data.console import duration
from tuner.config.load import parse
from tuner.study.context import Report
from tuner.study.progress import Progress
from tuner.study.space.describe import describe
from tuner.study.space.space import Space
from tuner.study.store.results import ResultsStore


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


@pytest.mark.parametrize("terminal", [False, True])
def test_a_search_is_readable_on_a_terminal_and_in_a_file(tmp_path, terminal):
    tree = {"name": "a", "storage": str(tmp_path), "space": {"architecture": ["image_mlp_frozen"]}}
    config = parse(tree, "x")
    store = ResultsStore.create(config, resume=False)
    number, params = store.ask(Space(config).sample)
    text = io.StringIO()
    console = Console(file=text, force_terminal=terminal, width=80)
    result = {"best_value": 0.75, "epoch": 3, "valid_f1": 0.7, "finished": False}
    result["report"] = Report({2: 0.75, 3: 0.7}, {})
    trial = SimpleNamespace(
        config={"model_id": number, "params": params}, last_result=result, status="RUNNING"
    )
    with Progress(store, 4, "valid_f1", console=console, every=0) as progress:
        progress.on_trial_start(0, [], trial)
        progress.on_trial_result(0, [], trial, result)
        progress.last_line = -10.0
        progress.on_step_end(0, [])
        assert "1 running" in progress.line() and "best model 0 valid_f1 0.750" in progress.line()
        progress.on_trial_complete(0, [], trial)
        line = progress.line()
    for words in ("1/4 trials", "0 running", "1 pruned", "0 failed", "epochs/s", "left"):
        assert words in line
    assert "model 0    pruned   valid_f1 0.750 after 3 epochs" in text.getvalue()
    shown = " ".join(text.getvalue().split())
    assert "1 running" in shown and "left" in shown  # also beyond a terminal's width
