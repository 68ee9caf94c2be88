"""BORIS: packed projects, what it writes that is not read, and projects that are written for it."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data.formats.content import MOST
from data.formats.table import FORMATS
from data.videos.info import VideoInfo
from tests.data.formats.reading import refused, rows, taken, taken_of
from tests.data.formats.test_boris import A, observation, project

ONE = project(one=observation([[1, "", "call", "", ""]]))


def test_a_packed_project(tmp_path: Path) -> None:
    path = tmp_path / "project.boris.gz"
    packed = gzip.compress(ONE.encode())
    assert rows(taken(path, packed)) == [(A, "1", "1", "call")]
    assert rows(taken_of(tmp_path)) == [(A, "1", "1", "call")]  # in a folder, too
    path.with_suffix("").write_text(ONE)
    assert len(rows(taken_of(tmp_path))) == 1  # the same project
    assert "is damaged: its end is missing" in refused(path, packed[:-9])
    assert "is damaged, or not packed with gzip" in refused(path, packed[:10] + b"\xff" * 20)
    assert "unpacks to more than 128 MB" in refused(path, gzip.compress(bytes(MOST + 1)))


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.sds", b"% SDIS file created by BORIS (www.boris.unito.it) at 2026-12-01", "SDIS"),
        ("a.txt", b"\n# observation id: one\n# observation description: \n", "behavioural seq"),
        ("a.tbs", b"# one\nNo_focal_subject_rest|No_focal_subject_rest|", "timed sequences"),
        ("a.dat", b"FirstLineOfData=18\n#-----", "JWatcher"),
        ("a.sql", b"BEGIN TRANSACTION;\nCREATE TABLE aggregated_events (id INTEGER", "SQL of"),
        ("a.textGrid", b'File type = "ooTextFile"\nObject class = "TextGrid"\n', "Praat"),
        ("a.html", b"<table><thead><tr><th>Observation id</th><th>", "a table in HTML"),
        ("a.pkl", b"\x80\x05\x95\xac\x10\0\0\0\0\0\0\x8c\x06pandas\x94\x8c", "data of Python"),
        ("a.rds", gzip.compress(b"X\n\0\0\0\x03\0\x04\0\0\0\x03\x05\0", mtime=0), "is data of R"),
        ("a.srt", b"1\n00:00:01,000 --> 00:00:04,250\nrest\n", "subtitles"),
        ("a.tsv", b"Observation id\tDate\tDescription\tSubjects\tMedia", "list of observations"),
        ("a.csv", b"Observation id,Date,Description,Subjects,Media", "list of observations"),
    ],
)
def test_what_to_give_instead_is_told(
    tmp_path: Path, name: str, content: bytes, words: str
) -> None:
    told = refused(tmp_path / name, content)
    assert words in told and "give a table of events as TSV, CSV or XLSX (in BORIS, export" in told


def written(*paths: str) -> tuple[dict, list[str]]:
    """A project of a range of each video, and what is told."""
    infos = {
        str(Path(path).with_suffix("")): VideoInfo(
            Path("/x/v", path), np.arange(100) / 25, 25.0, 4, 4, "pyav"
        )
        for path in paths
    }
    columns = ["video", "time_start", "time_end", "label"]
    table = pd.DataFrame([(video, 1.0, 2.0, "grüßen") for video in infos], columns=columns)
    made = FORMATS["boris"].write(table, infos)
    assert made.files[""].isascii()  # BORIS reads it as text of the country
    return json.loads(made.files[""])["observations"], made.notes


def test_videos_of_one_name_are_told_apart(tmp_path: Path) -> None:
    observations, notes = written("a/1.mp4", "b/1.mp4", "c.mp4")
    files = [one["file"]["1"] for one in observations.values()]
    assert files == [["a/1.mp4"], ["b/1.mp4"], ["c.mp4"]]
    assert all(
        one["media_info"]["length"] == {one["file"]["1"][0]: 4.0} for one in observations.values()
    )
    assert notes == [f"BORIS looks for videos from the project's folder: keep it in {Path('/x/v')}"]
    assert [one["file"]["1"] for one in written("b/1.mp4")[0].values()] == [["1.mp4"]]


def test_videos_of_unknown_length_are_told() -> None:
    table = pd.DataFrame(
        [("a", 1.0, 2.0, "x")], columns=["video", "time_start", "time_end", "label"]
    )
    (note,) = FORMATS["boris"].write(table, {}).notes
    assert "BORIS exports no events of videos whose length it doesn't know, of a: give" in note
