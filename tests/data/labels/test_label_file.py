"""The file of labels as it is written: separators, encodings, empty cells, and what is no table."""

from __future__ import annotations

from pathlib import Path

import pytest

from data import DataError
from data.labels.table import read_labels
from tests.data.labels.reading import problem_in, read_rows, read_table


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_separators_line_ends_and_byte_order_mark(
    labels: Path, separator: str, newline: str, encoding: str
) -> None:
    lines = ["Video, Frame ,LABEL", "v,1, grüne ", "v,2,b", ""]
    text = newline.join(lines).replace(",", separator)
    labels.write_bytes(text.encode(encoding))
    rows = read_labels(labels).rows
    assert rows[["video", "frame", "label"]].values.tolist() == [["v", 1, "grüne"], ["v", 2, "b"]]


def test_what_an_older_excel_writes(labels: Path) -> None:
    labels.write_bytes("video;frame;label\nv;1;Möwe\n".encode("cp1252"))
    assert read_labels(labels).rows["label"].tolist() == ["Möwe"]


def test_quotes_and_empty_lines(labels: Path) -> None:
    text = 'video,frame,label\n\nv,1,"a, b"\n,,\nv,2,c\n'
    labels.write_text(text)
    rows = read_labels(labels).rows
    assert rows["label"].tolist() == ["a, b", "c"]
    assert rows["row"].tolist() == [3, 5]  # what a spreadsheet calls them


@pytest.mark.parametrize(
    "text",
    [
        "video,frame,label\nv,1,a,\nv,2,b,\n",
        "video,frame,label,\nv,1,a,\nv,2,b,\n",
        "video,frame,label,,\nv,1,a\nv,2,b,,,\n",
        "\n,,\nvideo,frame,label\nv,1,a\nv,2,b\n",
        "video,frame,label\r\rv,1,a\rv,2,b",
    ],
    ids=["a cell too many", "separators at the end", "uneven", "empty lines first", "old Mac"],
)
def test_empty_cells_beyond_the_table_and_empty_lines_before_it(labels: Path, text: str) -> None:
    assert read_rows(labels, text) == [("v", 1, "a"), ("v", 2, "b")]


def test_rows_are_numbered_as_in_the_file_after_empty_lines(labels: Path) -> None:
    assert f"{labels}, row 5: " in problem_in(labels, "\n;;\nvideo;frame;label\nv;1;a\nv;two;a\n")


def test_na_is_a_label(labels: Path) -> None:
    assert read_rows(labels, "video,frame,label\nv,1,NA\nv,2,None\n") == [
        ("v", 1, "NA"),
        ("v", 2, "None"),
    ]


@pytest.mark.parametrize("written", ["valid", "Valid", "val", "validation"])
def test_spellings_of_valid(labels: Path, written: str) -> None:
    table = read_table(labels, f"video,frame,label,split\nv,1,a,{written}\n")
    assert table["split"].tolist() == ["valid"]


def test_site_and_date_are_kept_as_text(labels: Path) -> None:
    labels.write_text("video,label,site,date\nv,a,7,2024-05-31\n")
    row = read_labels(labels).rows.iloc[0]
    assert (row["site"], row["date"]) == ("7", "2024-05-31")


# Mistakes


def test_missing_file(labels: Path) -> None:
    with pytest.raises(DataError, match="can't read") as caught:
        read_labels(labels)
    assert str(labels) in str(caught.value)
    assert "No such file" in str(caught.value)


def test_empty_file(labels: Path) -> None:
    problem = problem_in(labels, "")
    assert str(labels) in problem
    assert "not a table" in problem


@pytest.mark.parametrize("text", ["\n \n", ",,\n,,\n"])
def test_a_file_of_empty_lines(labels: Path, text: str) -> None:
    assert f"{labels}: not a table: it is empty" in problem_in(labels, text)


def test_a_quote_that_does_not_end(labels: Path) -> None:
    problem = problem_in(labels, 'video,frame,label\nv,1,"a\nv,2,b\n')
    for words in (str(labels), "not a table"):
        assert words in problem


def test_cells_beyond_the_header(labels: Path) -> None:
    problem = problem_in(labels, "video,frame,label,split\nv,1,a,train\nv,2,grey, seal,train\n")
    for words in (f"{labels}, row 3", "more cells than the header", "'train'", "put quotes around"):
        assert words in problem


def test_header_alone(labels: Path) -> None:
    problem = problem_in(labels, "video,frame,label\n\n")
    assert str(labels) in problem
    assert "no rows" in problem


@pytest.mark.parametrize("ending", [".xls", ".ods"])
def test_spreadsheet(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"labels{ending}"
    path.write_bytes(b"PK\x03\x04\xff\xfe")
    with pytest.raises(DataError, match="save it as"):
        read_labels(path)
