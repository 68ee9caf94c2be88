"""Reading ahead in a thread."""

import pytest

from data.prefetch import prefetched


def test_what_goes_wrong_in_the_background_is_raised_in_front():
    def items():
        yield 1
        raise OSError("the disk is gone")

    taken = []
    with pytest.raises(OSError, match="disk is gone"):
        for item in prefetched(items()):
            taken.append(item)
    assert taken == [1]


def test_reading_ahead_stops_when_nobody_takes_any_more():
    made = []

    def items():
        for number in range(1000):
            made.append(number)
            yield number

    stream = prefetched(items())
    assert [next(stream), next(stream)] == [0, 1]
    stream.close()
    assert len(made) < 10
