"""``python -m data import`` and ``export``: what is written, said, and refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from data import DataError, load
from data.__main__ import main
from data.tools import convert

ZAMBA = "filepath,label,split\nvideos/a.mp4,fox,train\nb.avi,deer,val\n"
RANGES = "video,time_start,time_end,label\na,0.31,0.5,fox\na,0.9,0.9,call\nb,00:00:00.5,1.2,deer\n"


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory, make_video) -> Path:
    """Two videos of 20 frames at 10 a second."""
    folder = tmp_path_factory.mktemp("drawn")
    for name in ("a.mp4", "sub/b.avi"):
        make_video(folder / name)
    return folder


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    path = tmp_path / "labels.csv"
    path.write_text(RANGES)
    return path


def csv(path: Path) -> list[list[str]]:
    return [line.split(",") for line in path.read_text().splitlines()]


def problems(*words: object) -> str:
    """Why something is refused, by a function with arguments."""
    function, *arguments = words
    with pytest.raises(DataError) as caught:
        function(*arguments)  # type: ignore[operator]
    return str(caught.value)


def test_import_writes_a_csv_file_and_says_what_was_taken(tmp_path: Path, capsys) -> None:
    (tmp_path / "zamba.csv").write_text(ZAMBA)
    target = tmp_path / "new" / "labels.csv"
    assert main(["import", str(tmp_path / "zamba.csv"), "--to", str(target)]) == 0
    assert csv(target) == [
        ["video", "label", "split"],
        ["videos/a.mp4", "fox", "train"],
        ["b.avi", "deer", "valid"],
    ]
    said = capsys.readouterr().out
    assert "Zamba labels: 2 labels of 2 videos, 2 classes" in said
    assert f"written: {target}: 2 rows of 2 videos; columns video, label, split" in said


def test_import_names_videos_as_they_are_in_their_folder(tmp_path: Path, drawn: Path) -> None:
    (tmp_path / "zamba.csv").write_text(ZAMBA.replace("videos/", ""))
    taken = convert.read(tmp_path / "zamba.csv", drawn)
    assert taken.table["video"].tolist() == ["a.mp4", "sub/b.avi"]
    (tmp_path / "zamba.csv").write_text(ZAMBA + "c.mp4,fox,train\n")
    assert "video 'c.mp4' is not among the 2 videos" in problems(
        convert.read, tmp_path / "zamba.csv", drawn
    )


def test_import_finds_names_that_several_sites_have(tmp_path: Path, make_video) -> None:
    for site in ("north", "south"):
        (tmp_path / "videos" / site).mkdir(parents=True)
        make_video(tmp_path / "videos" / site / "IMG_0001.mp4")
    table = tmp_path / "table.csv"
    table.write_text("Site;File;Species\nnorth;IMG_0001.MP4;fox\nsouth;IMG_0001.MP4;empty\n")
    taken = convert.read(table, tmp_path / "videos")
    assert taken.table["video"].tolist() == ["north/IMG_0001.mp4", "south/IMG_0001.mp4"]
    assert "names of videos are there at several sites" in " ".join(taken.notes)


def test_names_with_another_ending_are_said(tmp_path: Path, drawn: Path) -> None:
    (tmp_path / "zamba.csv").write_text(ZAMBA.replace("videos/a.mp4", "a.MTS"))
    taken = convert.read(tmp_path / "zamba.csv", drawn)
    assert taken.table["video"].tolist() == ["a.mp4", "sub/b.avi"]
    assert "another ending than their files" in taken.notes[-1]
    made = convert.make(tmp_path / "zamba.csv", "boris", drawn)
    assert any("'a.MTS' is a.mp4" in note for note in made.notes)


def test_ranges_to_the_end_of_their_video(tmp_path: Path, drawn: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("video,time_start,time_end,label\na,0.5,end,fox\nb,0,1,deer\n")
    convert.write(path, "timestamps", tmp_path / "own.csv")
    assert csv(tmp_path / "own.csv")[1:] == [["a", "0.5", "end", "fox"], ["b", "0", "1", "deer"]]
    assert "need these: give --videos" in problems(convert.make, path, "boris")
    convert.write(path, "boris", tmp_path / "p.boris", drawn)
    assert convert.read(tmp_path / "p.boris").table["time_end"].tolist() == ["2", "1"]


def test_a_dry_run_writes_nothing(tmp_path: Path, labels: Path, capsys) -> None:
    target = tmp_path / "new.csv"
    assert main(["import", str(labels), "--to", str(target), "--dry-run"]) == 0
    assert main(["export", str(labels), "--to", "via", "--out", str(target), "--dry-run"]) == 0
    assert not target.exists()
    assert capsys.readouterr().out.count("would be written: ") == 2


def test_nothing_is_replaced_unless_asked(tmp_path: Path, labels: Path, capsys) -> None:
    target = tmp_path / "there.csv"
    target.write_text("mine")
    for words in (
        ["import", str(labels), "--to", str(target)],
        ["export", str(labels), "--to", "via", "--out", str(target)],
    ):
        assert main(words) == 2
        assert (
            "there.csv: is there already; name another, or give --overwrite"
            in capsys.readouterr().err
        )
        assert target.read_text() == "mine"
        assert main([*words, "--overwrite"]) == 0
        assert target.read_text() != "mine"
        target.write_text("mine")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "x").write_text("mine")
    words = ["export", str(labels), "--to", "elan", "--out", str(tmp_path / "folder")]
    assert main(words) == 2
    assert "the folder holds files already" in capsys.readouterr().err


def test_a_file_with_mistakes_is_not_written(tmp_path: Path, capsys) -> None:
    (tmp_path / "zamba.csv").write_text(ZAMBA + "c.mp4,,train\nd.mp4,,train\n")
    target = tmp_path / "labels.csv"
    assert main(["import", str(tmp_path / "zamba.csv"), "--to", str(target)]) == 2
    said = capsys.readouterr()
    assert "zamba.csv, rows 4, 5: has no label" in said.err and not target.exists()


def test_export_of_ranges_as_frames_and_back(tmp_path: Path, labels: Path, drawn: Path) -> None:
    frames = tmp_path / "frames.csv"
    convert.write(labels, "frames", frames, drawn)
    wanted = [["a", "3", "fox"], ["a", "4", "fox"], ["a", "9", "call"]]
    assert csv(frames)[1:] == [*wanted, *(["b", str(n), "deer"] for n in range(5, 12))]
    back = tmp_path / "back.csv"
    convert.write(frames, "timestamps", back, drawn)
    assert csv(back)[1:] == [
        ["a", "0.3", "0.5", "fox"],
        ["a", "0.9", "1", "call"],
        ["b", "0.5", "1.2", "deer"],
    ]


def test_export_of_whole_videos_as_ranges(tmp_path: Path, drawn: Path) -> None:
    (tmp_path / "zamba.csv").write_text(ZAMBA.replace("videos/", ""))
    target = tmp_path / "project.boris"
    told = convert.write(tmp_path / "zamba.csv", "boris", target, drawn)
    assert "splits are left out: BORIS projects have none" in told
    observation = json.loads(target.read_text())["observations"]["a.mp4"]
    assert [event[:3] for event in observation["events"]] == [[0.0, "", "fox"], [2.0, "", "fox"]]
    assert observation["media_info"]["length"] == {"a.mp4": 2.0}


def test_export_says_what_is_lost(tmp_path: Path, labels: Path) -> None:
    told = convert.write(labels, "zamba", tmp_path / "zamba.csv")
    assert "when in a video its classes are shown is left out (ranges)" in told
    assert csv(tmp_path / "zamba.csv")[1:] == [["a", "fox"], ["a", "call"], ["b", "deer"]]


def test_ranges_of_a_class_that_overlap_are_joined(tmp_path: Path, labels: Path) -> None:
    labels.write_text(
        "video,time_start,time_end,label\na,1,3,x\na,2,4,x\na,3.5,5,x\na,5,6,x\nb,0,1,x\n"
    )
    told = convert.write(labels, "timestamps", tmp_path / "new.csv")
    assert "2 ranges overlap one of the same class, and are joined with it" in told
    assert csv(tmp_path / "new.csv")[1:] == [
        ["a", "1", "5", "x"],
        ["a", "5", "6", "x"],
        ["b", "0", "1", "x"],
    ]


def test_what_can_not_be_exported(tmp_path: Path, labels: Path, drawn: Path) -> None:
    out = tmp_path / "out"
    assert "there is no format 'elam' (did you mean 'elan'?)" in problems(
        convert.write, labels, "elam", out
    )
    assert "rows of ranges become frames only with the videos: give --videos" in problems(
        convert.write, labels, "cvat", out
    )
    labels.write_text(RANGES + "b,1.5,7,deer\n")
    assert "1 ranges end beyond video 'b', which lasts 2.000 s" in problems(
        convert.write, labels, "cvat", out, drawn
    )
    labels.write_text(RANGES + "b,x,7,deer\n")
    assert "row 5: time_start 'x' is not a time" in problems(convert.write, labels, "via", out)
    assert not out.exists()


def test_a_missing_file_and_tool(tmp_path: Path, capsys) -> None:
    assert main(["import", str(tmp_path / "gone"), "--to", str(tmp_path / "x.csv")]) == 2
    assert "can't read" in capsys.readouterr().err
    assert main(["convert"]) == 2
    assert (
        "there is no tool 'convert'; there is check, explore, split, extract, import, export"
        in capsys.readouterr().err
    )


def test_from_a_shell(tmp_path: Path, labels: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "data",
        "export",
        str(labels),
        "--to",
        "via",
        "--out",
        "x.json",
    ]
    root = str(Path(__file__).parents[3])
    done = subprocess.run(
        command, cwd=tmp_path, env=os.environ | {"PYTHONPATH": root}, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "written: x.json" in done.stdout and (tmp_path / "x.json").is_file()
    for tool in ("import", "export"):
        help_of = subprocess.run(
            [sys.executable, "-m", "data", tool, "--help"],
            cwd=root,
            capture_output=True,
            text=True,
        ).stdout
        assert "examples:" in help_of and f"python -m data {tool} " in help_of


# As data.labels


LEARNABLE = RANGES.replace("deer", "fox")


@pytest.mark.parametrize("program", ["boris", "elan", "via", "cvat", "deepethogram", "timestamps"])
def test_data_labels_takes_what_was_exported(
    tmp_path: Path, labels: Path, drawn: Path, program: str
) -> None:
    labels.write_text(LEARNABLE)
    out = tmp_path / "out"
    convert.write(labels, program, out, drawn)
    named = {"deepethogram": "b", "timestamps": "b", "boris": "sub/b.avi"}.get(program, "b.avi")
    ours, theirs = load(drawn, labels, valid=["b"]), load(drawn, out, valid=[named])
    rows = [one.table[["frame", "label"]].astype(str).values.tolist() for one in (ours, theirs)]
    assert rows[0] == rows[1]
    if program != "timestamps":
        assert any("of 2 videos" in warning for warning in theirs.warnings)


def test_points_are_told(labels: Path, drawn: Path) -> None:
    labels.write_text(LEARNABLE)
    warnings = load(drawn, labels, valid=["b"]).warnings
    assert any("1 ranges end where they start" in warning for warning in warnings)


def test_folders_named_after_classes_are_labels(tmp_path: Path, make_video) -> None:
    for name in ("train/fox/a.mp4", "valid/fox/b.mp4", "train/deer/c.mp4"):
        make_video(tmp_path / name)
    dataset = load(tmp_path, tmp_path, unit="video")
    assert dataset.table.astype(str).values.tolist() == [
        ["train/deer/c.mp4", "deer", "train"],
        ["train/fox/a.mp4", "fox", "train"],
        ["valid/fox/b.mp4", "fox", "valid"],
    ]


def test_a_table_of_a_person_is_imported_by_its_columns(tmp_path, capsys):
    table = tmp_path / "table.csv"
    table.write_text("File;Species;Comments\nv0.mp4;fox;at night\n")
    assert main(["import", str(table), "--to", str(tmp_path / "labels.csv")]) == 0
    assert (tmp_path / "labels.csv").read_text().split() == ["video,label", "v0.mp4,fox"]
    assert "comments" in capsys.readouterr().out.lower()


@pytest.mark.parametrize("text", ["hello world\n", "foo,bar\n1,2\n"])
def test_a_file_that_holds_no_labels_is_refused(text, tmp_path, capsys):
    (file := tmp_path / "a.csv").write_text(text)
    assert main(["import", str(file), "--to", str(tmp_path / "labels.csv")]) == 2
    assert "no column says 'video'" in capsys.readouterr().err
