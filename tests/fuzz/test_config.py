"""Configurations by their grammar: what is written is read and kept, and one odd value is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from data.console import clean
from tests.fuzz.drawn import few
from tuner.config.load import Config, load, parse
from tuner.config.messages import ConfigError
from tuner.study.store.same import changes, tree

TEXT = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=9
)
NUMBER = st.floats(1e-6, 1e6)
COUNT = st.integers(1, 1000)
SECTIONS: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "data": st.fixed_dictionaries(
        {"videos": TEXT.filter(lambda text: "sample" not in text), "labels": TEXT},
        optional={"fps": NUMBER | st.none(), "unit": st.sampled_from(["auto", "frame", "video"])},
    ),
    "training": st.fixed_dictionaries(
        {}, optional={"learning_rate": NUMBER, "epochs": COUNT, "flip": st.booleans()}
    ),
    "search": st.fixed_dictionaries(
        {}, optional={"trials": COUNT, "seed": st.integers(0, 2**32 - 1)}
    ),
    "resources": st.fixed_dictionaries({}, optional={"cpus": NUMBER, "gpus": st.floats(0, 8)}),
    "space": st.fixed_dictionaries(
        {},
        optional={"dropout": st.lists(st.floats(0, 0.9), min_size=1, max_size=4), "epochs": COUNT},
    ),
}
TREES = st.fixed_dictionaries({"name": st.just("a")}, optional=SECTIONS)
# Values that none of these keys takes.
ODD = st.sampled_from(
    [*("x" * 5000, float("nan"), float("inf"), -1, [[1]], {"a": {"b": 1}}, -1e400, 10**400)]
)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("config") / "a.yaml"


@few
@given(values=TREES, allow_unicode=st.booleans(), flow=st.booleans())
def test_what_is_written_is_read_and_kept(path, values, allow_unicode, flow) -> None:
    text = yaml.safe_dump(values, allow_unicode=allow_unicode, default_flow_style=flow)
    path.write_text(text, encoding="utf-8")
    config = load(path)
    assert config == parse(values, "as a tree")
    for section in ("data", "training", "search", "resources"):
        for key, value in values.get(section, {}).items():
            assert getattr(getattr(config, section), key) == value
    assert changes(parse(tree(config), "as the store keeps it"), config) == []


@few
@given(values=TREES)
def test_values_may_be_given_beside_the_file(path, values) -> None:
    path.write_text("name: b\n")
    pairs = {
        f"{section}.{key}": value
        for section, keys in values.items()
        if isinstance(keys, dict)
        for key, value in keys.items()
    }
    config = parse(values, "as a tree")
    assert Config.load(path, {**pairs, "name": "a"}).training == config.training
    texts = [f"{key}={yaml.safe_dump(value)}" for key, value in pairs.items()]
    assert load(path, [*texts, "name=a"]) == config


@few
@given(values=TREES.filter(lambda values: len(values) > 1), odd=ODD, data=st.data())
def test_one_odd_value_is_told_with_its_key(path, values, odd, data) -> None:
    sections = [name for name in values if isinstance(values[name], dict) and values[name]]
    if not sections:
        return
    section = data.draw(st.sampled_from(sections))
    key = data.draw(st.sampled_from([*values[section]]))
    if section == "data" and isinstance(odd, str):
        return  # any text is a path
    path.write_text(yaml.safe_dump({**values, section: {**values[section], key: odd}}))
    try:
        load(path)
    except ConfigError as error:
        assert all(problem.startswith(f"{section}.{key}") for problem in error.problems), odd
        assert len(str(error)) < 3000
    else:
        assert odd == 10**400 and key in ("trials", "epochs")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("data: {videos: &a [*a], labels: b}", "a value is within itself"),
        ("search: {sampler_options: &a {b: *a}}", "a value is within itself"),
        ("".join(f"k{n}: 1\n" for n in range(2000)), "and 1,800 more problems"),
        (f"space: {{dropout: [{'0.1, ' * 1001}]}}", "has 1,001 choices; at most 1,000"),
        ("space: {dropout: {low: 0, high: 0.5, step: 1.0e-9}}", "a range of 500,000,001 numbers"),
        ("space: {dropout: {low: 0, high: 0.5, step: 1.0e-300}}", "a range of 5.0e+299 numbers"),
        ('data: {videos: "a\\ud800", labels: b}', "write it in UTF-8"),
        ('storage: "a\\0"', "storage: 'a\\x00' has a character that is none"),
        ("search: {time_budget: " + "9" * 4400 + "d}", "is not a duration"),
        ("a: 1\na: 2", "key 'a' is given twice in the section at line 1"),
        ("a: {1: 2, 1: 3}", "key '1' is given twice in the section at line 2"),
        ("a: &a {b: 1}\nc: {<<: *a, b: 2}", "merge"),
        ("? [a]\n: 1", "unhashable"),
        ("storage: !!timestamp mine", "a value is not what it is said to be"),
        ("data: {fps: !!float ''}", "a value is not what it is said to be"),
        ("data: {fps: !!int ''}", "a value is not what it is said to be"),
    ],
    ids=lambda value: value[:30],
)
def test_what_no_search_can_use_is_told(path, text: str, words: str) -> None:
    path.write_text(f"name: a\n{text}\n" if not text.startswith("a: 1\n") else text)
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert words in clean(str(caught.value)) and len(str(caught.value)) < 40_000


def test_aliases_that_make_billions_of_values_are_refused(path) -> None:
    parts = ["&a [x, x, x, x, x, x, x, x, x]"]
    for before, key in zip("abcdefgh", "bcdefghi", strict=True):
        parts.append(f"&{key} [{', '.join([f'*{before}'] * 9)}]")
    path.write_text(f"name: a\nsearch: {{sampler_options: {{a: [{', '.join(parts)}]}}}}\n")
    with pytest.raises(ConfigError, match=r"holds 490,329,059 values, with those of aliases"):
        load(path)


def test_a_folder_of_a_user_that_does_not_exist_is_a_folder(path) -> None:
    path.write_text("name: a\nstorage: ~nobody-of-this-name/runs\n")
    assert Config.load(path).storage.endswith("~nobody-of-this-name/runs")
