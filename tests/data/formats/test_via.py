"""VIA 3: segments with options and texts, regions, and files that are shown together."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.data.formats.reading import format_of, notes, refused, rows, taken

OPTIONS = {"0": "rest", "1": "walk, slowly", "_DEFAULT": "Default"}


def entry(z: Any, value: Any, vid: str = "1", **more: Any) -> dict[str, Any]:
    return {"vid": vid, "flg": 0, "z": z, "xy": [], "av": {"1": value}, **more}


def project(*entries: Any, options: dict[str, str] = OPTIONS, kind: int = 4) -> str:
    return json.dumps(
        {
            "project": {"pid": "x", "pname": "p", "vid_list": ["1", "2"]},
            "config": {},
            "attribute": {
                "1": {
                    "aname": "behaviour",
                    "anchor_id": "FILE1_Z2_XY0",
                    "type": kind,
                    "options": options,
                }
            },
            "file": {
                "1": {"fid": "1", "fname": "dive 1.mp4", "type": 4, "loc": 1, "src": ""},
                "2": {"fid": "2", "fname": "", "type": 4, "loc": 2, "src": "http://x/dive2.mp4"},
            },
            "metadata": {f"1_{number}": one for number, one in enumerate(entries, 1)},
            "view": {"1": {"fid_list": ["1", "2"]}, "2": {"fid_list": ["2"]}},
        }
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "via.json"


def test_segments(path: Path) -> None:
    found = taken(
        path,
        project(entry([3600.04, 3601.5], "0"), entry([0, 0.033367], "1"), entry([1, 2], "0", "2")),
    )
    assert rows(found) == [
        ("dive 1.mp4", "3600.04", "3601.5", "rest"),
        ("dive 1.mp4", "0", "0.033367", "walk, slowly"),
        ("http://x/dive2.mp4", "1", "2", "rest"),
    ]
    assert format_of(path) == "via"
    assert "classes are the values of attribute 'behaviour'" in notes(found)


def test_texts_are_classes_and_several_options_are_several(path: Path) -> None:
    assert rows(taken(path, project(entry([1, 2], "Möwe, jung"), options={}))) == [
        ("dive 1.mp4", "1", "2", "Möwe, jung")
    ]
    found = taken(path, project(entry([1, 2], "0,1"), kind=2))
    assert [row[3] for row in rows(found)] == ["rest", "walk, slowly"]
    found = taken(path, project(entry([1, 2], "typed, not chosen")))
    assert [row[3] for row in rows(found)] == ["typed, not chosen"]


def test_moments_are_points_and_regions_are_left_out(path: Path) -> None:
    region = entry([3], "0", xy=[2, 1, 1, 5, 5])
    image = entry([], "0")
    found = taken(path, project(entry([2.5], "0"), region, image))
    assert rows(found) == [("dive 1.mp4", "2.5", "2.5", "rest")]
    assert "regions of the picture 1" in notes(found) and "entries without a time 1" in notes(found)


def test_the_attribute_of_most_segments_is_taken(path: Path) -> None:
    other = entry([1, 2], "0")
    other["av"] = {"1": "0", "2": "north"}
    found = taken(path, project(other, entry([3, 4], "1")))
    assert [row[3] for row in rows(found)] == ["rest", "walk, slowly"]
    assert "left out: attribute '2' 1" in notes(found)


def test_mistakes_are_told_with_the_segment(path: Path) -> None:
    wrong = [
        entry([1, 2], "0", "9"),
        entry([2, 1], "0"),
        entry(["a", 1], "0"),
        entry([1, 2], ""),
        "x",
        entry([1, 2], "0"),
    ]
    found = taken(path, project(*wrong))
    told = "\n".join(found.problems)
    assert "segment 1_1: vid: '9' is no view of a file" in told
    assert "segment 1_2: z: from 2 to 1 is no stretch of a video" in told
    assert "segment 1_3: z: is not start and end in seconds" in told
    assert "segment 1_4: av: has no class" in told
    assert len(found.table) == 1


def test_what_is_no_project(path: Path) -> None:
    assert "it has no 'metadata'" in refused(path, '{"project": {"vid_list": []}}')
    assert "is no file of a program that is known" in refused(
        path, '{"images": [], "annotations": []}'
    )
