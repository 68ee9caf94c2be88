"""What befalls a search's files: arrays of its cache, checkpoints, results."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from tests.chaos.harm import Harmed, Met, cut, done, exchange, flip, mended

_PAGE = 4096  # bytes


def bits_of_features_flip(search: Harmed) -> Met:
    return _arrays(search, "features", lambda path: flip(path, search.draw))


def features_are_cut(search: Harmed) -> Met:
    return _arrays(search, "features", lambda path: cut(path, search.draw))


def last_pages_of_features_are_zero(search: Harmed) -> Met:
    """As after a power cut, where the system knew the length before it had the content."""

    def blank(path: Path) -> None:
        content = path.read_bytes()
        exchange(path, content[:-_PAGE] + bytes(min(_PAGE, len(content))))

    return _arrays(search, "features", blank)


def features_are_those_of_another_video(search: Harmed) -> Met:
    paths = search.arrays("features")
    contents = [path.read_bytes() for path in paths]
    other = dict(zip(paths, [*contents[1:], *contents[:1]], strict=True))
    return _arrays(search, "features", lambda path: exchange(path, other[path]))


def bits_of_frames_flip(search: Harmed) -> Met:
    """And features, for which alone frames are read here, are gone."""
    for path in search.arrays("features"):
        path.unlink()
    return _arrays(search, "frames", lambda path: flip(path, search.draw))


def _arrays(search: Harmed, kind: str, harm: Callable[[Path], None]) -> Met:
    """Harm all arrays of a kind: which of them will be read again is not known here."""
    for path in (paths := search.arrays(kind)):
        harm(path)
    met = mended(*paths)
    search.read_again()
    return met


def cache_is_deleted(search: Harmed) -> Met:
    paths = [*search.arrays("features"), *search.arrays("frames")]
    for path in paths:
        path.unlink(missing_ok=True)
    met = mended(*paths)
    search.read_again()
    return met


def power_is_cut_and_a_checkpoint_is_there(search: Harmed) -> Met:
    return _checkpoint(search, lambda path: None)


def power_is_cut_and_bits_of_a_checkpoint_flip(search: Harmed) -> Met:
    return _checkpoint(search, lambda path: flip(path, search.draw))


def power_is_cut_and_a_checkpoint_is_cut(search: Harmed) -> Met:
    return _checkpoint(search, lambda path: cut(path, search.draw))


def power_is_cut_and_a_checkpoint_is_empty(search: Harmed) -> Met:
    return _checkpoint(search, lambda path: path.write_bytes(b""))


def power_is_cut_and_the_model_of_a_checkpoint_is_gone(search: Harmed) -> Met:
    return _checkpoint(search, lambda path: path.with_name("best.pt").unlink())


def power_is_cut_and_the_model_of_a_checkpoint_is_damaged(search: Harmed) -> Met:
    return _checkpoint(search, lambda path: flip(path.with_name("best.pt"), search.draw))


def power_is_cut_and_a_trials_folder_is_gone(search: Harmed) -> Met:
    return _checkpoint(search, lambda path: shutil.rmtree(path.parent))


def _checkpoint(search: Harmed, harm: Callable[[Path], object]) -> Met:
    """Harm what a trial would go on from."""
    path = search.checkpoint()
    met = search.stop()
    if path is None or not path.exists():  # its trial has ended meanwhile
        return done(False)
    harm(path)
    return done(met)


def writers_leave_their_parts(search: Harmed) -> Met:
    """As writers that were killed an hour ago do, of a trial that has not ended."""
    if (path := search.checkpoint()) is None:
        return done(False)
    left = path.with_name(f".{path.name}.0123456789abcdef.tmp")
    left.write_bytes(b"half")
    os.utime(left, (time.time() - 3600,) * 2)
    return done(True)


def history_is_deleted(search: Harmed) -> Met:
    if (path := search.checkpoint()) is None:
        return done(False)
    path.with_name("fit_history.csv").unlink(missing_ok=True)
    return done(True)


def results_are_deleted(search: Harmed) -> Met:
    if not _running(search):
        return done(False)
    for ending in ("", "-wal", "-shm"):
        Path(f"{search.results}{ending}").unlink(missing_ok=True)
    return done(True)


def results_are_damaged(search: Harmed) -> Met:
    """Its first pages are overwritten; where nobody has them in memory, nothing would help."""
    if not _running(search):
        return done(False)
    with search.results.open("rb+") as file:
        file.write(b"\xff" * 8192)
    return done(True)


def _running(search: Harmed) -> bool:
    return search.process.poll() is None and search.results.exists()
