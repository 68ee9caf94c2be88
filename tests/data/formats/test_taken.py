"""What is taken of a file, as the table that our own label files give."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.cells.numbers import frame_numbers, parse_time
from data.cells.text import look_through
from data.errors import DataError
from data.formats import taken as module
from data.formats.taken import RANGE, Gathered, Taken, seconds, whole_number, written
from tests.fuzz.drawn import many

TEXT = "video,frame,label\na,3,x\na,a_0007.jpg,y\nb,3,x\nb,-1,x\n"


def test_a_table_is_read_as_the_same_one_in_a_file_of_our_own() -> None:
    rows = [line.split(",") for line in TEXT.split()]
    table = pd.DataFrame(rows[1:], columns=rows[0], index=range(2, 6))
    ours = look_through(Path("x.csv"), TEXT.encode()).read({"frame": frame_numbers})
    theirs = Taken("x", table).read({"frame": frame_numbers})
    pd.testing.assert_frame_equal(
        theirs[list(ours)], ours, check_index_type=False, check_dtype=False
    )
    assert all(theirs[name].dtype == "category" for name in rows[0])


def test_columns_by_other_names() -> None:
    found = Taken("x", pd.DataFrame({"a": ["1"], "b": ["2"]})).named(["video", None])
    assert found.header == found.names == ["video"] and found.read().values.tolist() == [["1"]]


def test_the_same_mistake_of_many_rows_is_told_once() -> None:
    gathered = Gathered("x", Path("f"), RANGE)
    for row in range(2, 100):
        gathered.wrong(row, "is odd")
    gathered.wrong(100, "is even")
    assert gathered.done("rows").problems == [
        "f, rows 2, 3, 4, 5, 6 and 93 more: is odd",
        "f, row 100: is even",
    ]


def test_more_rows_than_any_program_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_ROWS", 2)
    gathered = Gathered("x", Path("f"), ["label"])
    with pytest.raises(DataError, match="has more than 2 labels"):
        for row in range(3):
            gathered.add(row, str(row))


@many
@given(time=st.floats(0, 1e9, allow_nan=False))
def test_times_are_written_to_the_microsecond(time: float) -> None:
    assert abs(parse_time(written(time)) - time) <= 5.1e-7 + time * 1e-15
    assert "e" not in written(time)


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        *((3, 3.0), (2.5, 2.5), ("2.5", 2.5), ("2,5", 2.5), (" 7 ", 7.0), ("-1", -1.0)),
        *((True, None), (None, None), ([], None), ("", None), ("x", None), ("nan", None)),
        *(("inf", None), ("1e400", None), (10**400, None), (2e9, None), (float("nan"), None)),
    ],
)
def test_numbers_of_seconds(value: object, wanted: float | None) -> None:
    assert seconds(value) == wanted


def test_frame_numbers() -> None:
    numbers = [whole_number(value) for value in (3, "3", "3.0", 3.0, -1, "1.5", "x", None)]
    assert numbers == [3, 3, 3, 3, None, None, None, None]
