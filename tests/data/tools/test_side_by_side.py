"""Work on several things at a time, and its end when nobody waits for it."""

from __future__ import annotations

import threading
import time

import pytest

from data.tools.side_by_side import Stopped, side_by_side


def test_each_is_done_and_told_with_its_number_and_several_at_a_time():
    together = threading.Barrier(3, timeout=20)

    def work(item: int, alive: object) -> int:
        together.wait()
        return item**2

    assert dict(side_by_side(work, range(6), 3)) == {number: number**2 for number in range(6)}
    assert [*side_by_side(work, [], 3)] == []


@pytest.mark.parametrize("fails", [True, False])
def test_when_one_fails_or_nobody_wants_more_the_others_end(fails: bool):
    begun, ended = threading.Event(), []

    def work(item: int, alive) -> int:
        if item == 0:
            begun.wait(20)
            if fails:
                raise OSError("the disk is gone")
            return 0
        begun.set()
        deadline = time.monotonic() + 20
        try:
            while time.monotonic() < deadline:
                alive()
                time.sleep(0.01)
        except Stopped:
            ended.append(item)
            raise
        raise AssertionError("nobody has stopped it")

    results = side_by_side(work, range(4), 2)
    if fails:
        with pytest.raises(OSError, match="the disk is gone"):
            next(results)
    else:
        assert next(results) == (0, 0)
        results.close()
    assert 1 in ended and 3 not in ended
