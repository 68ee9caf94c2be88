"""A search goes on with the data that it began with, or says what differs."""

from __future__ import annotations

import copy
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

import data
from tuner.study.store.fingerprint import differences, fingerprint

FORMER: dict[str, Any] = {
    "unit": "frame",
    "classes": ["noseal", "seal"],
    "videos": {"a": ["train", "1", "x"], "b": ["train", "2", "y"], "c": ["valid", "3", "z"]},
}


def with_change(change) -> list[str]:
    now = copy.deepcopy(FORMER)
    change(now)
    return differences(now, FORMER)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda now: None, []),
        (lambda now: now["videos"].pop("b"), ["1 video gone (b)"]),
        (lambda now: now["videos"].update(d=["train", "4", "w"]), ["1 video new (d)"]),
        (lambda now: now["videos"]["a"].__setitem__(0, "valid"), ["1 video in another split (a)"]),
        (lambda now: now["videos"]["a"].__setitem__(1, "9"), ["1 video with another content (a)"]),
        (lambda now: now["videos"]["c"].__setitem__(2, "9"), ["1 video with other labels (c)"]),
        (
            lambda now: now["classes"].append("walrus"),
            ["classes were noseal, seal, are noseal, seal, walrus"],
        ),
        (lambda now: now.update(unit="video"), ["unit were frames, are videos"]),
    ],
)
def test_what_differs_is_said(change, said: list[str]) -> None:
    assert with_change(change) == said


def test_several_differences_are_said_at_once() -> None:
    def change(now: dict[str, Any]) -> None:
        for name in "ab":
            now["videos"][name][2] = "9"
        del now["videos"]["c"]

    assert with_change(change) == ["1 video gone (c)", "2 videos with other labels (a, b)"]


@pytest.fixture
def copied(drawn: Path, tmp_path: Path) -> Path:
    shutil.copytree(drawn, tmp_path / "copy")
    return tmp_path / "copy"


def of(folder: Path) -> dict[str, Any]:
    return fingerprint(data.load(folder, folder / "labels.csv"))


def exchange(path: Path) -> None:
    """Exchange seal and noseal in the first video of the train split."""
    lines = path.read_text().splitlines()
    first = next(line.split(",")[0] for line in lines if line.endswith(",train"))
    for number, line in enumerate(lines):
        if line.startswith(f"{first},"):
            video, frame, label, split = line.split(",")
            lines[number] = f"{video},{frame},{'no' if label == 'seal' else ''}seal,{split}"
    path.write_text("\n".join(lines) + "\n")


def test_a_copy_at_another_place_is_the_same_data(drawn: Path, copied: Path) -> None:
    for path in copied.iterdir():
        os.utime(path, (1, 1))
    assert of(copied) == of(drawn)


def test_exchanged_labels_are_other_data(drawn: Path, copied: Path) -> None:
    exchange(copied / "labels.csv")
    (said,) = differences(of(copied), of(drawn))
    assert "1 video with other labels" in said


def test_another_content_is_other_data(drawn: Path, copied: Path) -> None:
    former = of(drawn)
    name = next(iter(former["videos"]))
    (path,) = copied.glob(f"{name}.*")
    with path.open("ab") as file:
        file.write(b"\0" * 8)
    assert differences(of(copied), former) == [f"1 video with another content ({name})"]


def test_labels_of_the_test_split_may_be_mended(drawn: Path, copied: Path) -> None:
    labels = copied / "labels.csv"
    labels.write_text(labels.read_text().replace(",seal,test", ",noseal,test"))
    assert of(copied) == of(drawn)
