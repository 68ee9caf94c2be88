"""BORIS: exported events, tabular (an event a row) and aggregated (a range a row); CSV, TSV or XLSX.

Of BORIS 8 and 9: ``Observation id``, ``Source`` (``player #1:a.mp4;b.mp4``), ``Time offset (s)``,
``Media duration (s)`` (of each file, in the same order), ``Subject``, ``Behavior``, ``Modifier
#1``..., ``Behavior type`` (tabular: START, STOP, POINT; aggregated: STATE, POINT), ``Media file
name``, then ``Time``, or ``Start (s)`` and ``Stop (s)``. Of BORIS 5 to 7: tabular with lines on the
observation before the header, ``Media file path`` and ``Status``; aggregated with ``Media file``.
Columns of independent variables may be among them.

Times go on over the files of an observation. Specified by what BORIS writes:
https://github.com/olivierfriard/BORIS (``boris/export_events.py``, ``export_observation.py``,
``tests/files/*.tsv``).
"""

from __future__ import annotations

import re
from collections import Counter

from data.files.path import File
from data.formats.boris.players import Timeline
from data.formats.content import refuse, rows_of
from data.formats.taken import RANGE, Gathered, Taken, counted, seconds

TABULAR, AGGREGATED = "BORIS tabular events", "BORIS aggregated events"
_FILE = ("media file name", "media file path", "media file")
_NAMES = {
    TABULAR: ({"time", "behavior", "behavior type"}, {"time", "behavior", "status"}),
    AGGREGATED: ({"behavior", "behavior type", "start (s)", "stop (s)"},),
}
_NONE = ("", "na", "nan", "none", "not found")

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
    observation = "1"  # of older tables, which have one observation a file
    for number, cells in rows_of(path, content):
        if kind is None:
            kind = recognised(cells)
            names = [cell.lower() for cell in cells]
            if cells[0].lower() == "observation id" and len(cells) > 1:
                observation = cells[1]
        elif recognised(cells) is None:  # else another file was put after the first
            row = dict(zip(names, cells, strict=False))
            rows.append((number, {"observation id": observation, **row}))
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
    if left:
        gathered.note(f"left out: {counted(left)}")
    return gathered.done("state and point events")


def _observation(gathered: Gathered, kind: str, rows: list[Row], left: Counter[str]) -> None:
    timeline, offset = _timeline(rows), seconds(rows[0][1].get("time offset (s)") or "0") or 0.0
    states: dict[tuple[str, ...], Row] = {}
    for number, row in rows:
        file, label = next((row[n] for n in _FILE if row.get(n)), ""), row.get("behavior", "")
        status = (row.get("behavior type") or row.get("status") or "").upper()
        modifiers = tuple(row[name] for name in row if re.match("modifier", name))
        subject = row.get("subject", "")
        left["modifiers of events"] += any(cell.lower() not in _NONE for cell in modifiers)
        left["comments"] += any(row[name].lower() not in _NONE for name in row if "comment" in name)
        if file.lower() in _NONE:
            left["events without a video (live, or of images)"] += 1
            continue
        if not label:
            gathered.wrong(number, "has no Behavior")
            continue
        names = ("time", "time") if kind == TABULAR else ("start (s)", "stop (s)")
        start, end = (seconds(row.get(name, "")) for name in names)
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
                    gathered.wrong(states[key][0], f"state '{label}' begins and has no STOP")
                states[key] = (number, row)
                continue
            if key not in states:
                gathered.wrong(number, f"state '{label}' ends and has no START")
                continue
            number, first = states.pop(key)
            start, file = (
                seconds(first["time"]) or 0.0,
                next(first[n] for n in _FILE if first.get(n)),
            )
        elif status not in ("POINT", "STATE"):
            gathered.wrong(number, f"'{status}' is not START, STOP, STATE or POINT")
            continue
        if timeline is None:  # of one file alone, or not known
            if len({next((r[n] for n in _FILE if r.get(n)), "") for _, r in rows}) > 1:
                gathered.wrong(
                    number,
                    f"observation '{row['observation id']}' has more files, over which times go on, and "
                    "not how long each is: give the project (.boris)",
                )
                continue
            Timeline([file], [0]).add(
                gathered, number, start - offset, end - offset, label, subject
            )
        else:
            timeline.add(gathered, number, start - offset, end - offset, label, subject)
    for number, row in states.values():
        gathered.wrong(number, f"state '{row['behavior']}' begins and has no STOP")


def _timeline(rows: list[Row]) -> Timeline | None:
    """The files of the first player, if it is known how long they are."""
    row = rows[0][1]
    source = re.sub(r"^player #1:\s*", "", row.get("source", ""), flags=re.IGNORECASE)
    media = [file.strip() for file in re.split(r"\|?\s*player #\d+:|\|", source)[0].split(";")]
    first = row.get("media duration (s)", "").split("|")[0].split(";")
    lengths = [seconds(length.strip()) for length in first]
    known = [length for length in lengths if length is not None]
    named = {next((r[n] for n in _FILE if r.get(n)), "") for _, r in rows} - {"", "NA", "Not found"}
    if len(media) < 2 or len(known) != len(media) or not named <= set(media):
        return None
    return Timeline(media, known)
