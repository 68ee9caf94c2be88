"""What befalls the machine that a search runs on."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import time
from collections.abc import Callable

import psutil

from tests.chaos.files import cache_is_deleted
from tests.chaos.harm import Harmed, Met, done


def disk_is_full(search: Harmed) -> Met:
    """For some seconds; the search's folders are on a small disk of their own (`suite.small_disk`)."""
    if shutil.disk_usage(search.storage).total > 1e9:  # never that of the machine
        return done(False)
    filler = search.results.parent / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(1 << 16))
    time.sleep(4)
    filler.unlink(missing_ok=True)
    return done(search.process.poll() is None)


def memory_is_short(search: Harmed) -> Met:
    """A worker gets no more for some seconds."""
    return _limited(search, psutil.RLIMIT_AS, lambda one: one.memory_info().vms)


def descriptors_are_short(search: Harmed) -> Met:
    """A worker can open no more files for some seconds."""
    return _limited(search, psutil.RLIMIT_NOFILE, lambda one: one.num_fds())


def _limited(search: Harmed, what: int, used: Callable[[psutil.Process], int]) -> Met:
    for one in search.workers()[:1]:
        with contextlib.suppress(psutil.NoSuchProcess):
            soft, hard = one.rlimit(what)
            one.rlimit(what, (used(one), hard))
            time.sleep(4)
            one.rlimit(what, (soft, hard))
            return done(True)
    return done(False)


def videos_are_away(search: Harmed) -> Met:
    """For some seconds, and all that was stored of them is gone."""
    away = search.videos.with_name(f"{search.videos.name}.away")
    search.videos.rename(away)
    met = cache_is_deleted(search)
    time.sleep(4)
    away.rename(search.videos)
    return met


def times_of_files_lie_ahead(search: Harmed) -> Met:
    """As where the clock was set back, or a file server has another one."""
    for path in (*search.storage.rglob("*"), *search.cache.rglob("*")):
        with contextlib.suppress(FileNotFoundError):
            os.utime(path, (time.time() + 3600,) * 2)
    return done(search.process.poll() is None)


def results_are_locked(search: Harmed) -> Met:
    """By another program, for some seconds."""
    with contextlib.suppress(sqlite3.Error):
        other = sqlite3.connect(search.results, timeout=5, isolation_level=None)
        with contextlib.closing(other):
            other.execute("BEGIN EXCLUSIVE")
            time.sleep(6)
            other.execute("ROLLBACK")
        return done(search.process.poll() is None)
    return done(False)
