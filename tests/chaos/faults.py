"""What befalls a search: one function a kind, each does its harm to a search that runs or has stopped.

A kind that ends the search's process is followed by the same command with ``--resume``.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from tests.chaos.harm import Harmed, cut, flip, kill

Fault = Callable[[Harmed], object]


def worker_is_killed(search: Harmed) -> None:
    for one in search.workers()[:1]:
        kill(one)


def all_workers_are_killed(search: Harmed) -> None:
    for one in search.workers():
        kill(one)


def worker_stands_still(search: Harmed) -> None:
    for one in search.workers()[:1]:
        kill(one, signal.SIGSTOP)
        time.sleep(3)
        kill(one, signal.SIGCONT)


def search_stands_still(search: Harmed) -> None:
    kill(search.process, signal.SIGSTOP)
    time.sleep(3)
    kill(search.process, signal.SIGCONT)


def search_is_killed(search: Harmed) -> None:
    kill(search.process)


def power_is_cut(search: Harmed) -> None:
    search.stop()


def search_is_told_to_end(search: Harmed) -> None:
    kill(search.process, signal.SIGTERM)


def terminal_is_closed(search: Harmed) -> None:
    kill(search.process, signal.SIGHUP)


def raylet_is_killed(search: Harmed) -> None:
    for one in search.part("raylet"):
        kill(one)


def bits_of_features_flip(search: Harmed) -> None:
    flip(search.one(search.cache / "features", "*.npy"), search.draw)


def features_are_cut(search: Harmed) -> None:
    cut(search.one(search.cache / "features", "*.npy"), search.draw)


def features_are_those_of_another_video(search: Harmed) -> None:
    one, other = (search.one(search.cache / "features", "*.npy") for _ in range(2))
    if one and other and one != other:
        part = one.with_name(f"{one.name}.other")
        shutil.copyfile(other, part)
        os.replace(part, one)


def bits_of_frames_flip(search: Harmed) -> None:
    flip(search.one(search.cache / "frames", "*.npy"), search.draw)


def cache_is_deleted(search: Harmed) -> None:
    for path in search.cache.rglob("*.npy"):
        path.unlink(missing_ok=True)


def power_is_cut_and_bits_of_a_checkpoint_flip(search: Harmed) -> None:
    search.stop()
    flip(search.one(search.storage, "last.pt"), search.draw)


def power_is_cut_and_a_checkpoint_is_cut(search: Harmed) -> None:
    search.stop()
    cut(search.one(search.storage, "last.pt"), search.draw)


def power_is_cut_and_a_checkpoint_is_empty(search: Harmed) -> None:
    search.stop()
    if path := search.one(search.storage, "last.pt"):
        path.write_bytes(b"")


def power_is_cut_and_the_model_of_a_checkpoint_is_gone(search: Harmed) -> None:
    search.stop()
    if path := search.one(search.storage, "last.pt"):
        path.with_name("best.pt").unlink(missing_ok=True)


def power_is_cut_and_the_model_of_a_checkpoint_is_damaged(search: Harmed) -> None:
    search.stop()
    if path := search.one(search.storage, "last.pt"):
        flip(path.with_name("best.pt"), search.draw)


def writers_leave_their_parts(search: Harmed) -> None:
    """As writers that were killed an hour ago do, of a trial that has not ended."""
    if path := search.one(search.storage, "last.pt"):
        left = path.with_name(f".{path.name}.0123456789abcdef.tmp")
        left.write_bytes(b"half")
        os.utime(left, (time.time() - 3600,) * 2)


def history_is_deleted(search: Harmed) -> None:
    if path := search.one(search.storage, "fit_history.csv"):
        path.unlink(missing_ok=True)


def results_are_deleted(search: Harmed) -> None:
    if search.process.poll() is None:
        for ending in ("", "-wal", "-shm"):
            Path(f"{search.results}{ending}").unlink(missing_ok=True)


def results_are_damaged(search: Harmed) -> None:
    """Its first pages are overwritten; where nobody has them in memory, nothing would help."""
    if search.process.poll() is None and search.results.exists():
        with search.results.open("rb+") as file:
            file.write(b"\xff" * 8192)


def gcs_is_killed(search: Harmed) -> None:
    for one in search.part("gcs_server"):
        kill(one)


def raylet_stands_still(search: Harmed) -> None:
    for one in search.part("raylet"):
        kill(one, signal.SIGSTOP)
        time.sleep(4)
        kill(one, signal.SIGCONT)


def worker_crashes(search: Harmed) -> None:
    for one in search.workers()[-1:]:
        kill(one, signal.SIGSEGV)


def disk_is_full(search: Harmed) -> None:
    """For some seconds; the search's folders are on a small disk of their own (`suite.small_disk`)."""
    if shutil.disk_usage(search.storage).total > 1e9:  # never that of the machine
        return
    filler = search.results.parent / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(1 << 16))
    time.sleep(4)
    filler.unlink(missing_ok=True)


def memory_is_short(search: Harmed) -> None:
    """A worker gets no more for some seconds."""
    _limited(search, psutil.RLIMIT_AS, lambda one: one.memory_info().vms)


def descriptors_are_short(search: Harmed) -> None:
    """A worker can open no more files for some seconds."""
    _limited(search, psutil.RLIMIT_NOFILE, lambda one: one.num_fds())


def _limited(search: Harmed, what: int, used: Callable[[psutil.Process], int]) -> None:
    for one in search.workers()[:1]:
        with contextlib.suppress(psutil.NoSuchProcess):
            soft, hard = one.rlimit(what)
            one.rlimit(what, (used(one), hard))
            time.sleep(4)
            one.rlimit(what, (soft, hard))


def videos_are_away(search: Harmed) -> None:
    """For some seconds, and all that was stored of them is gone."""
    away = search.videos.with_name(f"{search.videos.name}.away")
    search.videos.rename(away)
    cache_is_deleted(search)
    time.sleep(4)
    away.rename(search.videos)


def times_of_files_lie_ahead(search: Harmed) -> None:
    """As where the clock was set back, or a file server has another one."""
    for path in (*search.storage.rglob("*"), *search.cache.rglob("*")):
        with contextlib.suppress(FileNotFoundError):
            os.utime(path, (time.time() + 3600,) * 2)


def results_are_locked(search: Harmed) -> None:
    """By another program, for some seconds."""
    with contextlib.suppress(sqlite3.Error):
        other = sqlite3.connect(search.results, timeout=5, isolation_level=None)
        with contextlib.closing(other):
            other.execute("BEGIN EXCLUSIVE")
            time.sleep(6)
            other.execute("ROLLBACK")


def search_is_started_twice(search: Harmed) -> None:
    search.again().wait(120)


def power_is_cut_and_a_trials_folder_is_gone(search: Harmed) -> None:
    search.stop()
    if path := search.one(search.storage, "last.pt"):
        shutil.rmtree(path.parent)


# Those after which nothing can be lost: of the results store alone no second copy is kept, but in the
# memory of the search that runs.
FAULTS: dict[str, Fault] = {
    fault.__name__.replace("_", " "): fault
    for fault in (
        worker_is_killed,
        all_workers_are_killed,
        worker_stands_still,
        search_stands_still,
        search_is_killed,
        power_is_cut,
        search_is_told_to_end,
        terminal_is_closed,
        raylet_is_killed,
        bits_of_features_flip,
        features_are_cut,
        features_are_those_of_another_video,
        bits_of_frames_flip,
        cache_is_deleted,
        power_is_cut_and_bits_of_a_checkpoint_flip,
        power_is_cut_and_a_checkpoint_is_cut,
        power_is_cut_and_a_checkpoint_is_empty,
        power_is_cut_and_the_model_of_a_checkpoint_is_gone,
        power_is_cut_and_the_model_of_a_checkpoint_is_damaged,
        writers_leave_their_parts,
        history_is_deleted,
        results_are_deleted,
        results_are_damaged,
        gcs_is_killed,
        raylet_stands_still,
        worker_crashes,
        disk_is_full,
        memory_is_short,
        descriptors_are_short,
        videos_are_away,
        times_of_files_lie_ahead,
        results_are_locked,
        search_is_started_twice,
        power_is_cut_and_a_trials_folder_is_gone,
    )
}
