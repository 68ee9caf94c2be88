"""Files as the programs' own code wrote them, and what that code needs of ours."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data.formats.table import FORMATS
from data.formats.taken import Made
from data.videos.info import VideoInfo
from tests.data.formats.reading import notes, rows, taken, taken_of


def written(
    program: str, labels: list[tuple[object, ...]], *columns: str, **infos: VideoInfo
) -> Made:
    write = FORMATS[program].write
    assert write is not None
    return write(pd.DataFrame(labels, columns=["video", *columns, "label"]), infos)


# CVAT's forms, as Datumaro 1.13 writes them

META = """<?xml version="1.0" encoding="utf-8"?>
<annotations>
  <version>1.1</version>
  <meta>
    <task>
      <id></id>
      <name>default</name>
      <size>20</size>
      <mode>annotation</mode>
      <overlap></overlap>
      <start_frame>0</start_frame>
      <stop_frame>20</stop_frame>
      <frame_filter></frame_filter>
    </task>
  </meta>
"""


def box(more: str, outside: int = 0, keyframe: int = 0) -> str:
    return (
        f'    <box {more} occluded="0" outside="{outside:d}" keyframe="{keyframe:d}" '
        'xtl="1.00" ytl="2.00" xbr="11.00" ybr="12.00" z_order="0">\n    </box>\n'
    )


def track(label: str, *boxes: str) -> str:
    return f'{META}  <track id="0" label="{label}">\n{"".join(boxes)}  </track>\n</annotations>'


def frames(path: Path, text: str) -> list[int]:
    return [int(frame) for _, frame, _ in rows(taken(path / "default.xml", text))]


def test_a_box_of_an_image_may_be_outside(tmp_path: Path) -> None:
    images = "".join(
        f'  <image id="{n}" name="frame_00000{n}.jpg" width="64" height="48">\n'
        + box('label="fox"', outside=n == 7, keyframe=n == 7)
        + "  </image>\n"
        for n in (6, 7)
    )
    assert frames(tmp_path, f"{META}{images}</annotations>") == [6]


def test_gaps_of_tracks_that_list_each_frame_are_gaps(tmp_path: Path) -> None:
    shown = [1, 2, 3, 10, 11]
    text = track("fox", *(box(f'frame="{number}"') for number in shown))
    assert frames(tmp_path, text) == shown


def test_tracks_of_every_fifth_frame_have_no_gaps(tmp_path: Path) -> None:
    boxes = [box(f'frame="{n}"', outside=n == 15, keyframe=n in (0, 15)) for n in (0, 5, 10, 15)]
    assert frames(tmp_path, track("fox", *boxes)) == list(range(15))


def test_a_task_ends_with_its_last_frame(tmp_path: Path) -> None:
    boxes = [box(f'frame="{number}"', keyframe=1) for number in (5, 15)]
    assert frames(tmp_path, track("blank", *boxes)) == list(range(5, 20))


# VIA 3.0.13: "Only Temporal Segments as CSV"

SEGMENTS = """\
# Exported using VGG Image Annotator (http://www.robots.ox.ac.uk/~vgg/software/via)
# CSV_HEADER = metadata_id,file_list,temporal_segment_start,temporal_segment_end,metadata
"""


def test_options_of_an_export_of_segments_have_no_names(tmp_path: Path) -> None:
    lines = (
        '"1_1","[""a b.mp4""]",0.5,1,"{""class"":""1""}"\n'
        '"1_3","[""a b.mp4""]",2,,"{""class"":""0""}"\n'
    )
    found = taken(tmp_path / "x.csv", SEGMENTS + lines)
    assert rows(found) == [("a b.mp4", "0.5", "1", "1"), ("a b.mp4", "2", "2", "0")]
    assert "classes 0, 1 may be numbers of options, whose names aren't in" in notes(found)


def test_regions_in_an_export_of_segments_are_left_out(tmp_path: Path) -> None:
    lines = (
        '"1_u255s","[""a b.mp4""]",0.5,1.25,"{""beh"":""walk, slow""}"\n'
        '"1_u255u","[""a b.mp4""]",0.7,,"{}"\n"1_u255v","[""a b.mp4""]",,,"{}"\n'
    )
    found = taken(tmp_path / "x.csv", SEGMENTS + lines)
    assert rows(found) == [("a b.mp4", "0.5", "1.25", "walk, slow")]
    assert "left out: entries without a time 1, regions of the picture 1" in notes(found)
    assert "numbers of options" not in notes(found)


# ELAN, read by pympi-ling 1.71


def test_an_elan_file_names_its_schema() -> None:
    made = written("elan", [("a", 0.5, 1.0, "walk")], "time_start", "time_end")
    assert (
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        'xsi:noNamespaceSchemaLocation="http://www.mpi.nl/tools/elan/EAFv3.0.xsd"'
    ) in made.files[""]


# DeepEthogram 0.5


def test_labels_that_a_project_of_deepethogram_took_in_are_of_its_video(tmp_path: Path) -> None:
    """As its `add_label_to_project` writes them, after which `add_behavior_to_project` did."""
    text = ",background,walk,rear\n0,1,0,-1.0\n1,0,1,-1.0\n"
    for video in ("mouse1", "mouse2"):
        (tmp_path / "DATA" / video).mkdir(parents=True)
        (tmp_path / "DATA" / video / "record.yaml").write_text(f"key: {video}\n")
        (tmp_path / "DATA" / video / "scores.csv").write_text(text)
        (tmp_path / "DATA" / video / f"{video}_predictions.csv").write_text(",walk\n0,1\n")
    assert rows(taken_of(tmp_path)) == [
        ("mouse1", "0", "background"),
        ("mouse1", "1", "walk"),
        ("mouse2", "0", "background"),
        ("mouse2", "1", "walk"),
    ]


def test_deepethogram_finds_labels_by_the_name_of_the_video_alone() -> None:
    labels = [("x/a b.mp4", 0, "walk"), ("c.1", 0, "rear"), ("y/d.avi", 0, "walk")]
    made = written("deepethogram", [*labels, ("z/d.avi", 0, "walk")], "frame")
    assert set(made.files) == {
        "a b_labels.csv",
        "c.1_labels.csv",
        "y_d_labels.csv",
        "z_d_labels.csv",
    }
    assert "must be [background, rear, walk]" in made.notes[-1]


# Zamba 2.7


def test_a_split_that_nobody_has_filled_in_is_none(tmp_path: Path) -> None:
    text = "filepath,label,split,site\na b.mp4,fox,,n1\nnight/c.avi,NA,,n2\n"
    found = taken(tmp_path / "labels.csv", text)
    assert list(found.table) == ["video", "label", "site"]
    assert rows(found) == [("a b.mp4", "fox", "n1"), ("night/c.avi", "NA", "n2")]
    assert "column split is empty, and left out" in notes(found)
    assert "1 rows have the class 'NA', which Zamba leaves out as no label" in notes(found)


def test_classes_that_zamba_predicted(tmp_path: Path) -> None:
    found = taken(tmp_path / "zamba_predictions.csv", "filepath,0\na b.mp4,fox\nc.avi,deer\n")
    assert rows(found) == [("a b.mp4", "fox"), ("c.avi", "deer")]
    assert "classes are what Zamba predicted" in notes(found)


@pytest.mark.parametrize(
    ("labels", "note"),
    [
        (["1", "2"], "Zamba reads no labels that are numbers alone"),
        (["None", "fox"], "Zamba leaves out labels None, which it reads as empty cells"),
    ],
)
def test_classes_that_zamba_cannot_read_are_told(labels: list[str], note: str) -> None:
    made = written("zamba", [("a.mp4", label) for label in labels])
    assert note in "\n".join(made.notes)
    assert not written("zamba", [("a.mp4", "1"), ("a.mp4", "fox")]).notes


# Camtrap DP 1.0.2, read by trap-schema 0.2 and CamTrapTools 0.8


def test_a_package_has_all_that_its_profile_asks_for() -> None:
    info = VideoInfo(Path("night/c.avi"), np.arange(5) / 25, 25.0, 4, 4, "pyav")
    labels = [("night/c", "Meles meles"), ("b", "blank")]
    files = written("camtrapdp", labels, **{"night/c": info}).files
    package = json.loads(files["datapackage.json"])
    asked = "resources profile created contributors project spatial temporal taxonomic"
    assert set(asked.split()) <= set(package)
    assert package["taxonomic"] == [{"scientificName": "Meles meles"}]
    assert package["temporal"] == {"start": "1970-01-01", "end": "1970-01-01"}
    tables = {name: list(csv.DictReader(text.splitlines())) for name, text in files.items()}
    counts = {name: len(tables[f"{name}.csv"][0]) for name in ("deployments", "media")}
    assert counts == {"deployments": 24, "media": 11}
    first, second = tables["observations.csv"]
    assert len(first) == 28 and first["classificationMethod"] == ""
    assert (first["observationType"], first["scientificName"]) == ("animal", "Meles meles")
    assert (second["observationType"], second["scientificName"]) == ("blank", "")
    media = [(one["filePath"], one["fileMediatype"]) for one in tables["media.csv"]]
    assert media == [("night/c.avi", "video/x-msvideo"), ("b", "video/mp4")]
