"""Several behaviours at once in all tools: ranges of different classes that overlap."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from data.__main__ import main
from data.tools import convert
from data.tools.source import source_of
from tests.data.tools.browser import asked

RANGES = """video,time_start,time_end,label
a,0,1,dive
a,0.5,1.5,feed
b,0,1,feed
b,0.2,0.4,dive
c,0,1,dive
c,0.9,1.2,feed
d,0,2,dive+feed
"""


@pytest.fixture
def folder(tmp_path: Path, make_video) -> Path:
    """Four videos of two seconds, of which `RANGES` are the labels."""
    for place, name in enumerate("abcd"):
        numbers = [*range(place * 50, place * 50 + 20)]
        make_video(tmp_path / "v" / f"{name}.mp4", numbers=numbers)
    (tmp_path / "labels.csv").write_text(RANGES)
    return tmp_path


def given(folder: Path) -> list[object]:
    return [folder / "v", "--labels", folder / "labels.csv"]


def yaml(folder: Path, more: str) -> Path:
    path = folder / "c.yaml"
    path.write_text(f"data: {{videos: {folder / 'v'}, labels: {folder / 'labels.csv'}}}\n{more}")
    return path


@pytest.mark.parametrize("name", ["split", "check"])
def test_labels_that_overlap_need_the_task_which_is_said(tool, folder: Path, name: str) -> None:
    out = folder / "o"
    status, said, err = tool(name, *given(folder), "--out", out)
    assert status != 0
    told = " ".join((said + err).split())
    assert "ranges of video 'a' overlap" in told and "--task multilabel" in told
    status, said, err = tool(name, yaml(folder, "model: {task: multilabel}"), "--out", out)
    assert status == 0, said + err


@pytest.mark.parametrize(
    ("more", "task"),
    [
        ("", "multiclass"),
        ("model: {task: multilabel}", "multilabel"),
        ("space: {task: multilabel}", "multilabel"),
        ("space: {task: [multilabel], architecture: [a, b]}", "multilabel"),
        ("model:", "multiclass"),
    ],
)
def test_the_task_is_that_of_the_yaml(folder: Path, more: str, task: str) -> None:
    path = str(yaml(folder, more))
    assert source_of(path, None, None).task == task  # type: ignore[arg-type]
    assert source_of(path, None, None, "multiclass").task == "multiclass"  # type: ignore[arg-type]


def test_a_task_that_there_is_not(tool, folder: Path) -> None:
    status, _, err = tool("split", yaml(folder, "model: {task: multi}"), "--out", folder)
    assert status == 2 and "model.task: 'multi' is not multiclass or multilabel" in err


def test_splits_and_folds_count_each_class_of_a_set(tool, folder: Path) -> None:
    words = (*given(folder), "--task", "multilabel", "--out", folder, "--valid", 0.25)
    status, out, err = tool("split", *words, "--test", 0.25, "--folds", 2)
    assert status == 0, err
    (header, train, *_), folds = (part.splitlines() for part in out.split("2 folds"))
    assert header.split() == ["videos", "dive", "feed"] and train.split()[0] == "train"
    with (folder / "splits.csv").open() as file:
        rows = [*csv.DictReader(file)]
    assert {row["split"] for row in rows} == {"train", "valid", "test"}
    assert folds[1].split() == ["videos", "dive", "feed"]
    assert all("0 (0)" not in line for line in folds[2:4])  # each fold has both


def test_each_class_has_a_lane_on_the_timeline(tool, folder: Path) -> None:
    page = folder / "e.html"
    status, _, err = tool("explore", yaml(folder, "model: {task: multilabel}"), "--out", page)
    assert status == 0, err
    lanes, listed, table, options, boxes = asked(
        page,
        "const first = document.querySelector('article');"
        "return [[...first.querySelectorAll('.lanes svg')].map(one => [one.previousSibling.textContent,"
        " one.getAttribute('aria-label'), [...one.querySelectorAll('rect')].map(bar =>"
        " [+bar.getAttribute('x'), +bar.getAttribute('width')])]),"
        " [...first.querySelectorAll('details li')].map(one => one.textContent),"
        " [...document.querySelector('table').rows].map(row => row.cells[0].textContent + ' ' +"
        " row.cells[2].textContent), [...document.querySelectorAll('select option')].map(one =>"
        " one.textContent), [...first.querySelectorAll('.lanes svg')].map(one => {"
        " const box = one.getBoundingClientRect(); return [box.top, box.height] })]",
    )
    assert lanes == [
        ["dive", "dive in a", [[0, 500]]],
        ["feed", "feed in a", [[250, 500]]],
    ]
    assert listed == ["dive: 0:00.0 to 0:01.0", "feed: 0:00.5 to 0:01.5"]
    # Of 57 labelled frames, 42 and 43: shares of several classes come to more than 100 %.
    assert table == ["class share", "dive 73.7 %", "feed 75.4 %"]
    assert "dive+feed" not in options
    (first, height), (second, _) = boxes
    assert height >= 10 and second >= first + height


def test_the_page_of_a_check_has_single_classes(tool, folder: Path) -> None:
    status, out, _ = tool("check", *given(folder), "--task", "multilabel", "--out", folder / "o")
    assert status == 0 and "differ in case" not in out
    page = (folder / "o" / "check.html").read_text()
    assert "dive, feed" in page and "dive+feed" not in page


def test_extracted_frames_have_sets(tool, folder: Path) -> None:
    words = (*given(folder), "--out", folder / "o", "--fps", 2)
    status, _, err = tool("extract", *words)
    assert status == 2 and "--task multilabel" in err
    status, _, err = tool("extract", *words, "--task", "multilabel")
    assert status == 0, err
    with (folder / "o" / "labels.csv").open() as file:
        labels = [row["label"] for row in csv.DictReader(file) if row["video"] == "a"]
    assert labels == ["dive", "dive+feed", "feed"]


@pytest.mark.parametrize(
    "program", ["boris", "elan", "via", "cvat", "deepethogram", "frames", "timestamps"]
)
def test_ranges_that_overlap_are_exported_and_come_back(
    folder: Path, program: str, capsys: pytest.CaptureFixture[str]
) -> None:
    videos, back = folder / "v", folder / "back.csv"
    single = program in ("boris", "via", "frames", "timestamps")
    made = folder / ("made.csv" if single else "made")
    words = ["export", str(folder / "labels.csv"), "--to", program, "--out", str(made)]
    assert main([*words, "--videos", str(videos), "--task", "multilabel"]) == 0
    assert main(["import", str(made), "--to", str(folder / "in.csv"), "--videos", str(videos)]) == 0
    assert "in 4 videos labels overlap: a search needs --set model.task=multilabel" in (
        capsys.readouterr().out
    )
    convert.write(folder / "in.csv", "timestamps", back, videos)
    with back.open() as file:
        rows = {tuple(row.values())[:4] for row in csv.DictReader(file)}
    wanted = [line.split(",") for line in RANGES.replace("dive+feed", "dive").splitlines()[1:]]
    assert rows == {(f"{v}.mp4", *of) for v, *of in [*wanted, ["d", "0", "2", "feed"]]}


def test_labels_one_after_the_other_need_no_task(folder: Path, capsys) -> None:
    path = folder / "labels.csv"
    path.write_text("video,time_start,time_end,label\na,0,1,x\na,1,2,y\nb,0,2,x\nb,1,2,x\n")
    assert main(["import", str(path), "--to", str(folder / "in.csv")]) == 0
    assert "overlap" not in capsys.readouterr().out
