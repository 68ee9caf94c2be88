"""BORIS: exported events, tabular (an event a row) and aggregated (a range a row); CSV, TSV or XLSX.

Of BORIS 8 and 9: ``Observation id``, ``Source`` (``player #1:a.mp4;b.mp4``), ``Time offset (s)``,
``Media duration (s)`` (of each file, in the same order), ``Subject``, ``Behavior``, ``Modifier
#1``..., ``Behavior type`` (tabular: START, STOP, POINT; aggregated: STATE, POINT), ``Media file
name``, then ``Time``, or ``Start (s)`` and ``Stop (s)``. Of BORIS 5 to 7: tabular with lines on the
observation before the header, ``Media file path`` and ``Status``; aggregated with ``Media file``.
Columns of independent variables may be among them.

Times go on over the files of an observation, and the time offset is in them. BORIS looks for a time's
``Media file name`` as if there were no offset: with one it is ``Not found``, or another file's. So it is
after the end of the files, where players go on a little. What counts is ``Source``.

Specified by what BORIS writes:
https://github.com/olivierfriard/BORIS (``boris/export_events.py``, ``export_observation.py``,
``tests/files/*.tsv``).
"""

from __future__ import annotations

import re
from collections import Counter

from data.errors import some
from data.files.path import File
from data.formats.boris.players import Timeline, moment
from data.formats.content import refuse, rows_of
from data.formats.taken import RANGE, Gathered, Taken, counted, seconds, texts

TABULAR, AGGREGATED = "BORIS tabular events", "BORIS aggregated events"
_FILE = ("media file name", "media file path", "media file")
_NAMES = {
    TABULAR: ({"time", "behavior", "behavior type"}, {"time", "behavior", "status"}),
    AGGREGATED: ({"behavior", "behavior type", "start (s)", "stop (s)"},),
}
_NONE = ("", "na", "nan", "none")
_LOST = "not found"
_GIVE = "give the project (.boris)"
_CUT = "; export it with the time interval 'Observed events'"
_AFTER = 1.0  # seconds after the end of the files, at which a player may still be

Row = tuple[int, dict[str, str]]


def recognised(cells: list[str]) -> str | None:
    """Which of the two a header is of."""
    names = {cell.strip().lower() for cell in cells}
    if not names.intersection(_FILE):
        return None
    return next(
        (kind for kind, all_of in _NAMES.items() if any(one <= names for one in all_of)), None
    )


def read(path: File, content: bytes) -> Taken:
    """State and point events.

    Raises:
        DataError: it is no table of events.
    """
    kind, rows = None, list[Row]()
    names: list[str] = []
    # Of older tables, which have one observation a file.
    above = {"observation id": "1", "time offset (s)": "0"}
    for number, cells in rows_of(path, content):
        if kind is None:
            kind = recognised(cells)
            names = _distinct(cells)
            if cells[0].lower() in above and len(cells) > 1:
                above[cells[0].lower()] = cells[1]
        elif recognised(cells) is None:  # else another file was put after the first
            row = dict(zip(names, cells, strict=False))
            rows.append((number, {**above, **row}))
    if kind is None:
        refuse(
            path,
            "is no table of BORIS events: no row has Behavior, Behavior type and Media file name",
        )
    gathered = Gathered(kind, path, [*RANGE, "subject"])
    by_observation: dict[str, list[Row]] = {}
    for number, row in rows:
        by_observation.setdefault(row["observation id"], []).append((number, row))
    left: Counter[str] = Counter()
    for of_one in by_observation.values():
        _observation(gathered, kind, of_one, left)
    offset = [name for name, of_one in by_observation.items() if _offset(of_one)]
    gathered.note(
        f"of observations with a time offset ({some(offset)}) BORIS leaves out what comes later if the "
        "time interval is 'Media file(s) duration': export 'Observed events'",
        len(offset),
    )
    if left:
        gathered.note(f"left out: {counted(left)}")
    taken = gathered.done("state and point events")
    if taken.problems and names[-1] == "":  # what BORIS adds to a header that is too short
        taken.problems.append(
            f"{path}: its last column has no name: if an independent variable is called as a column of "
            "BORIS, BORIS leaves that out of the header; rename the variable and export again"
        )
    return taken


def _distinct(cells: list[str]) -> list[str]:
    """The names of columns, in lower case; what else is called like one of BORIS is a variable."""
    names = [cell.lower() for cell in cells]
    return [
        f"variable {cell}" if names.count(name) > 1 and cell != name.capitalize() else name
        for cell, name in zip(cells, names, strict=True)
    ]


def _observation(gathered: Gathered, kind: str, rows: list[Row], left: Counter[str]) -> None:
    timeline, offset = _timeline(rows), _offset(rows)
    files = {_file(row) for _, row in rows}
    states: dict[tuple[str, ...], Row] = {}
    for number, row in rows:
        file, label = _file(row), texts(row.get("behavior"))
        status = (row.get("behavior type") or row.get("status") or "").upper()
        modifiers = tuple(row[name] for name in row if re.match("modifier", name))
        subject = texts(row.get("subject"))
        if file.lower() in _NONE:
            left["events without a video (live, or of images)"] += 1
            continue
        if any(cell.lower() not in _NONE for cell in modifiers):
            left["modifiers of events"] += 1
        if any(row[name].lower() not in _NONE for name in row if "comment" in name):
            left["comments"] += 1
        if not label:
            gathered.wrong(number, "has no Behavior")
            continue
        names = ("time", "time") if kind == TABULAR else ("start (s)", "stop (s)")
        start, end = (moment(row.get(name, "")) for name in names)
        if status == "POINT":
            end = start
        if start is None or end is None or end < start:
            shown = " to ".join(f"'{row.get(name, '')}'" for name in dict.fromkeys(names))
            gathered.wrong(
                number, f"{', '.join(dict.fromkeys(names))}: {shown} is no time in seconds"
            )
            continue
        if kind == TABULAR and status in ("START", "STOP"):
            key = (subject, label, *modifiers)
            if status == "START":
                if key in states:
                    gathered.wrong(states[key][0], f"state '{label}' begins and has no STOP{_CUT}")
                states[key] = (number, row)
                continue
            if key not in states:
                gathered.wrong(number, f"state '{label}' ends and has no START{_CUT}")
                continue
            number, first = states.pop(key)
            start, file = moment(first["time"]) or 0.0, _file(first)
        elif status not in ("POINT", "STATE"):
            gathered.wrong(number, f"'{status}' is not START, STOP, STATE or POINT")
            continue
        where = f"observation '{row['observation id']}'"
        if timeline is None and len(files) > 1:
            gathered.wrong(
                number,
                f"{where} has more files, over which times go on, and not how long each is: {_GIVE}",
            )
        elif timeline is None and file.lower() == _LOST:
            gathered.wrong(number, f"{where} doesn't say which file it is of: {_GIVE}")
        elif timeline and start - offset > timeline.end + _AFTER:
            gathered.wrong(
                number,
                f"{where} has videos of {timeline.end:g} seconds, and this begins after them (as where "
                f"times count from when a video was made): {_GIVE}",
            )
        else:
            of_one = timeline or Timeline([file], [0])
            of_one.add(gathered, number, start - offset, end - offset, label, subject)
    for number, row in states.values():
        gathered.wrong(number, f"state '{row['behavior']}' begins and has no STOP{_CUT}")


def _file(row: dict[str, str]) -> str:
    return next((row[name] for name in _FILE if row.get(name)), "")


def _offset(rows: list[Row]) -> float:
    return moment(rows[0][1]["time offset (s)"] or "0") or 0.0


def _timeline(rows: list[Row]) -> Timeline | None:
    """The files of the first player, if it is known how long they are."""
    row = rows[0][1]
    source = re.sub(r"^player #1:\s*", "", row.get("source", ""), flags=re.IGNORECASE)
    source = re.split(r"\|?\s*player #\d+:|\|", source)[0]
    first = row.get("media duration (s)", "").split("|")[0].split(";")
    media = [file.strip() for file in source.split(";")] if len(first) > 1 else [source.strip()]
    known = [length for one in first if (length := seconds(one.strip())) is not None]
    named = {_file(row) for _, row in rows} - {"", "NA", "Not found"}
    if not source or len(known) != len(media) or not named <= set(media):
        return None
    return Timeline(media, known)
