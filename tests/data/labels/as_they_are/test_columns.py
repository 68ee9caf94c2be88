"""Columns as people call them: taken by name, as a user says, or told what is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from data import DataError
from data.labels.columns import columns_of
from data.labels.file import LabelFile, label_form, read_labels
from tuner.config.load import load
from tuner.config.messages import ConfigError


def read(labels: Path, text: str, **more: object) -> LabelFile:
    labels.write_text(text, encoding="utf-8")
    return read_labels(labels, **more)


def problem(labels: Path, text: str, **more: object) -> str:
    with pytest.raises(DataError) as caught:
        read(labels, text, **more)
    (line,) = caught.value.problems
    return line


# Taken by their names


def test_a_table_of_camera_traps_as_excel_writes_it(labels: Path) -> None:
    file = read(
        labels,
        "Site;File;Species;Date;Comments\nNorth;a.MP4;fox;01.05.2024;\nSouth;b.MP4;none;;two of them\n",
    )
    assert (file.form, file.problems, file.groupings) == ("video", [], ["site", "date"])
    assert file.rows[["video", "label", "site"]].values.tolist() == [
        ["a.MP4", "fox", "North"],
        ["b.MP4", "none", "South"],
    ]
    taken, unknown = file.notes
    assert "taken 'File' for video, 'Species' for label; data.columns can say otherwise" in taken
    assert unknown == f"{labels}: columns that play no part: 'Comments'"
    assert label_form(labels) == "video"


@pytest.mark.parametrize(
    ("header", "form"),
    [
        ("video,label", "video"),
        ("File Name,Class", "video"),
        ("file_path;Behaviour;Camera-ID", "video"),
        ("Path\tSpecies\tDeployment", "video"),
        ("file,Start (s),Stop (s),behavior", "range"),
        ("Filename,Start time,End time,Category", "range"),
        ("VIDEO,Frame number,LABEL", "frame"),
        ("video,frame,label,start,stop", "frame"),
        ("video,frame no,label,time_start,time_end", "range"),
    ],
)
def test_what_people_call_them(header: str, form: str) -> None:
    names = header.replace(";", ",").replace("\t", ",").split(",")
    assert columns_of(Path("labels.csv"), names).form == form


def test_our_names_are_taken_before_others(labels: Path) -> None:
    file = read(labels, "video,label,Species,Path,site,Camera\na,x,fox,/b,s,c\n")
    assert file.rows[["video", "label", "site"]].values.tolist() == [["a", "x", "s"]]
    assert file.notes == [f"{labels}: columns that play no part: 'Species', 'Path', 'Camera'"]


def test_columns_that_play_no_part_may_hold_anything(labels: Path) -> None:
    text = 'video,note,label,note\na,"one, two",x,\nb,,y,more\nc,,x,\n'
    file = read(labels, text)
    assert (file.problems, list(file.rows["video"])) == ([], ["a", "b", "c"])
    assert list(file.rows) == ["video", "label", "row"]


def test_a_misspelt_column_is_hinted_at(labels: Path) -> None:
    (note,) = read(labels, "video,label,splitt\na,x,train\n").notes
    assert "'splitt'; if 'splitt' is the split: --set data.columns.split=splitt" in note


def test_times_in_other_units_are_not_taken_for_seconds(labels: Path) -> None:
    file = read(labels, "video,label,Start (ms),Stop (ms)\na,x,1000,2000\n")
    assert file.form == "video"
    assert (
        "if 'Start (ms)' says when in it, in seconds, --set 'data.columns.time_start="
        in (file.notes[-1])
    )


# As a user says


def test_columns_are_named_in_any_case(labels: Path) -> None:
    columns = {"video": "datei", "label": "ART", "site": " Ort "}
    file = read(labels, "Datei;Art;Ort;video\na;fox;n;z\nb;deer;s;z\n", columns=columns)
    assert file.rows[["video", "label", "site"]].values.tolist() == [
        ["a", "fox", "n"],
        ["b", "deer", "s"],
    ]
    assert file.notes == [f"{labels}: columns that play no part: 'video'"]
    assert label_form(labels, columns=columns) == "video"


def test_problems_name_the_files_own_columns(labels: Path) -> None:
    file = read(labels, "File,Species,Begin,Stop\na,fox,0,x\na,,1,2\n")
    assert "row 3: 1 with no 'Species'" in file.problems[0]
    assert "row 2: Stop 'x' is not a time" in file.problems[1]


def test_null_says_that_a_file_has_no_such_column(labels: Path) -> None:
    text = "video,label,Start,Stop,site\na,x,May,June,\nb,y,May,June,\n"
    columns = dict.fromkeys(["time_start", "time_end", "site"])
    file = read(labels, text, columns=columns)
    assert (file.form, file.problems, file.groupings) == ("video", [], [])


# What is missing


def test_missing_columns_are_told_with_what_would_name_them(labels: Path) -> None:
    line = problem(labels, "Datei;Art;Ort\na;fox;n\n")
    for words in (
        f"{labels}: no column says 'video' or 'label' among Datei, Art, Ort;",
        "--set data.columns.video=Datei --set data.columns.label=Art.",
        "video, time_start, time_end, label",
    ):
        assert words in line


def test_the_column_that_is_likeliest_is_named(labels: Path) -> None:
    assert "--set data.columns.video=vidio." in problem(labels, "a,label,vidio\n1,2,3\n")
    line = problem(labels, "video,Special Name\na,x\n")
    assert "--set 'data.columns.label=Special Name'." in line


def test_half_a_range(labels: Path) -> None:
    line = problem(labels, "File,Species,Start\na,fox,May\n")
    for words in (
        "no column says 'time_end' among File, Species, Start; none is left for it.",
        "--set data.columns.time_start=null if 'Start' is no",
    ):
        assert words in line


def test_a_column_that_could_be_any_of_several(labels: Path) -> None:
    line = problem(labels, "video,Class,Order,Species\na,Mammalia,Carnivora,fox\n")
    assert (
        "label could be any of the columns 'Class', 'Species'; say which, as in --set data." in line
    )
    file = read(labels, "video,label,Camera,Location\na,fox,c,l\n")
    assert file.groupings == []
    assert "site could be any of the columns 'Camera', 'Location'" in file.notes[0]
    assert "none is taken" in file.notes[0]


def test_a_column_that_is_not_there(labels: Path) -> None:
    line = problem(labels, "Datei,label\na,x\n", columns={"video": "Datai"})
    for words in (
        "data.columns.video",
        "no column 'Datai' (did you mean 'Datei'?)",
        "Datei, label",
    ):
        assert words in line


def test_a_column_that_is_there_twice(labels: Path) -> None:
    assert "column 'label' is there twice" in problem(labels, "video,label,Label\na,x,y\n")
    line = problem(labels, "video,x,X\na,b,c\n", columns={"label": "x"})
    assert "data.columns.label: " in line and "'x' is there twice" in line


def test_one_column_for_two(labels: Path) -> None:
    columns = {"video": "File", "label": "File"}
    line = problem(labels, "File,Species\na,x\n", columns=columns)
    assert "data.columns.label: 'File' is named for video, too" in line


def test_frames_and_times_in_each_row(labels: Path) -> None:
    text = "video,frame,time_start,time_end,label\na,1,0,1,x\n"
    line = problem(labels, text)
    assert "--set data.columns.frame=null takes the times" in line
    assert read(labels, text, columns={"frame": None}).form == "range"
    assert read(labels, text, columns={"time_start": None, "time_end": None}).form == "frame"


def test_names_of_columns_in_a_configuration(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("name: a\nspace: {architecture: [image_mlp_frozen]}\n")
    given = ["data.videos=v", "data.labels=l.csv", "data.columns.label=Species"]
    config = load(path, [*given, "data.columns.site=null"])
    assert config.data.columns == {"label": "Species", "site": None}
    with pytest.raises(ConfigError, match=r"data\.columns\.labl: unknown \(did you mean 'label'"):
        load(path, [*given, "data.columns.labl=Species"])


# Encodings and separators


TEXT = "Datei;Art\na;Möwe\nb;Fuchs\n"


@pytest.mark.parametrize(
    ("encoding", "newline"),
    [
        *(("utf-8-sig", "\r\n"), ("utf-16", "\r\n"), ("cp1252", "\r\n"), ("mac_roman", "\r")),
        *(("utf-16-be", "\n"), ("utf-8", "\r")),
    ],
)
@pytest.mark.parametrize("separator", [";", ",", "\t"])
def test_what_excels_write(labels: Path, encoding: str, newline: str, separator: str) -> None:
    text = TEXT.replace(";", separator).replace("\n", newline)
    mark = b"\xfe\xff" if encoding == "utf-16-be" else b""
    labels.write_bytes(mark + text.encode(encoding))
    columns = {"video": "Datei", "label": "Art"}
    assert label_form(labels, columns=columns) == "video"
    file = read_labels(labels, columns=columns)
    assert (list(file.rows["label"]), file.problems) == (["Möwe", "Fuchs"], [])
    assert file.notes == [
        f"{labels}: it is no UTF-8, and read as what older Excels write on a Mac"
    ] * (encoding == "mac_roman")


def test_characters_of_an_unknown_encoding_are_told(labels: Path) -> None:
    labels.write_bytes(b"video,label\na,M\x81we\n")
    (note,) = read_labels(labels).notes
    assert "1 characters in it are neither UTF-8 nor Windows'" in note


def test_a_line_that_tells_excel_the_separator(labels: Path) -> None:
    file = read(
        labels, 'sep=;\n"video, or file";label\na,b;x\n', columns={"video": "video, or file"}
    )
    assert file.rows[["video", "label", "row"]].values.tolist() == [["a,b", "x", 3]]


def test_decimal_commas(labels: Path) -> None:
    file = read(labels, "video;time_start;time_end;label\na;0,5;00:00:01,25;x\n")
    assert file.rows[["time_start", "time_end"]].values.tolist() == [[0.5, 1.25]]


def test_separators_in_quotes_of_the_header_are_none(labels: Path) -> None:
    file = read(labels, '"Notes, remarks, others";video;label\n;a;x\n')
    assert list(file.rows["video"]) == ["a"]
