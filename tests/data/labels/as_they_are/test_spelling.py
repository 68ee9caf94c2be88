"""Classes that differ in case, blanks or the form of Unicode alone are one, and said."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from data.labels.file import read_labels
from tests.data.labels.reading import load_text

NFD = unicodedata.normalize("NFD", "Möwe")


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        (["seal", "Seal", "seal"], "seal"),
        (["Seal", "SEAL", "Seal", "seal "], "Seal"),
        (["red fox", "red  fox", "red\xa0fox", "red fox"], "red fox"),
        (["Möwe", NFD, "Möwe"], "Möwe"),
        (["fox\u200b", "fox", "fox"], "fox"),
        (["Seal", "seal"], "seal"),
        (["STRASSE", "Straße", "Straße"], "Straße"),
    ],
)
def test_spellings_of_a_class(labels: Path, written: list[str], wanted: str) -> None:
    rows = "".join(f"v,{number},{label}\n" for number, label in enumerate([*written, "other"]))
    labels.write_text("video,frame,label\n" + rows, encoding="utf-8")
    file = read_labels(labels)
    assert list(file.rows["label"]) == [*[wanted] * len(written), "other"]
    assert list(file.rows["label"].cat.categories) == sorted([wanted, "other"])
    (note,) = file.notes
    assert note.startswith(f"{labels}: classes that differ in case or blanks alone are one: ")
    assert f"is taken for {wanted!r}" in note and "other" not in note


def test_what_was_taken_for_what_is_said_with_its_rows(labels: Path) -> None:
    rows = ["seal"] * 3 + ["Seal"] * 2 + ["red\xa0fox", "Red fox", "Red fox"]
    text = "".join(f"v,{number},{label}\n" for number, label in enumerate(rows))
    labels.write_text("video,frame,label\n" + text, encoding="utf-8")
    (note,) = read_labels(labels).notes
    assert "'red\\xa0fox' (1 rows) is taken for 'Red fox'" in note
    assert "'Seal' (2 rows) is taken for 'seal'" in note


@pytest.mark.parametrize("other", ["seals", "se al", "séal", "seal2"])
def test_other_classes_stay(labels: Path, other: str) -> None:
    labels.write_text(f"video,label\na,seal\nb,{other}\n", encoding="utf-8")
    file = read_labels(labels)
    assert (list(file.rows["label"]), file.notes) == (["seal", other], [])


def test_sites_too(labels: Path) -> None:
    labels.write_text("video,label,Station\na,x,North\nb,x,north\nc,y,North\n")
    file = read_labels(labels)
    assert list(file.rows["site"]) == ["North"] * 3
    assert any("values of 'Station' that differ in case or blanks" in note for note in file.notes)


def test_a_data_set_has_one_class(drawn: Path) -> None:
    text = "video,frame,label,split\na,0,Seal,train\na,1,x,train\nb,0,seal,valid\nb,1,seal,valid\n"
    dataset = load_text(drawn, text)
    assert dataset.classes == ["seal", "x"]
    assert any("'Seal' (1 rows) is taken for 'seal'" in warning for warning in dataset.warnings)
