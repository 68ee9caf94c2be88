"""BORIS: projects, as versions 5 to 9 write them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from data import load
from data.tools import convert
from tests.data.formats.reading import format_of, notes, refused, rows, taken

ETHOGRAM = {
    "0": {"type": "Point event", "code": "call", "key": "c", "modifiers": ""},
    "1": {"type": "State event", "code": "rest", "key": "r", "modifiers": ""},
    "2": {"type": "State event with coding map", "code": "grüßen", "key": "g", "modifiers": ""},
    "3": {"type": "Point event with coding map", "code": "touch", "key": "t", "modifiers": ""},
}


def observation(events: list[list[Any]], **more: Any) -> dict[str, Any]:
    files = {"1": ["/home/a/videos/a.mp4"], "2": []}
    info = {"length": {"/home/a/videos/a.mp4": 100.0}, "fps": {"/home/a/videos/a.mp4": 25.0}}
    return {
        "type": "MEDIA",
        "file": files,
        "time offset": 0.0,
        "events": events,
        "media_info": info,
        **more,
    }


def project(**observations: dict[str, Any]) -> str:
    return json.dumps(
        {
            "time_format": "hh:mm:ss",
            "project_name": "x",
            "project_format_version": "7.0",
            "behaviors_conf": ETHOGRAM,
            "observations": observations,
        }
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "project.boris"


A = "/home/a/videos/a.mp4"


def test_states_are_paired_and_points_have_no_length(path: Path) -> None:
    events = [
        [2.0, "", "rest", "", ""],
        [3.5, "", "call", "", "", 87],
        [7.25, "", "rest", "", "stood up"],
        [7.25, "", "rest", "", ""],
        [3600.04, "", "rest", "", ""],
    ]
    found = taken(path, project(one=observation(events)))
    assert sorted(rows(found)) == [
        (A, "2", "7.25", "rest"),
        (A, "3.5", "3.5", "call"),
        (A, "7.25", "3600.04", "rest"),
    ]
    assert format_of(path) == "boris"
    assert "BORIS project: 3 state and point events of 1 videos, 2 classes" in notes(found)
    assert "left out: comments of events 1" in notes(found)


def test_several_subjects_and_modifiers_are_paired_apart(path: Path) -> None:
    events = [
        [1, "seal 1", "rest", "", ""],
        [2, "seal 2", "rest", "", ""],
        [3, "seal 1", "rest", "", ""],
        [4, "seal 2", "rest", "", ""],
        [5, "", "grüßen", "left|None", ""],
        [6, "", "grüßen", "None|None", ""],
        [7, "", "grüßen", "left|None", ""],
        [8, "", "grüßen", "None|None", ""],
    ]
    found = taken(path, project(one=observation(events)))
    assert rows(found) == [
        (A, "1", "3", "rest", "seal 1"),
        (A, "2", "4", "rest", "seal 2"),
        (A, "5", "7", "grüßen", "No focal subject"),
        (A, "6", "8", "grüßen", "No focal subject"),
    ]
    assert "modifiers of events 2" in notes(found) and "seal 1, seal 2" in notes(found)


def test_events_in_any_order_are_sorted(path: Path) -> None:
    events = [[9, "", "rest", "", ""], [2, "", "rest", "", ""]]
    assert rows(taken(path, project(one=observation(events)))) == [(A, "2", "9", "rest")]


def test_media_one_after_the_other_and_states_across_them(path: Path) -> None:
    info = {"length": {"a.mp4": 60.04, "b.mp4": 30.0}}
    events = [
        [50, "", "rest", "", ""],
        [70.04, "", "rest", "", ""],
        [60.04, "", "call", "", ""],
        [80, "", "call", "", ""],
        [75, "", "grüßen", "", ""],
        [81, "", "grüßen", "", ""],
    ]
    files = {"1": ["a.mp4", "b.mp4"], "2": ["other.mp4"]}
    found = taken(path, project(one=observation(events, file=files, media_info=info)))
    assert sorted(rows(found)) == [
        ("a.mp4", "50", "60.04", "rest"),
        ("b.mp4", "0", "0", "call"),
        ("b.mp4", "0", "10", "rest"),
        ("b.mp4", "14.96", "20.96", "grüßen"),
        ("b.mp4", "19.96", "19.96", "call"),
    ]
    assert "labels are of the first player, not of other.mp4" in notes(found)


STATE = [[1, "", "rest", "", ""], [3, "", "rest", "", ""], [9.5, "", "call", "", ""]]


def two_players(files: Any = ("b.mp4",), length: Any = 8, offset: float = 0.0) -> dict[str, Any]:
    return observation(
        STATE,
        file={"1": ["a.mp4"], "2": list(files), "3": []},
        media_info={
            "length": {"a.mp4": 10.0, "b.mp4": length},
            "offset": {"1": 0.0, "2": offset},
        },
    )


def test_a_second_player_has_the_labels_too_as_far_as_it_goes(path: Path) -> None:
    found = taken(path, project(one=two_players()))
    assert rows(found) == [
        ("a.mp4", "1", "3", "rest"),
        ("b.mp4", "1", "3", "rest"),
        ("a.mp4", "9.5", "9.5", "call"),  # after the end of b
    ]
    assert "labels are also of what other players show at the same time, b.mp4: keep" in notes(
        found
    )
    assert found.spare == {"b.mp4"}
    (start, end), shorter = STATE[:2], two_players(length=2)
    assert rows(taken(path, project(one={**shorter, "events": [start, end]})))[1][:3] == (
        *("b.mp4", "1", "2"),
    )


@pytest.mark.parametrize(
    "more", [{"offset": 1.5}, {"files": ("b.mp4", "c.mp4")}, {"length": None}, {"length": "NA"}]
)
def test_other_second_players_are_left_out_and_told(path: Path, more: dict[str, Any]) -> None:
    found = taken(path, project(one=two_players(**more)))
    assert {row[0] for row in rows(found)} == {"a.mp4"}
    assert "labels are of the first player, not of b.mp4" in notes(found)


def test_the_offset_of_a_second_player_of_older_projects(path: Path) -> None:
    one = {**two_players(), "time offset second player": 1.5}
    del one["media_info"]["offset"]
    assert {row[0] for row in rows(taken(path, project(one=one)))} == {"a.mp4"}
    one["time offset second player"] = 0.0
    assert {row[0] for row in rows(taken(path, project(one=one)))} == {"a.mp4", "b.mp4"}


def test_a_second_player_with_an_observation_of_its_own_has_its_labels(path: Path) -> None:
    own = observation(STATE[2:], file={"1": ["b.mp4"]}, media_info={"length": {"b.mp4": 10}})
    found = taken(path, project(one=two_players(), two=own))
    assert [row for row in rows(found) if row[0] == "b.mp4"] == [("b.mp4", "9.5", "9.5", "call")]


def test_a_second_player_that_is_not_among_the_videos_is_left_out(path: Path, make_video) -> None:
    for name in ("a", "d"):
        make_video(path.parent / "v" / f"{name}.mp4", numbers=range(100))
    calls = observation(
        [*STATE[:2], [5, "", "call", "", ""]],
        file={"1": ["d.mp4"]},
        media_info={"length": {"d.mp4": 10.0}},
    )
    path.write_text(project(one=two_players(), two=calls))
    dataset = load(path.parent / "v", path)
    assert sorted(dataset.videos) == ["a.mp4", "d.mp4"]
    said = "left out: labels of b.mp4, which are not among the videos"
    assert any(said in warning for warning in dataset.warnings)
    found = convert.read(path, path.parent / "v")
    assert set(found.table["video"]) == {"a.mp4", "d.mp4"} and said in notes(found)


def test_the_time_offset_is_taken_away(path: Path) -> None:
    events = [[3605.5, "", "rest", "", ""], [3607, "", "rest", "", ""], [3599, "", "call", "", ""]]
    found = taken(path, project(one=observation(events, **{"time offset": 3600})))
    assert found.table.values.tolist() == [[A, "5.5", "7", "rest"]]
    (problem,) = found.problems
    assert "event 3 of 'one': starts before its video, 1.000 seconds" in problem


def test_live_observations_and_those_of_images_are_left_out(path: Path) -> None:
    live = observation([[1, "", "rest", "", ""]], type="LIVE", file=[])
    images = observation([[1, "", "rest", "", "", 3, "a.jpg"]], type="IMAGES", file={})
    one = observation([[1, "", "call", "", ""]])
    found = taken(path, project(live=live, images=images, one=one))
    assert rows(found) == [(A, "1", "1", "call")]
    assert "IMAGES observations, which have no video 1, LIVE observations" in notes(found)


def made(media: list[str], created: dict[str, float], *events: list[Any]) -> dict[str, Any]:
    """An observation with the media creation date as offset, as BORIS 8.27.4 saves it."""
    info = {"length": dict.fromkeys(media, 60.04), "media_creation_time": created}
    more = {"media_creation_date_as_offset": True, "media_info": info}
    return observation([*events], file={"1": media}, **more)


def test_times_that_count_from_when_a_video_was_made(path: Path) -> None:
    events = [[1714557601.5, "", "rest", "", "", 37], [1714557603.123, "", "rest", "", "", "NA"]]
    for file, key in [(A, A), ("v/a.mp4", "/home/a/v/a.mp4"), ("v\\a.mp4", "C:\\x\\v\\a.mp4")]:
        one = made([file], {key: 1714557600, "/home/a/vv/a.mp4": 1}, *events)
        assert rows(taken(path, project(one=one))) == [(file, "1.5", "3.123", "rest")]
    (problem,) = taken(path, project(one=made(["a.mp4"], {"/b.mp4": 1}, *events))).problems
    assert "which the project does not say" in problem
    # To times in b.mp4, BORIS adds when b.mp4 was made, and the length of a.mp4.
    several = made(["a.mp4", "b.mp4"], {"/a.mp4": 1714557600, "/b.mp4": 1714557660}, *events)
    (problem,) = taken(path, project(one=several)).problems
    assert "observation 'one': its times count from when each of its files was made" in problem


def test_a_time_offset_may_be_a_date(path: Path) -> None:
    events = [[1714557601.5, "", "call", "", ""]]
    one = observation(events, **{"time offset": 1714557600.0})
    assert rows(taken(path, project(one=one))) == [(A, "1.5", "1.5", "call")]


def test_file_names_keep_their_blanks(path: Path) -> None:
    info = {"length": {"v/x  y.mp4": 10.0, "b.mp4": 10.0}}
    files = {"1": ["v/x  y.mp4", "b.mp4"]}
    one = observation([[1, "", "call", "", ""]], file=files, media_info=info)
    assert rows(taken(path, project(one=one))) == [("v/x  y.mp4", "1", "1", "call")]


def test_observations_of_the_oldest_projects_are_told(path: Path) -> None:
    one = observation([[1, "", "call", "", ""]], type="VIDEO", file=[A])
    (problem,) = taken(path, project(one=one)).problems
    assert "observation 'one' is of a type 'VIDEO', which BORIS before 4 wrote; open" in problem


def test_what_is_wrong_with_events_is_told_with_observation_and_number(path: Path) -> None:
    events = [
        [1, "", "rest", "", ""],
        [2, "", "sing", "", ""],
        [3, "", "sing", "", ""],
        ["x", "", "rest", "", ""],
        "event",
        [None, "", "call", "", ""],
    ]
    found = taken(path, project(one=observation(events), two="x", three=observation([], file={})))
    told = "\n".join(found.problems)
    assert (
        f"{path}, event 1 of 'one': state 'rest' of No focal subject begins at 1 and has no end"
        in told
    )
    assert "events 2 of 'one', 3 of 'one': behaviour 'sing' is not in the ethogram" in told
    assert "events 4 of 'one', 5 of 'one', 6 of 'one': is no list of time, subject" in told
    assert "observation 'two' is no object" in told and len(found.problems) == 4


def test_media_without_lengths_are_told(path: Path) -> None:
    files = {"1": ["a.mp4", "b.mp4"]}
    one = observation([[1, "", "call", "", ""]], file=files, media_info={})
    (problem,) = taken(path, project(one=one)).problems
    assert "observation 'one' has several files one after the other, and not how long" in problem


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"project_format_version": "7.0", "observations": {"a": ', "not JSON: Expecting value"),
        ('{"behaviors_conf": {}}', "is no BORIS project: it has no 'observations'"),
        ('{"behaviors_conf": ' + "[" * 100_000, "nested deeper than any program writes"),
        ('{"behaviors_conf": ' + "9" * 10_000 + "}", "a number of thousands of digits"),
    ],
    ids=["cut", "without observations", "deep", "digits"],
)
def test_files_that_are_no_project(path: Path, content: str, words: str) -> None:
    told = refused(path, content)
    assert str(path) in told and words in told
