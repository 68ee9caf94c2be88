"""Labels written for a program and read again: nothing is lost that its form can hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.formats.table import FORMATS
from data.formats.taken import Made
from data.videos.info import VideoInfo
from data.videos.times import nearest_frames
from tests.data.formats.reading import notes, rows, taken, taken_of
from tests.fuzz.drawn import few, many

RATES = st.sampled_from([24.0, 25.0, 29.97, 30000 / 1001, 59.94, 9.2, 1.0])
LABELS = st.sampled_from(["rest", "Möwe & <seal>", 'a "b", c', "1", "日本", "no one"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("written")


def again(folder: Path, made: Made):
    """What is read of files that were written."""
    place = folder / "files"
    for old in place.glob("*") if place.exists() else ():
        old.unlink()
    place.mkdir(exist_ok=True)
    if list(made.files) == [""]:
        return taken(place / "file", made.files[""])
    for name, text in made.files.items():
        (place / name).write_text(text, encoding="utf-8")
    return taken_of(place)


@st.composite
def times(draw: st.DrawFn) -> float:
    """Seconds: of hours, in fractions, those of frames and those between two of them."""
    rate, number = draw(RATES), draw(st.integers(0, 400_000))
    between = draw(st.sampled_from([0.0, 0.5, 0.25, 0.999]))
    return float(round((number + between) / rate, draw(st.sampled_from([0, 1, 3, 6]))))


@st.composite
def ranges(draw: st.DrawFn) -> pd.DataFrame:
    """Ranges of two videos; some touch, some have no length."""
    found = []
    for video in draw(st.sampled_from([["a"], ["a", "b c"]])):
        end = 0.0
        for _ in range(draw(st.integers(1, 5))):
            start = end + draw(st.sampled_from([0.0, 0.04, 1 / 3, 3600.0]))
            end = start + draw(times())
            found.append((video, round(start, 6), round(end, 6), draw(LABELS)))
            end += 1e-3
    return pd.DataFrame(found, columns=["video", "time_start", "time_end", "label"])


def wanted(table: pd.DataFrame) -> list[tuple[str, float, float, str]]:
    return sorted(table.itertuples(index=False, name=None))


@few
@given(table=ranges())
def test_boris_keeps_all_ranges(folder: Path, table: pd.DataFrame) -> None:
    made = FORMATS["boris"].write(table, {})
    points = set(table.loc[table["time_start"] == table["time_end"], "label"])
    lasting = set(table.loc[table["time_start"] != table["time_end"], "label"])
    renamed = points & lasting  # a behaviour of BORIS is one or the other
    assert bool(renamed) == any("(point)" in note for note in made.notes)
    found = again(folder, made)
    read = [
        (v, float(s), float(e), label.removesuffix(" (point)")) for v, s, e, label in rows(found)
    ]
    assert sorted(read) == wanted(table)


def test_boris_keeps_subjects_and_lengths(folder: Path) -> None:
    table = pd.DataFrame(
        [
            ("a", 1.0, 3.0, "rest", "s1"),
            ("a", 2.0, 4.0, "rest", "s2"),
            ("a", 3.0, 5.0, "rest", "s1"),
        ],
        columns=["video", "time_start", "time_end", "label", "subject"],
    )
    info = VideoInfo(Path("x/a.mp4"), np.arange(100) / 25, 25.0, 4, 4, "pyav")
    found = again(folder, FORMATS["boris"].write(table, {"a": info}))
    assert rows(found) == [
        ("a.mp4", "1", "3", "rest", "s1"),
        ("a.mp4", "2", "4", "rest", "s2"),
        ("a.mp4", "3", "5", "rest", "s1"),
    ]


@few
@given(table=ranges())
def test_via_keeps_all_ranges(folder: Path, table: pd.DataFrame) -> None:
    found = again(folder, FORMATS["via"].write(table, {}))
    assert sorted((v, float(s), float(e), label) for v, s, e, label in rows(found)) == wanted(table)


@few
@given(table=ranges())
def test_elan_keeps_all_ranges_to_the_millisecond(folder: Path, table: pd.DataFrame) -> None:
    made = FORMATS["elan"].write(table, {})
    exact = table.round({"time_start": 3, "time_end": 3})
    both = [one[["time_start", "time_end"]].to_numpy() for one in (table, exact)]
    same = bool(np.abs(both[0] - both[1]).max() < 1e-8)
    assert any("rounded to milliseconds" in note for note in made.notes) != same
    found = again(folder, made)
    read = sorted((v, float(s), float(e), label) for v, s, e, label in rows(found))
    assert read == sorted(set(wanted(exact)))


def test_elan_keeps_overlaps_and_subjects(folder: Path) -> None:
    table = pd.DataFrame(
        [
            ("a", 1.0, 3.0, "rest", "s1"),
            ("a", 2.0, 4.0, "rest", "s1"),
            ("a", 2.0, 4.0, "walk", "s2"),
        ],
        columns=["video", "time_start", "time_end", "label", "subject"],
    )
    assert sorted(rows(again(folder, FORMATS["elan"].write(table, {})))) == [
        ("a", "1", "3", "rest", "s1"),
        ("a", "2", "4", "rest", "s1"),
        ("a", "2", "4", "walk", "s2"),
    ]


@st.composite
def frames(draw: st.DrawFn) -> pd.DataFrame:
    keys = st.tuples(st.sampled_from(["a", "b c"]), st.integers(0, 300), LABELS)
    found = draw(st.lists(keys, min_size=1, max_size=8, unique=True))
    return pd.DataFrame(found, columns=["video", "frame", "label"])


@few
@given(table=frames(), program=st.sampled_from(["cvat", "deepethogram"]))
def test_programs_with_frames_keep_all_of_them(
    folder: Path, table: pd.DataFrame, program: str
) -> None:
    found = again(folder, FORMATS[program].write(table, {}))
    assert sorted((v, int(f), label) for v, f, label in rows(found)) == wanted(table)


def test_deepethogram_has_a_row_for_each_frame_of_the_video(folder: Path) -> None:
    info = VideoInfo(Path("a.mp4"), np.arange(5) / 25, 25.0, 4, 4, "pyav")
    table = pd.DataFrame([("a", 1, "walk")], columns=["video", "frame", "label"])
    made = FORMATS["deepethogram"].write(table, {"a": info})
    assert made.files == {
        "a_labels.csv": ",background,walk\n0,-1,-1\n1,0,1\n2,-1,-1\n3,-1,-1\n4,-1,-1\n"
    }


VIDEOS = pd.DataFrame(
    [
        ("site 1/a", "fox", "train", "n", "2024-05-31"),
        ("site 1/a", "Möwe", "train", "n", "2024-05-31"),
        ("b", "blank", "valid", "s", "2024-06-01"),
        ("c", "human", "test", "s", "2024-06-02"),
    ],
    columns=["video", "label", "split", "site", "date"],
)


def test_zamba_keeps_classes_splits_and_sites(folder: Path) -> None:
    infos = {"b": VideoInfo(Path("v/b.MP4"), np.arange(5) / 25, 25.0, 4, 4, "pyav")}
    made = FORMATS["zamba"].write(VIDEOS, infos)
    found = again(folder, made)
    assert rows(found) == [
        ("site 1/a", "fox", "train", "n"),
        ("site 1/a", "Möwe", "train", "n"),
        ("b.MP4", "blank", "valid", "s"),
        ("c", "human", "test", "s"),
    ]
    assert made.notes[0] == "left out: date, for which Zamba has no column"
    assert "3 names of videos have no ending" in made.notes[1]


def test_camtrap_dp_keeps_classes_sites_and_dates(folder: Path) -> None:
    infos = {
        name: VideoInfo(Path(f"v/{name}.MP4"), np.arange(5), 25.0, 4, 4, "pyav") for name in "bc"
    }
    infos["site 1/a"] = VideoInfo(Path("v/site 1/a.avi"), np.arange(5), 25.0, 4, 4, "pyav")
    made = FORMATS["camtrapdp"].write(VIDEOS, infos)
    found = again(folder, made)
    assert sorted(rows(found)) == [
        ("b.MP4", "blank", "s", "2024-06-01"),
        ("c.MP4", "human", "s", "2024-06-02"),
        ("site 1/a.avi", "Möwe", "n", "2024-05-31"),
        ("site 1/a.avi", "fox", "n", "2024-05-31"),
    ]
    assert "split" in "".join(made.notes) and "left out" not in notes(found)


def test_names_of_videos_do_not_lead_outside() -> None:
    table = pd.DataFrame(
        [("../../etc/x", 0, "a"), ("/x", 0, "a"), ("..", 0, "a"), ("a/b", 0, "a"), ("a_b", 0, "a")],
        columns=["video", "frame", "label"],
    )
    names = list(FORMATS["deepethogram"].write(table, {}).files)
    assert len(set(names)) == 5
    assert not [name for name in names if "/" in name or "\\" in name or name.startswith(".")]


@many
@given(rate=RATES, number=st.integers(0, 200_000))
def test_the_time_of_a_frame_comes_back_as_that_frame(rate: float, number: int) -> None:
    """ELAN counts milliseconds, BORIS and VIA microseconds: a frame's time is nearest to it in all."""
    around = (np.arange(max(number - 2, 0), number + 3)) / rate
    for digits in (3, 6):
        at = nearest_frames(around, np.array([round(number / rate, digits)]))[0]
        assert around[at] == number / rate
