"""BORIS: exported events, tabular and aggregated, as versions 5 to 9 write them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.data.formats.reading import format_of, notes, rows, taken

HEADER_8 = (
    "Observation id\tObservation date\tDescription\tObservation duration\tObservation type\tSource\t"
    "Time offset (s)\tMedia duration (s)\tFPS\tweather\tSubject\tBehavior\tBehavioral category\t"
    "Modifier #1\tBehavior type\tTime\tMedia file name\tImage index\tImage file path\tComment\n"
)
ROW_8 = (
    "one\t2024-05-01 10:00:00\t\t100\tMedia file(s)\t{source}\t{offset}\t{durations}\t25.000\tsunny\t"
    "{subject}\t{behavior}\t\t{modifier}\t{status}\t{time}\t{file}\t\tNA\t\n"
)


def table_8(*events: dict[str, Any], **of_all: Any) -> str:
    usual = {
        "source": "player #1:a.mp4",
        "durations": "100.000",
        "offset": "0.0",
        "file": "a.mp4",
        "subject": "No focal subject",
        "modifier": "",
    }
    return HEADER_8 + "".join(ROW_8.format(**(usual | of_all | event)) for event in events)


def event(at: float, behavior: str, status: str, **more: Any) -> dict[str, Any]:
    return {"time": f"{at:.3f}", "behavior": behavior, "status": status, **more}


def test_tabular_events_of_boris_8(tmp_path: Path) -> None:
    path = tmp_path / "one.tsv"
    text = table_8(
        event(1, "rest", "START", subject="s1"),
        event(2, "call", "POINT", modifier="loud"),
        event(3, "rest", "START", subject="s2"),
        event(4.5, "rest", "STOP", subject="s1"),
        event(9, "rest", "STOP", subject="s2"),
    )
    found = taken(path, text)
    assert sorted(rows(found)) == [
        ("a.mp4", "1", "4.5", "rest", "s1"),
        ("a.mp4", "2", "2", "call", "No focal subject"),
        ("a.mp4", "3", "9", "rest", "s2"),
    ]
    assert format_of(path) == "boris-events"
    assert dict(zip(found.table["label"], found.table.index, strict=True))["call"] == 3
    assert "modifiers of events 1" in notes(found)


def test_times_of_boris_8_go_on_over_files(tmp_path: Path) -> None:
    text = table_8(
        event(50, "rest", "START", file="a.mp4"),
        event(70.5, "rest", "STOP", file="b.mp4"),
        event(61.5, "call", "POINT", file="b.mp4"),
        source="player #1:a.mp4;b.mp4|player #2:c.mp4",
        durations="60.500;30.000|90.500",
    )
    assert sorted(rows(taken(tmp_path / "one.tsv", text))) == [
        ("a.mp4", "50", "60.5", "rest"),
        ("b.mp4", "0", "10", "rest"),
        ("b.mp4", "1", "1", "call"),
    ]


def test_mistakes_of_tabular_events_are_told_with_rows(tmp_path: Path) -> None:
    text = table_8(
        event(1, "rest", "START"),
        event(2, "rest", "START"),
        event(3, "walk", "STOP"),
        event(4, "walk", "BEGIN"),
        event(5, "call", "POINT", time="now"),
        event(6, "", "POINT"),
    )
    told = "\n".join(taken(tmp_path / "one.tsv", text).problems)
    assert "rows 2, 3: state 'rest' begins and has no STOP" in told
    assert "row 4: state 'walk' ends and has no START" in told
    assert "row 5: 'BEGIN' is not START, STOP, STATE or POINT" in told
    assert "row 6: time: 'now' is no time in seconds" in told
    assert "row 7: has no Behavior" in told


OLDER = """Observation id\tobservation #1\t\t\t\t\t\t\t
\t\t\t\t\t\t\t\t
Media file(s)\t\t\t\t\t\t\t\t
Player #1\tvideo.mp4\t\t\t\t\t\t\t
Observation date\t2016-11-27 01:57:26\t\t\t\t\t\t\t
Time offset (s)\t0.0\t\t\t\t\t\t\t
\t\t\t\t\t\t\t\t
Time\tMedia file path\tTotal length\tFPS\tSubject\tBehavior\tBehavioral category\tComment\tStatus
3.300\tvideo.mp4\t359.960\t25.0\tsubject1\ts\t\t\tSTART
7.750\tvideo.mp4\t359.960\t25.0\tsubject1\ts\t\t\tSTOP
9.900\tvideo.mp4\t359.960\t25.0\t\tp\t\t\tPOINT
"""


def test_tabular_events_of_boris_5_to_7(tmp_path: Path) -> None:
    found = taken(tmp_path / "one.tsv", OLDER)
    assert rows(found) == [
        ("video.mp4", "3.3", "7.75", "s", "subject1"),
        ("video.mp4", "9.9", "9.9", "p", "No focal subject"),
    ]
    assert list(found.table.index) == [9, 11]


AGGREGATED = (
    "Observation id,Observation date,Description,Observation type,Source,Time offset (s),"
    "Coding duration,Media duration (s),FPS (frame/s),Subject,"
    "Observation duration by subject by observation,Behavior,"
    "Behavioral category,Modifier #1,Behavior type,Start (s),Stop (s),Duration (s),Media file name,"
    "Image index start,Image index stop,Image file path start,Image file path stop,Comment start,"
    "Comment stop\n"
)


def test_aggregated_events(tmp_path: Path) -> None:
    start = (
        'one,2024-05-01 10:00:00,"a, b",Media file(s),player #1:dir/a.mp4,0.0,90,100.0,25.0,s1,90,'
    )
    text = (
        AGGREGATED
        + f"{start}rest,,,STATE,1.5,4.25,2.75,dir/a.mp4,37,106,NA,NA,,\n"
        + f"{start}call,,,POINT,5.0,5.0,NA,dir/a.mp4,125,125,NA,NA,,\n"
        + f"{start}rest,,,STATE,6.0,NA,NA,dir/a.mp4,150,,NA,NA,,\n"
    )
    found = taken(tmp_path / "events.csv", text)
    assert found.table.values.tolist() == [
        ["dir/a.mp4", "1.5", "4.25", "rest", "s1"],
        ["dir/a.mp4", "5", "5", "call", "s1"],
    ]
    (problem,) = found.problems
    assert "events.csv, row 4: start (s), stop (s): '6.0' to 'NA' is no time in seconds" in problem


def test_older_aggregated_events_of_several_files_are_told(tmp_path: Path) -> None:
    text = (
        "Observation id\tObservation date\tDescription\tMedia file\tTotal length\tFPS\tSubject\t"
        "Behavior\tBehavioral category\tModifiers\tBehavior type\tStart (s)\tStop (s)\tDuration (s)\n"
        "two\t2016\t\ta.mp4\t539.9\t25\tNo focal subject\ts\t\t\tSTATE\t1.800\t8.125\t6.325\n"
        "two\t2016\t\tb.mp4\t539.9\t25\tNo focal subject\ts\t\t\tSTATE\t227.7\t253.4\t25.7\n"
        "one\t2016\t\tc.mp4\t39.9\t25\tNo focal subject\tp\t\t\tPOINT\t2.5\t2.5\tNA\n"
    )
    found = taken(tmp_path / "events.tsv", text)
    assert found.table.values.tolist() == [["c.mp4", "2.5", "2.5", "p"]]
    (problem,) = found.problems
    assert (
        "rows 2, 3: observation 'two' has more files" in problem and "give the project" in problem
    )


# As BORIS 8.27.4 writes them


def test_files_that_boris_does_not_find_are_those_of_the_source(tmp_path: Path) -> None:
    """It looks for a time's file as if there were no offset, and finds none after the files' end."""
    text = table_8(
        event(110, "rest", "START", file="Not found"),
        event(162.04, "rest", "STOP", file="Not found"),
        event(165.04, "call", "POINT", file="Not found"),
        source="player #1:p1.mp4;p2.mp4",
        durations="60.040;30.000",
        offset="100.0",
    )
    found = taken(tmp_path / "queued.tsv", text)
    assert sorted(rows(found)) == [
        ("p1.mp4", "10", "60.04", "rest"),
        ("p2.mp4", "0", "2", "rest"),
        ("p2.mp4", "5", "5", "call"),
    ]
    assert "left out" not in notes(found)
    assert "with a time offset (one) BORIS leaves out what comes later if the" in notes(found)
    one = {"source": "player #1:a;b.mp4", "durations": "60.040", "offset": "10.0"}
    text = table_8(
        event(20, "rest", "START", file="a;b.mp4"),
        event(65, "rest", "STOP", file="Not found"),
        event(70.06, "call", "POINT", file="Not found"),
        **one,
    )
    assert rows(taken(tmp_path / "one.tsv", text)) == [
        ("a;b.mp4", "10", "55", "rest"),
        ("a;b.mp4", "60.06", "60.06", "call"),
    ]


def test_times_far_from_the_files_are_told(tmp_path: Path) -> None:
    far = event(1714557600, "call", "POINT", file="Not found")  # counted from when it was made
    (problem,) = taken(tmp_path / "far.tsv", table_8(far)).problems
    assert "row 2: observation 'one' has videos of 100 seconds, and this begins after" in problem
    (problem,) = taken(tmp_path / "no.tsv", table_8(far, durations="", source="")).problems
    assert "row 2: observation 'one' doesn't say which file it is of: give the project" in problem


def test_aggregated_events_with_an_offset(tmp_path: Path) -> None:
    start = (
        "off,2024-05-01 10:00:00.000,line,Media file,player #1:off.mp4,3600.0,9.000,60.040,25.000,"
    )
    text = (
        AGGREGATED
        + f'{start},10.5,"rest ""deep""",Not defined,,STATE,3601.000,3602.500,1.500,Not found,1,2,,,,\n'
        + f'{start},10.5,"call, loud",Not defined,,POINT,3610.000,3610.000,NA,Not found,2,2,,,"a\nb",\n'
    )
    assert rows(taken(tmp_path / "events.csv", text)) == [
        ("off.mp4", "1", "2.5", 'rest "deep"'),
        ("off.mp4", "10", "10", "call, loud"),
    ]


def test_the_offset_of_older_tables_is_above_them(tmp_path: Path) -> None:
    text = OLDER.replace("Time offset (s)\t0.0", "Time offset (s)\t3.0")
    assert rows(taken(tmp_path / "one.tsv", text))[0][:3] == ("video.mp4", "0.3", "4.75")


def test_what_an_interval_cuts_is_told(tmp_path: Path) -> None:
    text = table_8(event(1, "rest", "START"), event(2, "walk", "STOP"))
    told = "\n".join(taken(tmp_path / "one.tsv", text).problems)
    assert "begins and has no STOP; export it with the time interval 'Observed events'" in told
    assert "ends and has no START; export it with the time interval" in told


def test_variables_that_are_called_as_columns(tmp_path: Path) -> None:
    text = table_8(
        event(50, "rest", "START", file="a.mp4"),
        event(70.5, "rest", "STOP", file="b.mp4"),
        source="player #1:a.mp4;b.mp4",
        durations="60.500;30.000",
    )
    for name in ("source", "TIME", "media file"):
        named = text.replace("\tweather\t", f"\t{name}\t")
        assert rows(taken(tmp_path / "one.tsv", named))[1][:3] == ("b.mp4", "0", "10"), name


def test_a_variable_that_takes_the_place_of_a_column_is_told(tmp_path: Path) -> None:
    """BORIS then moves its values to the right of their header."""
    text = table_8(event(1, "call", "POINT", subject="s1"))
    moved = (
        text.replace("\tSubject\t", "\t")
        .replace("weather", "Subject")
        .replace("Comment", "Comment\t")
    )
    first, second = taken(tmp_path / "one.tsv", moved).problems
    assert "row 2" in first and "rename the variable and export again" in second


def test_what_is_not_there_is_not_told(tmp_path: Path) -> None:
    live = event(1, "call", "POINT", file="NA", source="NA", durations="NA")
    found = taken(tmp_path / "one.tsv", table_8(live))
    assert rows(found) == []
    assert notes(found).endswith("left out: events without a video (live, or of images) 1")
