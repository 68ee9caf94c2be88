"""Times of label files: what is written is read, and nothing else is."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.cells.numbers import parse_time
from tests.fuzz.drawn import many

MILLISECONDS = st.integers(0, 1000 * 3600 * 1000)


def clock(milliseconds: int, comma: str = ".") -> str:
    seconds, rest = divmod(milliseconds, 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{comma}{rest:03}"


@many
@given(MILLISECONDS, st.sampled_from([".", ","]))
def test_a_clock_is_read_as_it_was_written(milliseconds: int, comma: str) -> None:
    seconds = parse_time(clock(milliseconds, comma))
    assert round(seconds * 1000) == milliseconds
    assert clock(round(seconds * 1000), comma) == clock(milliseconds, comma)


@many
@given(MILLISECONDS)
def test_seconds_and_a_clock_mean_the_same(milliseconds: int) -> None:
    assert parse_time(str(milliseconds / 1000)) == pytest.approx(parse_time(clock(milliseconds)))


@many
@given(MILLISECONDS, MILLISECONDS)
def test_a_later_time_is_larger(one: int, other: int) -> None:
    times = [parse_time(clock(time)) for time in sorted((one, other))]
    assert times == sorted(times) and (times[0] < times[1]) == (one != other)


@many
@given(st.text("0123456789:.,-+einfa １٣²\n", max_size=12) | st.text(max_size=12))
def test_any_text_is_a_time_or_refused_in_a_few_words(text: str) -> None:
    try:
        seconds = parse_time(text)
    except ValueError as error:
        assert 0 < len(str(error)) < 100
    else:
        assert 0 <= seconds < math.inf and any(map(str.isdigit, text))


@pytest.mark.parametrize(
    "text",
    [
        *("9" * 400 + ":00:00", "9" * 5000 + ":00:00", "9" * 400, "." + "9" * 400 + "e9", "1e400"),
        *(
            "nan",
            "inf",
            "-inf",
            "infinity",
            "-1",
            "-0:01",
            "+1",
            "1_000",
            "0x10",
            "²",
            "1:2:3:4",
            "",
        ),
        *(
            "0:60",
            "60:00",
            "0:0:60",
            "0:59.99999999999999999999",
            "1:",
            ":1",
            "1::2",
            "1 2",
            "1\n2",
        ),
    ],
    ids=lambda text: text[:12],
)
def test_what_is_no_time_of_a_video_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^(is|has) .{10,80}$"):
        parse_time(text)


def test_digits_of_other_scripts_have_their_value() -> None:
    assert parse_time("\uff11\uff12:\u0663\u0664") == 12 * 60 + 34
