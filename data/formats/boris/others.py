"""BORIS: what else it writes, and is not read; told apart by how it begins, to say what to give instead.

Sequences of behaviours, SDIS, JWatcher, Praat and SQL say nothing of videos; HTML and data frames do.
"""

from __future__ import annotations

_KINDS = {
    "% SDIS file created by BORIS": "SDIS of BORIS",
    "# observation id:": "behavioural sequences of BORIS",
    "FirstLineOfData=": "JWatcher data",
    'File type = "ooTextFile"': "a Praat TextGrid",
    "BEGIN TRANSACTION;\nCREATE TABLE aggregated_events": "SQL of BORIS",
    "Observation id\tDate\tDescription\tSubjects": "the list of observations of BORIS, without events",
    "Observation id,Date,Description,Subjects": "the list of observations of BORIS, without events",
    "<table": "a table in HTML",
    "<!doctype html": "a web page (HTML)",
    "<html": "a web page (HTML)",
}
_DATA = {
    b"\x80\x04\x95": "pickled data of Python",
    b"\x80\x05\x95": "pickled data of Python",
    b"X\n\x00\x00": "data of R",
    b"RDX": "data of R",
}
_ENDINGS = {".tbs": "timed sequences of BORIS", ".srt": "subtitles"}


def problem(content: bytes, ending: str) -> str | None:
    """Why a file is not read, if it is one of these.

    Args:
        ending: of its name, which alone tells some.
    """
    head = content[:200].decode("utf-8-sig", "replace").replace("\r\n", "\n").lstrip().lower()
    what = next((what for start, what in _KINDS.items() if head.startswith(start.lower())), None)
    what = what or next((what for start, what in _DATA.items() if content.startswith(start)), None)
    what = what or _ENDINGS.get(ending.lower())
    return what and (
        f"is {what}, which is not read: give a table of events as TSV, CSV or XLSX (in BORIS, export "
        "tabular or aggregated events), or a BORIS project"
    )
