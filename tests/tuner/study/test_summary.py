"""The last lines of a search."""

from __future__ import annotations

from pathlib import Path

import pytest

from tuner.config.load import load
from tuner.study.space.space import Space
from tuner.study.store.results import ResultsStore
from tuner.study.summary import summary


def test_the_next_command_is_named_only_where_there_is_a_model(
    write_config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
):
    monkeypatch.chdir(tmp_path)
    config = load(write_config())
    store = ResultsStore.create(config, resume=False)
    number, _ = store.ask(Space(config).sample)
    store.fail(number, "loss is nan")
    summary(config, store, 1.0, "")
    out = capsys.readouterr().out
    assert "1 failed" in out and "loss is nan" in out and "next:" not in out
    number, _ = store.ask(Space(config).sample)
    store.finish(number, pruned=False, results={"best_epoch": 1}, value=0.5)
    summary(config, store, 1.0, "")
    assert "next:    python -m tuner.best" in capsys.readouterr().out
