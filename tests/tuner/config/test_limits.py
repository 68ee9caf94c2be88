"""Configurations of any content: what is wrong is told in a line, whatever it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from data.console import clean, console
from tuner.config.load import load
from tuner.config.messages import ConfigError
from tuner.study.space.checks import check

BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{key}: &{key} [{', '.join([f'*{before}'] * 9)}]\n"
    for before, key in zip("abcdefgh", "bcdefghi", strict=True)
)


def said(text: str, tmp_path: Path) -> str:
    path = tmp_path / "a.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        check(load(path))
    return str(caught.value)


def with_data(text: str) -> str:
    return f"name: a\nmodel: {{architecture: image_mlp_frozen}}\ndata: {{videos: sample, {text}}}\n"


def with_section(text: str) -> str:
    return f"{with_data('fps: 2')}{text}\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (with_data("splits: {valid: .6, test: .6}"), "leave none to learn from"),
        (with_data("splits: {seed: -1}"), "data.splits.seed"),
        (with_data("fps: .inf"), "data.fps: input should be a finite number, not inf"),
        (with_data(f"fps: {'9' * 5000}"), "is not valid YAML"),
        (with_section("search: {seed: -1}"), "search.seed"),
        (with_section(f"search: {{trials: 1{'0' * 30}}}"), "search.trials"),
        (with_section("space: {1: [2, 3]}"), "space.1: unknown parameter"),
        (with_section("space: {dropout: {low: 0, high: .5, step: .inf}}"), "space.dropout.step"),
        (
            with_section("space: {layer_1_size: {low: 1, high: 3000000000}}"),
            "3,000,000,000 whole numbers",
        ),
        ("name: a\ndata: {videos: sample}\n", "architecture"),
        (f"a: {'[' * 5000}{']' * 5000}\n", "is nested too deeply"),
        ("".join(" " * depth + "a:\n" for depth in range(1000)), "is nested too deeply"),
        (f"name: {'a' * 1_000_001}\n", "bytes, at most 1,000,000"),
        (f"name: {'a' * 500}\ndata: {{videos: sample}}\n", "at most 100 characters"),
    ],
    ids=lambda value: value[:40],
)
def test_what_is_wrong_is_told_in_a_line(text: str, words: str, tmp_path: Path) -> None:
    line = said(text, tmp_path)
    assert words in line and len(line) < 2000


@pytest.mark.parametrize("key", ["name", "storage", "data", "space", "search"])
def test_a_value_of_any_size_is_shown_short(key: str, tmp_path: Path) -> None:
    assert len(said(f"{BOMB}{key}: *i\n", tmp_path)) < 20_000


def test_control_characters_are_shown_and_not_written() -> None:
    text = "fox\x1b[31m\x07\x9b\r\n\tdeer [b]"
    assert clean(text) == "fox\\x1b[31m\\x07\\x9b\\x0d\n\tdeer [b]"
    with console.capture() as capture:
        console.print(text)
    assert "\x1b[31m" not in capture.get() and "\\x1b[31m" in capture.get()
