"""VIA 3: segments with options and texts, regions, and files that are shown together."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.data.formats.reading import format_of, notes, refused, rows, taken, taken_of

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


# Exports (CSV)

BEFORE = """# Exported using VGG Image Annotator (http://www.robots.ox.ac.uk/~vgg/software/via)
# Notes:
# - temporal coordinate of [1.349,2.741] denotes a temporal segment from time 1.346 sec. to 2.741 sec.
# - metadata of {""1"":""3""} indicates attribute with id "1" set to an attribute option with id "3"
# SHAPE_ID = {"POINT":1,"RECTANGLE":2}
# FLAG_ID = {"RESERVED_FOR_FUTURE":1}
# ATTRIBUTE = {"1":{"aname":"behaviour","anchor_id":"FILE1_Z2_XY0","type":4,"desc":"","options":\
{"0":"rest","1":"walk, slowly"},"default_option_id":""}}
# CSV_HEADER = metadata_id,file_list,flags,temporal_coordinates,spatial_coordinates,metadata
""".replace("\\\n", "")
ROW = '"1_j5sJ","[""dive 1.mp4""]",0,"[1.124,5.31493]","[]","{""1"":""0""}"\n'


def test_an_export_as_csv(tmp_path: Path) -> None:
    more = (
        '"1_z","[""dive 1.mp4"",""b.mp4""]",0,"[2]","[]","{""1"":""1""}"\n'
        '"1_r","[""dive 1.mp4""]",0,"[2]","[2,162.2,176.2,639.4,192.4]","{""1"":""0""}"\n'
        '"1_i","[""dive 1.mp4""]",0,"[]","[]","{""1"":""0""}"\n'
        '"1_o","[""dive 1.mp4""]",0,"[5,7]","[]","{""1"":""0""}"\n'
    )
    path = tmp_path / "via.csv"
    found = taken(path, BEFORE + ROW + more)
    assert format_of(path) == "via-csv"
    assert rows(found) == [
        ("dive 1.mp4", "1.124", "5.31493", "rest"),
        ("dive 1.mp4", "2", "2", "walk, slowly"),
        ("dive 1.mp4", "5", "7", "rest"),
    ]
    said = notes(found)
    assert "VIA 3 export: 3 segments of 1 videos, 2 classes" in said
    assert "classes are the values of attribute 'behaviour'" in said
    assert "regions of the picture 1" in said and "entries without a time 1" in said


@pytest.mark.parametrize("windows", [False, True])
def test_an_export_of_segments_alone(tmp_path: Path, windows: bool) -> None:
    text = (
        "# Exported using VGG Image Annotator (http://www.robots.ox.ac.uk/~vgg/software/via)\n"
        "# CSV_HEADER = metadata_id,file_list,temporal_segment_start,temporal_segment_end,metadata\n"
        '"1_j","[""Möwe.mp4""]",0.5,1.25,"{""TEMPORAL-SEGMENTS"":""feed""}"\n'
        '"1_k","[""Möwe.mp4""]",3600,3601.5,"{""TEMPORAL-SEGMENTS"":""dive""}"\n'
    )
    content = text.replace("\n", "\r\n").encode("utf-8-sig") if windows else text
    assert rows(taken(tmp_path / "x.csv", content)) == [
        ("Möwe.mp4", "0.5", "1.25", "feed"),
        ("Möwe.mp4", "3600", "3601.5", "dive"),
    ]


def test_an_export_without_its_comments(tmp_path: Path) -> None:
    header = BEFORE.splitlines()[-1].partition("= ")[2] + "\n"
    assert rows(taken(tmp_path / "x.csv", header + ROW)) == [
        ("dive 1.mp4", "1.124", "5.31493", "0")
    ]


def test_mistakes_in_an_export_are_told_with_their_rows(tmp_path: Path) -> None:
    wrong = [
        ROW.replace("5.31493", "1"),
        ROW.replace('"[1.124,5.31493]"', '"later,\nor"'),
        ROW.replace('""0""', '""""'),
        ROW.replace('""dive 1.mp4""', ""),
        ROW,
    ]
    found = taken(tmp_path / "x.csv", BEFORE + "".join(wrong))
    assert len(found.table) == 1
    first = BEFORE.count("\n") + 1
    assert [problem.partition(", ")[2] for problem in found.problems] == [
        f"row {first + 1}: temporal_coordinates: 'later, or' is no JSON",
        f"row {first + 3}: file_list: names no video",
        f"row {first}: temporal_coordinates: from 1.124 to 1 is no stretch of a video",
        f"row {first + 2}: metadata: has no class",
    ]


def test_a_folder_of_exports(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.csv").write_text(BEFORE + ROW.replace("dive 1", name))
    assert {row[0] for row in rows(taken_of(tmp_path))} == {"a.mp4", "b.mp4"}


def test_a_table_that_begins_with_a_remark_is_none_of_them(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("# my notes\nvideo,frame,label\nv,0,x\n")
    assert format_of(tmp_path / "x.csv") is None
