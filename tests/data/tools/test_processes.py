"""Processes that do one job after the other: crashes and hangs end a job, not the others."""

from __future__ import annotations

import time

import pytest

from data.tools.checking.processes import Failed, Job, run


def job(function: str, argument: int = 0, seconds: float = 60, silence: float = 60) -> Job:
    return Job(f"tests.data.tools.jobs:{function}", argument, seconds, silence)


def results(*jobs: Job, processes: int = 2) -> list[object]:
    found = dict(run(jobs, processes, lambda number, share: None))
    assert sorted(found) == [*range(len(jobs))]
    return [found[number] for number in range(len(jobs))]


def test_all_jobs_are_done():
    assert results(*(job("square", number) for number in range(7))) == [n**2 for n in range(7)]


def test_no_jobs():
    assert results() == []


@pytest.mark.parametrize(
    ("function", "reason"), [("crash", "SIGABRT"), ("leave", "status 3"), ("fail", "no such thing")]
)
def test_one_that_crashes_is_told_and_the_others_are_done(function: str, reason: str):
    first, last, *others = results(job(function), job(function), *(job("square", 2),) * 4)
    for found in (first, last):
        assert isinstance(found, Failed) and reason in found.reason
    assert others == [4] * 4


def test_one_that_hangs_is_given_up():
    start = time.monotonic()
    hung, done = results(job("hang", silence=1.5), job("square", 3), processes=1)
    assert hung == Failed("the decoder hangs: no frame came for 2 seconds") and done == 9
    assert time.monotonic() - start < 15


def test_one_that_never_ends_is_given_up():
    start = time.monotonic()
    (found,) = results(job("go_round", seconds=2))
    assert time.monotonic() - start < 15
    assert isinstance(found, Failed) and "longer than 2 seconds" in found.reason


def test_how_far_it_is_is_told():
    shares = []
    list(run([job("square", 1)], 1, lambda number, share: shares.append((number, share))))
    assert shares == [(0, 0.5)]


def test_processes_end_with_the_work():
    work = run([job("square", 1), job("hang")], 2, lambda number, share: None)
    next(work)
    start = time.monotonic()
    work.close()
    assert time.monotonic() - start < 10
