"""``python -m data split``: what is drawn and written, and that a search takes it."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

import data
from data.tools.drawing import traps


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Drawn camera traps of four frames a video."""
    draw = traps.draw_video
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(traps, "draw_video", lambda *which: islice(draw(*which), 4))
        yield traps.make_traps(tmp_path_factory.mktemp("traps") / "traps")


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "splits.csv").open() as file:
        return [*csv.DictReader(file)]


def splits_of(folder: Path) -> dict[str, set[str]]:
    """The splits of each group."""
    found: dict[str, set[str]] = {}
    for row in rows(folder):
        found.setdefault(row["group"], set()).add(row["split"])
    return found


def test_a_site_is_in_one_split_alone(tool, labels: Path, tmp_path: Path):
    status, out, err = tool("split", "--labels", labels, "--out", tmp_path)
    assert status == 0, err
    assert len(rows(tmp_path)) == 60
    assert all(len(splits) == 1 for splits in splits_of(tmp_path).values())
    assert out.splitlines()[0].split() == ["videos", "sites", "bird", "deer", "empty", "fox"]
    assert f"data.splits.file={tmp_path / 'splits.csv'}" in out


def test_a_search_takes_what_was_drawn(tool, labels: Path, tmp_path: Path):
    tool("split", "--labels", labels, "--out", tmp_path, "--seed", 3)
    found = data.load(labels.parent, labels, unit="video", splits=tmp_path / "splits.csv")
    drawn = {row["video"]: row["split"] for row in rows(tmp_path)}
    assert dict(zip(found.table["video"], found.table["split"], strict=True)) == drawn


def test_each_video_outside_test_is_in_one_fold_with_its_site(tool, labels: Path, tmp_path: Path):
    words = ("--test", "site4", "--valid", "site1", "--folds", 3)
    status, out, err = tool("split", "--labels", labels, "--out", tmp_path, *words)
    assert status == 0, err
    folds: dict[str, set[str]] = {}
    for row in rows(tmp_path):
        folds.setdefault(row["group"], set()).add(row["fold"])
        assert (row["fold"] == "") == (row["split"] == "test") == (row["group"] == "site4")
    assert all(len(of_group) == 1 for of_group in folds.values())
    assert set.union(*folds.values()) == {"", "1", "2", "3"}
    table = out[out.index("fold 1") :].splitlines()[:3]
    assert sum(int(line.split()[2]) for line in table) == sum(
        row["fold"] != "" for row in rows(tmp_path)
    )


def test_another_seed_draws_others(tool, labels: Path, tmp_path: Path):
    for seed in (0, 0, 5):
        tool("split", "--labels", labels, "--by", "video", "--seed", seed, "--out", tmp_path)
        if seed == 0:
            assert not (tmp_path / "splits_before.csv").exists()
    assert (tmp_path / "splits_before.csv").exists()


def test_shares(tool, labels: Path, tmp_path: Path):
    words = ("--valid", 0.3, "--test", 0, "--by", "video")
    status, _, err = tool("split", "--labels", labels, "--out", tmp_path, *words)
    assert status == 0, err
    found = [row["split"] for row in rows(tmp_path)]
    assert 16 <= found.count("valid") <= 20 and found.count("test") == 0


def test_the_yaml_of_a_search(tool, labels: Path, tmp_path: Path):
    (tmp_path / "c.yaml").write_text(
        f"name: x\ndata:\n  videos: {labels.parent}\n  labels: {labels}\n"
        "  splits: {by: site, valid: [site2], test: [site1]}\n"
    )
    assert tool("split", tmp_path / "c.yaml", "--out", tmp_path)[0] == 0
    assert splits_of(tmp_path)["site2"] == {"valid"}
    assert tool("split", tmp_path / "c.yaml", "--test", "site3", "--out", tmp_path)[0] == 0
    assert splits_of(tmp_path)["site3"] == {"test"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--valid", "0.6", "--test", "0.5"), "leave nothing to learn from"),
        (("--valid", "2"), "a share of the frames goes from 0 to 1"),
        (("--valid", "0.2", "--test", "site1"), "both as names or both as shares"),
        (("--test", "site9"), "did you mean 'site"),
        (("--by", "sight"), "did you mean 'site'"),
        (("--folds", "9"), "ask for fewer folds"),
    ],
)
def test_mistakes(tool, labels: Path, tmp_path: Path, words: tuple[str, ...], said: str):
    status, _, err = tool("split", "--labels", labels, "--out", tmp_path, *words)
    assert status == 2 and said in err
    assert not (tmp_path / "splits.csv").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("data: {fps: fast}", "data.fps: 'fast' is not int or float"),
        ("data: {splits: {seed: x}}", "data.splits.seed: 'x' is not int"),
        ("data: [1]", "is not a section"),
        ("data: {videos: a\n", "is not valid YAML"),
    ],
)
def test_a_yaml_that_is_wrong(tool, tmp_path: Path, text: str, said: str):
    (tmp_path / "c.yaml").write_text(text)
    status, _, err = tool("split", tmp_path / "c.yaml")
    assert status == 2 and said in err


def test_help_has_examples(tool):
    for name in ("split", "extract"):
        status, out, _ = tool(name, "--help")
        assert status == 0 and "examples:" in out and f"python -m data {name}" in out


def test_without_a_tool_all_are_listed(tool):
    status, out, _ = tool()
    assert status == 0 and "python -m data extract" in out
    assert "there is no tool 'splt'" in tool("splt")[2]


def test_a_folder_named_data_hides_no_tool_of_tuner(labels: Path, tmp_path: Path):
    (tmp_path / "data").mkdir()
    root = Path(data.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-m", "tuner", "data", "check", labels.parent, "--dry-run"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 and "60 videos" in done.stdout, done.stderr
