"""Label files of other programs: text, workbooks, and packages of several files."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from datetime import date, time
from pathlib import Path
from typing import Any

from openpyxl import Workbook

from data.cells.numbers import parse_time
from data.errors import DataError
from data.formats.table import opened
from data.formats.taken import END, FRAME, RANGE, VIDEO, Taken
from data.labels.file import read_labels
from tests.fuzz.judge import Reader, Wrong

BORIS = {
    "project_format_version": "7.0",
    "behaviors_conf": {
        "0": {"type": "Point event", "code": "call"},
        "1": {"type": "State event", "code": "rest"},
    },
    "observations": {
        "one": {
            "type": "MEDIA",
            "file": {"1": ["a.mp4", "b.mp4"], "2": []},
            "time offset": 1.5,
            "events": [
                [2.5, "", "rest", "x|None", ""],
                [3, "s", "call", "", ""],
                [9, "", "rest", "x|None", ""],
            ],
            "media_info": {"length": {"a.mp4": 4.0, "b.mp4": 5.5}, "fps": {"a.mp4": 25.0}},
        },
        "two": {
            "type": "MEDIA",
            "file": {"1": ["c.mp4"], "2": ["d.mp4"]},
            "events": [[2.5, "", "rest", "", ""], [9, "", "rest", "", ""]],
            "media_info": {"length": {"d.mp4": 5.5}, "offset": {"1": 0.0, "2": 0.0}},
        },
    },
}
VIA = {
    "project": {"pname": "p", "vid_list": ["1"]},
    "attribute": {"1": {"aname": "b", "options": {"0": "rest", "1": "call"}}},
    "file": {"1": {"fname": "a.mp4", "src": ""}},
    "metadata": {
        "1_a": {"vid": "1", "z": [1.5, 2], "xy": [], "av": {"1": "0"}},
        "1_b": {"vid": "1", "z": [3], "xy": [], "av": {"1": "1"}},
    },
    "view": {"1": {"fid_list": ["1"]}},
}
VIA_CSV = """# Exported using VGG Image Annotator (http://www.robots.ox.ac.uk/~vgg/software/via)
# ATTRIBUTE = {"1":{"aname":"b","type":4,"options":{"0":"rest","1":"call"}}}
# CSV_HEADER = metadata_id,file_list,flags,temporal_coordinates,spatial_coordinates,metadata
"1_a","[""a.mp4""]",0,"[1.5,2]","[]","{""1"":""0""}"
"1_b","[""a.mp4""]",0,"[3]","[]","{""1"":""1""}"
"""
ELAN = """<?xml version="1.0" encoding="UTF-8"?>
<ANNOTATION_DOCUMENT FORMAT="3.0"><HEADER TIME_UNITS="milliseconds">
<MEDIA_DESCRIPTOR MEDIA_URL="file:///a.mp4" MIME_TYPE="video/mp4" TIME_ORIGIN="40"/></HEADER>
<TIME_ORDER><TIME_SLOT TIME_SLOT_ID="t1" TIME_VALUE="0"/><TIME_SLOT TIME_SLOT_ID="t2"/>
<TIME_SLOT TIME_SLOT_ID="t3" TIME_VALUE="2000"/></TIME_ORDER>
<TIER TIER_ID="b" PARTICIPANT="s"><ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a1"
TIME_SLOT_REF1="t1" TIME_SLOT_REF2="t2"><ANNOTATION_VALUE>rest</ANNOTATION_VALUE>
</ALIGNABLE_ANNOTATION></ANNOTATION><ANNOTATION><REF_ANNOTATION ANNOTATION_ID="a2"
ANNOTATION_REF="a1"><ANNOTATION_VALUE>x</ANNOTATION_VALUE></REF_ANNOTATION></ANNOTATION></TIER>
</ANNOTATION_DOCUMENT>"""
CVAT = """<?xml version="1.0" encoding="utf-8"?>
<annotations><version>1.1</version><meta><task><id>1</id><name>t</name><size>30</size>
<source>a.mp4</source></task></meta><track id="0" label="fox"><box frame="2" outside="0" keyframe="1"/>
<box frame="9" outside="1" keyframe="1"/></track><tag label="blank" frame="1"/>
<image id="0" name="v/v_0001.jpg"><tag label="fox"/><box label="deer"/></image></annotations>"""
TABULAR = (
    "Observation id\tSource\tTime offset (s)\tMedia duration (s)\tFPS\tSubject\tBehavior\tModifier #1\t"
    "Behavior type\tTime\tMedia file name\tComment\n"
    "one\tplayer #1:a.mp4;b.mp4\t0\t4.0;5.5\t25;25\ts\trest\t\tSTART\t1.5\ta.mp4\t\n"
    "one\tplayer #1:a.mp4;b.mp4\t0\t4.0;5.5\t25;25\ts\tcall\tx\tPOINT\t2\ta.mp4\t\n"
    "one\tplayer #1:a.mp4;b.mp4\t0\t4.0;5.5\t25;25\ts\trest\t\tSTOP\t7.25\tb.mp4\t\n"
)
AGGREGATED = (
    "Observation id,Subject,Behavior,Behavior type,Start (s),Stop (s),Media file name\n"
    "one,s,rest,STATE,1.5,2.25,a.mp4\none,s,call,POINT,3,NA,a.mp4\n"
)
ONE_HOT = ",background,walk,groom\n0,1,0,0\n1,0,1,1\n2,-1,-1,-1\n"
ZAMBA = "filepath,label,site,split\na.mp4,fox,n,train\nb.mp4,deer,s,val\n"
DEPLOYMENTS = "deploymentID,locationID,locationName\nd1,l1,Val\n"
MEDIA = (
    "mediaID,deploymentID,timestamp,filePath,fileMediatype\nm1,d1,2020-05-30T04:57:37Z,a.mp4,video/mp4\n"
    "m2,d1,2020-05-30T05:00:00Z,https://x/b,video/mp4\n"
)
OBSERVATIONS = (
    "observationID,deploymentID,mediaID,eventStart,eventEnd,observationLevel,observationType,scientificName\n"
    "o1,d1,m1,2020-05-30T04:57:37Z,2020-05-30T04:57:37Z,media,animal,Vulpes vulpes\n"
    "o3,d1,m1,2020-05-30T04:57:39Z,2020-05-30T04:57:41Z,media,animal,Vulpes vulpes\n"
    "o2,d1,,2020-05-30T04:59:00Z,2020-05-30T05:01:00Z,event,blank,\n"
)
PACKAGE = {
    "name": "x",
    "profile": "camtrap-dp",
    "resources": [
        {"name": n, "path": f"{n}.csv"} for n in ("deployments", "media", "observations")
    ],
}
_WORDS = tuple(
    word.encode()
    for word in (
        *(
            "null",
            "true",
            "[]",
            "{}",
            "[[]]",
            "NaN",
            "Infinity",
            "1e308",
            "-1e308",
            "0.1",
            "&#0;",
            "&lt;",
        ),
        *(
            "<!DOCTYPE a>",
            "<!ENTITY b 'c'>",
            "]]>",
            "<![CDATA[",
            "</TIER>",
            "<box/>",
            '"events"',
            '"file"',
        ),
        *(
            "999999",
            "1000001",
            "START",
            "STOP",
            "POINT",
            "../",
            "..",
            "player #2:",
            "|",
            "2020-05-30",
            "+25:00",
        ),
        *(
            "outside",
            "keyframe",
            "TIME_VALUE",
            "TIME_ORIGIN",
            "xl/",
            "sharedStrings",
            'r="XFD1048576"',
        ),
    )
)
_FORMS = [list(form) for form in (FRAME, RANGE, VIDEO)]


def check(found: Taken) -> None:
    """Compare what was taken with what the contract says of it.

    Raises:
        Wrong: they differ.
    """
    names = [name for name in found.table if name not in ("split", "site", "date", "subject")]
    if names not in _FORMS:
        raise Wrong(f"columns {names} are no form")
    if not all(isinstance(cell, str) for cell in found.table.to_numpy().ravel()):
        raise Wrong("a cell is no text")
    for end in ("time_start", "time_end"):
        if end in found.table:
            found.table.loc[found.table[end] != END, end].map(parse_time)
    if "time_end" in found.table:
        ends = found.table["time_end"].replace(END, "inf").astype(float)
        length = ends - found.table["time_start"].astype(float)
        if (length < 0).any():
            raise Wrong("a range ends before it starts")
    if (found.table["label"] == "").any() or found.table.duplicated().any():
        raise Wrong("a label is empty, or there twice")
    if not found.notes:
        raise Wrong("it is not said what was taken")
    if any("\n" in line for line in [*found.notes, *found.problems]):
        raise Wrong("a line is more than one")


def _reading(name: str) -> Callable[[Path], Callable[[bytes], Any]]:
    def make(folder: Path) -> Callable[[bytes], Any]:
        path = folder / name

        def read(content: bytes) -> None:
            path.write_bytes(content)
            found = opened(path, "data.labels").taken
            if found is not None:
                check(found)
            file = read_labels(path)
            if file.problems:
                raise DataError(file.problems)

        return read

    return make


def _texts() -> list[bytes]:
    texts = [
        json.dumps(BORIS, indent=1),
        json.dumps(VIA),
        VIA_CSV,
        ELAN,
        CVAT,
        TABULAR,
        AGGREGATED,
        ONE_HOT,
        ZAMBA,
    ]
    return [text.encode() for text in texts]


def _archive(parts: dict[str, str]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, text in parts.items():
            archive.writestr(zipfile.ZipInfo(name), text)  # without a date: the same each time
    return content.getvalue()


def _archives() -> list[bytes]:
    """Not packed, so that what is changed is what is read; checksums are noticed too."""
    tables = {"deployments": DEPLOYMENTS, "media": MEDIA, "observations": OBSERVATIONS}
    package = {"datapackage.json": json.dumps(PACKAGE)} | {
        f"{n}.csv": text for n, text in tables.items()
    }
    return [_archive(package), _archive({"annotations.xml": CVAT}), _workbook()]


def _workbook() -> bytes:
    book = Workbook()
    book.active.append(["video", "time_start", "time_end", "label", "date"])
    book.active.append(["a.mp4", time(0, 1, 5), 99.5, "fox", date(2024, 5, 31)])
    content = io.BytesIO()
    book.save(content)
    with zipfile.ZipFile(content) as packed:
        return _archive({name: packed.read(name).decode() for name in packed.namelist()})


def _package(folder: Path) -> Callable[[bytes], Any]:
    """A package whose parts are one after the other in an input."""
    path = folder / "package"
    path.mkdir()

    def read(content: bytes) -> None:
        parts = content.split(b"\n====\n")
        for name in ("datapackage.json", "deployments.csv", "media.csv", "observations.csv"):
            (path / name).write_bytes(parts.pop(0) if parts else b"")
        found = opened(path, "data.labels").taken
        if found is None:
            raise Wrong("a folder is taken for a file of our own")
        check(found)
        if found.problems or found.table.empty:
            raise DataError(found.problems or ["nothing"])

    return read


FILES = Reader(_reading("labels.txt"), _texts, (DataError,), share=20, words=_WORDS)
ARCHIVES = Reader(_reading("labels.zip"), _archives, (DataError,), share=5, words=_WORDS)
PACKAGES = Reader(
    _package,
    lambda: ["\n====\n".join([json.dumps(PACKAGE), DEPLOYMENTS, MEDIA, OBSERVATIONS]).encode()],
    (DataError,),
    share=5,
    words=_WORDS,
)
