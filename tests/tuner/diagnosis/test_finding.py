"""No check stops the others, and none waits for ever."""

from __future__ import annotations

import threading

import pytest

from tuner.diagnosis.finding import Asked, Check, ok, run, warning, worst, wrong


def looked(*checks: Check, long: float = 5) -> tuple[list, list[str]]:
    lines: list[str] = []
    return list(run(checks, Asked(), lines.append, long=long)), lines


def fine(asked):
    yield ok("all is well")


@pytest.mark.parametrize("error", [ValueError("two\n  lines"), KeyError("x"), SystemExit(3)])
def test_a_check_that_fails_is_a_finding_and_the_next_one_goes_on(error):
    def fails(asked):
        yield ok("the first part")
        raise error

    findings, _ = looked(Check("a", "first", fails), Check("b", "second", fine))
    assert [f.state for f in findings] == ["ok", "warning", "ok"]
    assert findings[1].found.startswith(f"could not be checked: {type(error).__name__}: ")
    assert "\n" not in findings[1].found and findings[1].advice
    assert (findings[2].group, findings[2].name) == ("b", "second")


def test_a_check_that_hangs_is_given_up_with_its_advice():
    end = threading.Event()

    def hangs(asked):
        end.wait()
        yield ok("never")

    check = Check("disks", "cache", hangs, "ask whoever runs the file server", seconds=0.2)
    findings, lines = looked(check, Check("b", "second", fine), long=0.1)
    end.set()
    assert findings[0].state == "wrong" and "no answer within 0.2 s" in findings[0].found
    assert findings[0].advice == "ask whoever runs the file server"
    assert findings[1].state == "ok"
    assert len(lines) == 1 and "looking at cache" in lines[0]


def test_a_finding_may_have_a_name_of_its_own():
    findings, _ = looked(Check("disks", "disks", lambda asked: [ok("room", "cache"), ok("all")]))
    assert [(f.group, f.name) for f in findings] == [("disks", "cache"), ("disks", "disks")]


def test_the_worst_of_several():
    assert worst([]) == "ok"
    assert worst([ok("a"), warning("b", "c")]) == "warning"
    assert worst([wrong("a", "b"), warning("b", "c"), ok("d")]) == "wrong"
