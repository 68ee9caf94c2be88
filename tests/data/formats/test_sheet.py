"""Excel workbooks: which sheet is read, and what its cells say."""

from __future__ import annotations

import io
import zipfile
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook

from data.errors import DataError
from data.formats import content as limits
from data.formats.table import opened
from data.labels.file import label_form, read_labels, read_splits
from tests.data.formats.reading import notes, refused, rows, taken_of

Rows = list[list[Any]]


def book(path: Path, **sheets: Rows) -> Path:
    """A workbook with these sheets."""
    workbook = Workbook()
    workbook.remove(workbook.active)
    for title, cells in sheets.items():
        sheet = workbook.create_sheet(title)
        for row in cells:
            sheet.append(row)
    workbook.save(path)
    return path


LABELS: Rows = [["Video", "time_start", "time_end", "label"]]


def test_labels_of_our_own_form(tmp_path: Path) -> None:
    cells: Rows = [
        *LABELS,
        ["dive_07", time(0, 1, 5, 200_000), timedelta(hours=25, seconds=1.5), "Möwe"],
        [],
        [7, 3, 4.5, " two\nlines "],
    ]
    path = book(tmp_path / "labels.xlsx", Sheet1=cells)
    file = read_labels(path)
    assert file.problems == [] and label_form(path) == "range"
    assert file.rows[["video", "time_start", "time_end", "label", "row"]].values.tolist() == [
        ["7", 3, 4.5, "two lines", 4],
        ["dive_07", 65.2, 90001.5, "Möwe", 2],
    ]
    assert file.notes == [f"{path}: sheet 'Sheet1' is read"]


def test_the_first_sheet_with_labels_is_read_and_named(tmp_path: Path) -> None:
    path = book(
        tmp_path / "labels.xlsx",
        Readme=[["This file", "has the labels"], ["of", "2024"]],
        Labels=[["video", "label"], ["a", "fox"]],
        Other=[["video", "label"], ["b", "deer"]],
    )
    file = read_labels(path)
    assert file.rows["label"].tolist() == ["fox"]
    assert file.notes == [f"{path}: sheet 'Labels' is read, not Readme, Other"]


def test_a_sheet_is_known_by_the_columns_that_are_wanted(tmp_path: Path) -> None:
    path = book(
        tmp_path / "labels.xlsx",
        Readme=[["a", "b", "c", "d", "e"], ["c", "d"]],
        Data=[["Site", "File", "Species", "Date"], ["n", "a.mp4", "fox", date(2024, 5, 31)]],
    )
    assert (
        opened(path, "data.labels", {"label": "Species"}).content.splitlines()[1]
        == b"n,a.mp4,fox,2024-05-31"
    )


def test_else_the_sheet_with_most_columns_is_taken(tmp_path: Path) -> None:
    path = book(
        tmp_path / "labels.xlsx",
        Notes=[["a", "b"], ["c", "d"]],
        Data=[["Ort", "Datei", "Art"], ["n", "a.mp4", "fox"]],
        More=[["x", "y", "z"]],
    )
    found = opened(path, "data.labels")
    assert found.content.splitlines()[1] == b"n,a.mp4,fox"
    assert found.notes == [f"{path}: sheet 'Data' is read, not Notes, More"]


def test_workbooks_of_other_programs(tmp_path: Path) -> None:
    path = book(tmp_path / "zamba.xlsx", x=[["filepath", "label"], ["a.mp4", "fox"]])
    assert rows(taken_of(path)) == [("a.mp4", "fox")]
    assert "sheet 'x' is read" in notes(taken_of(path))
    header = ["Observation id", "Behavior", "Behavior type", "Time", "Media file name"]
    events: Rows = [["1", "call", "POINT", 3.5, "a.mp4"]]
    path = book(tmp_path / "boris.xlsx", x=[header, *events])
    assert rows(taken_of(path)) == [("a.mp4", "3.5", "3.5", "call")]
    path = book(tmp_path / "blanks.xlsx", x=[header, ["1", "call", "POINT", 3.5, "x  y.mp4"]])
    assert rows(taken_of(path)) == [("x  y.mp4", "3.5", "3.5", "call")]


def test_a_list_of_splits(tmp_path: Path) -> None:
    path = book(tmp_path / "splits.xlsx", x=[["video", "split"], ["a", "train"], ["b", "val"]])
    assert read_splits(path).rows["split"].tolist() == ["train", "valid"]


def test_cells_are_written_as_people_see_them(tmp_path: Path) -> None:
    cells: Rows = [
        ["video", "label", "site", "date"],
        [1.0, True, 0.1 + 0.2, datetime(2024, 5, 31)],
        ["0001", "=1+1", "x", datetime(2024, 5, 31, 22, 1, 2, 500_000)],
    ]
    text = opened(book(tmp_path / "labels.xlsx", x=cells), "data.labels").content.decode()
    assert text.splitlines()[1] == "1,True,0.3,2024-05-31"
    assert text.splitlines()[2].startswith("0001,,x,2024-05-31 22:01:02.500")


def test_a_name_without_its_ending_is_recognised_by_its_content(tmp_path: Path) -> None:
    path = book(tmp_path / "labels.xlsx", x=[["video", "label"], ["a", "fox"]])
    path = path.rename(tmp_path / "labels.csv")
    assert read_labels(path).rows["label"].tolist() == ["fox"]


def test_a_workbook_without_a_table(tmp_path: Path) -> None:
    path = book(tmp_path / "labels.xlsx", x=[["hello"]], y=[])
    with pytest.raises(DataError, match="has no table in its 2 sheets"):
        read_labels(path)


# Damaged ones, and bombs


def archive(**parts: bytes) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as file:
        for name, part in parts.items():
            file.writestr(name.replace("__", "/").replace("_xml", ".xml"), part)
    return content.getvalue()


def changed(path: Path, name: str, old: bytes, new: bytes) -> bytes:
    """A workbook with one of its parts changed."""
    content = io.BytesIO()
    with (
        zipfile.ZipFile(path) as before,
        zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as after,
    ):
        for part in before.namelist():
            text = before.read(part)
            after.writestr(part, text.replace(old, new) if part == name else text)
    return content.getvalue()


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    return book(tmp_path / "whole.xlsx", x=[["video", "label"], ["a", "fox"]])


def test_damaged_workbooks(tmp_path: Path, whole: Path) -> None:
    content = whole.read_bytes()
    for part in (content[:100], content[: len(content) // 2], content[:-30], b"PK\x03\x04\xff\xfe"):
        assert "is damaged, or no ZIP file" in refused(tmp_path / "a.xlsx", part)
    middle = bytearray(content)
    for place in range(600, 700):
        middle[place] ^= 255
    assert "a.xlsx: " in refused(tmp_path / "a.xlsx", bytes(middle))
    cut = changed(whole, "xl/worksheets/sheet1.xml", b"</row>", b"")
    assert "a.xlsx: is damaged" in refused(tmp_path / "a.xlsx", cut)


def test_entities_in_a_workbook(tmp_path: Path, whole: Path) -> None:
    bomb = b'<!DOCTYPE a [<!ENTITY b "c">]><worksheet '
    content = changed(whole, "xl/worksheets/sheet1.xml", b"<worksheet ", bomb)
    assert "has a document type (DTD)" in refused(tmp_path / "a.xlsx", content)


def test_what_unpacks_to_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.xlsx"
    zeros = archive(xl__workbook_xml=b"0" * (4 * 2**20))
    assert "'xl/workbook.xml' in it is packed 200 times and more" in refused(path, zeros)
    monkeypatch.setattr(limits, "MOST_UNPACKED", 1000)
    assert "unpacks to more than" in refused(path, archive(xl__workbook_xml=b"0" * 2000))
    monkeypatch.setattr(limits, "MOST_PARTS", 2)
    assert "has 3 parts; at most 2" in refused(path, archive(a=b"", b=b"", c=b""))


def test_a_part_that_is_larger_than_it_says(tmp_path: Path) -> None:
    content = bytearray(archive(xl__workbook_xml=b"0" * 5000))
    start = content.rindex(b"PK\x01\x02")
    content[start + 24 : start + 28] = (100).to_bytes(4, "little")
    assert "a.xlsx: " in refused(tmp_path / "a.xlsx", bytes(content))


def test_a_sheet_that_says_it_is_huge(tmp_path: Path, whole: Path) -> None:
    content = changed(whole, "xl/worksheets/sheet1.xml", b'ref="A1:B2"', b'ref="A1:XFD1048576"')
    path = tmp_path / "a.xlsx"
    path.write_bytes(content)
    assert read_labels(path).rows["label"].tolist() == ["fox"]
    far = changed(whole, "xl/worksheets/sheet1.xml", b'r="B2"', b'r="XFD2"')
    assert "row 2 has 16,384 cells; at most 1,000" in refused(path, far)


def test_other_archives(tmp_path: Path) -> None:
    told = refused(tmp_path / "a.zip", archive(video=b"x"))
    assert "is a ZIP file with video in it" in told and "unpack it and give the file" in told
    assert "with nothing in it" in refused(tmp_path / "a.zip", archive())
    older = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(1000)
    assert "of an older Excel; save it as .xlsx or CSV" in refused(tmp_path / "a.csv", older)
