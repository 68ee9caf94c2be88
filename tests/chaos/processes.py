"""What befalls a search's processes."""

from __future__ import annotations

import signal
import time
from collections.abc import Sequence

import psutil

from tests.chaos.harm import Harmed, Met, done, kill


def worker_is_killed(search: Harmed) -> Met:
    return done(kill(*search.workers()[:1]))


def all_workers_are_killed(search: Harmed) -> Met:
    return done(kill(*search.workers()))


def worker_stands_still(search: Harmed) -> Met:
    return _still(search.workers()[:1], 3)


def search_stands_still(search: Harmed) -> Met:
    return _still([search.process], 3)


def raylet_stands_still(search: Harmed) -> Met:
    return _still(search.part("raylet"), 4)


def _still(processes: Sequence[psutil.Process], seconds: float) -> Met:
    met = kill(*processes, number=signal.SIGSTOP)
    time.sleep(seconds)
    kill(*processes, number=signal.SIGCONT)
    return done(met)


def search_is_killed(search: Harmed) -> Met:
    return done(kill(search.process))


def power_is_cut(search: Harmed) -> Met:
    return done(search.stop())


def search_is_told_to_end(search: Harmed) -> Met:
    return done(kill(search.process, number=signal.SIGTERM))


def terminal_is_closed(search: Harmed) -> Met:
    return done(kill(search.process, number=signal.SIGHUP))


def raylet_is_killed(search: Harmed) -> Met:
    return done(kill(*search.part("raylet")))


def gcs_is_killed(search: Harmed) -> Met:
    return done(kill(*search.part("gcs_server")))


def worker_crashes(search: Harmed) -> Met:
    return done(kill(*search.workers()[-1:], number=signal.SIGSEGV))


def search_is_started_twice(search: Harmed) -> Met:
    """From another storage, over the same results; it is met where the second one is refused."""
    if search.process.poll() is not None:
        return done(False)
    other = search.results.with_name("other")
    results = f"results=sqlite:///{search.results}"
    second = search.again("--set", f"storage={other}", "--set", results)
    try:
        return done(second.wait(120) == 2)
    except psutil.TimeoutExpired:
        kill(second, *second.children(recursive=True))
        return done(False)
