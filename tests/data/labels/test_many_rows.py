"""Files of many rows: taken apart in pieces, each text kept once, progress told."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from data import DataError, load
from data.cells import text as cells
from data.cells.columns import as_categories, mapped
from data.cells.text import look_through
from data.files.path import CHUNK
from data.labels.file import label_form, read_labels
from tests.data.labels.reading import GOOD, read_rows, read_table, video_of
from tuner.study.store.fingerprint import _digest


@pytest.fixture
def pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are taken apart two rows at a time."""
    monkeypatch.setattr(cells, "_AT_ONCE", 2)


ROWS = {
    "numbers": ("frame", ["0", "3.0", "4", "7", "9"], [0, 3, 4, 7, 9]),
    "images": (
        "frame",
        ["i_001.jpg", "i_2.png", "i_00003", "i_9.jpg", "i_10.jpg"],
        [0, 1, 2, 8, 9],
    ),
    "images from 0": (
        "frame",
        ["i_1.jpg", "i_2.jpg", "i_3.jpg", "i_9.jpg", "i_0.jpg"],
        [0, 1, 2, 3, 9],
    ),
}


@pytest.mark.parametrize(("column", "texts", "frames"), ROWS.values(), ids=ROWS)
@pytest.mark.usefixtures("pieces")
def test_frames_mean_the_same_in_all_pieces_of_a_file(
    column: str, texts: list[str], frames: list[int], labels: Path
) -> None:
    rows = "".join(f"v,{text},{'ab'[number % 2]}\n" for number, text in enumerate(texts))
    table = read_table(labels, f"video,{column},label\n{rows}")
    assert sorted(table["frame"]) == sorted(frames)


@pytest.mark.usefixtures("pieces")
def test_rows_of_all_pieces_are_checked_and_a_problem_of_many_is_told_once(labels: Path) -> None:
    rows = ["v,1,a", "v,two,a", ",,", "v,3,", "v,four,a", "v,4,a,more", "v,5, a ", "v,,a"]
    labels.write_text("\n".join(["video,frame,label", *rows]) + "\n")
    file = read_labels(labels)
    told = [problem.removeprefix(f"{labels}, ") for problem in file.problems]
    assert [problem.partition(":")[0] for problem in told] == [
        "row 7",
        "row 9",
        "row 5",
        "rows 3, 6",
    ]
    assert "'two' is not a frame" in told[-1]
    assert file.rows[["frame", "label", "row"]].values.tolist() == [[1, "a", 2], [5, "a", 8]]


@pytest.mark.usefixtures("pieces")
def test_names_of_digits_alone_are_texts(labels: Path) -> None:
    text = "video,frame,label\n007,1,1\n007,2,0\n7,1,1\n7,2,0\n"
    videos = video_of("007"), video_of("7")
    assert read_rows(labels, text, *videos) == [
        *(("007", 1, "1"), ("007", 2, "0")),
        *(("7", 1, "1"), ("7", 2, "0")),
    ]


def test_a_table_keeps_each_text_once_in_alphabetical_order(videos: Path) -> None:
    labels = videos.parent / "labels.csv"
    labels.write_text(
        "video,frame,label,split\nc,0,y,test\nb,0,x,valid\na,1,y,train\na,0,x,train\n"
    )
    dataset = load(videos, labels)
    texts = {name: list(dataset.table[name].cat.categories) for name in ("video", "label", "split")}
    assert texts == {
        "video": ["a", "b", "c"],
        "label": ["x", "y"],
        "split": ["test", "train", "valid"],
    }
    moved = dataset.with_splits({"b": "train"})
    assert moved.table["split"].tolist() == ["train", "train", "train", "test"]
    assert dataset.table["split"].tolist() == ["train", "train", "valid", "test"]


def test_a_search_knows_labels_again_that_it_began_with_as_text() -> None:
    text = pd.DataFrame({"frame": [0, 1, 2], "label": pd.Series(["b", "a", "b"], dtype=str)})
    assert _digest(text) == _digest(text.assign(label=as_categories(text["label"])))


def test_texts_of_a_column_are_changed_once_each() -> None:
    column = as_categories(pd.Series(["b", "a", "c", "b"], dtype=str))
    seen: list[str] = []

    def upper(text: str) -> str | None:
        seen.append(text)
        return None if text == "c" else "X"

    changed = mapped(column, upper)
    assert seen == ["a", "b", "c"]
    assert changed.isna().tolist() == [False, False, True, False]
    assert list(changed.cat.categories) == ["X"]


def test_reading_a_long_file_is_told_and_a_short_one_is_not(
    labels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[int] = []

    @contextlib.contextmanager
    def on_read(total: int) -> Iterator:
        told.append(total)
        yield lambda count: told.append(count)

    labels.write_text(GOOD)
    read_labels(labels, on_read=on_read)
    assert told == []
    monkeypatch.setattr(cells, "_LONG", CHUNK)
    monkeypatch.setattr(cells, "_CHECKED", 1000)
    monkeypatch.setattr(cells, "_AT_ONCE", 1000)
    labels.write_text("video,frame,label\n" + f"{'v' * 100},1,a\n" * 20_000)
    read_labels(labels, on_read=on_read)
    total, *done = told
    assert total == 4 and sum(done) in (3, 4)  # 2.1 MB, looked through and read
    assert len(done) > 20


def test_the_form_of_a_file_is_known_from_its_header_alone(labels: Path) -> None:
    labels.write_text('video,frame,label\nv,1,a\nv,2,"b" c\n')
    assert label_form(labels) == "frame"
    with pytest.raises(DataError, match="line 3: not a table"):
        look_through(labels, labels.read_bytes()).read()
