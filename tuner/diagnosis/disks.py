"""Disks: room, speed, rights and the clock of the folders that a search writes to."""

from __future__ import annotations

import errno
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from data.errors import some
from data.files.path import S3Path, place
from data.files.store import default_folder
from tuner.diagnosis.finding import Asked, Finding, ok, warning, wrong
from tuner.runtime.session import ray_folder
from tuner.study.store.database import NETWORK_FILE_SYSTEMS, file_system

_MB = 2**20
_SIZE = 64 * _MB  # bytes that are written and read
_LONG = 3.0  # seconds, after which no more is written
_SLOW = 20.0  # MB a second
_NEEDED, _COMFORT = 0.2e9, 5e9  # bytes that are free
_FEW = 10_000  # files that may still be made
_SKEW = 5.0  # seconds
_MOST = 5_000  # files that are looked at for their rights
NAME = "tuner-é中-{}.tmp"  # as a video of a user may be called


@dataclass(frozen=True)
class Place:
    """A folder that a search writes to.

    Attributes:
        setting: what a user changes to have it elsewhere.
    """

    name: str
    folder: Path
    setting: str

    @property
    def existing(self) -> Path:
        return existing(self.folder)


def existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that exists: nothing is made by a check."""
    here = folder.absolute()
    while not here.exists() and here != here.parent:
        here = here.parent
    return here


def places(asked: Asked) -> Iterator[Place]:
    """All such folders."""
    config = asked.config
    yield Place(
        "cache", default_folder(), "set TUNER_CACHE to a folder of your own on another disk"
    )
    shared = config.data.shared_cache if config else None
    if shared and isinstance(named := place(shared), Path):
        yield Place("shared cache", named, "name another folder under data.shared_cache")
    storage = place(config.storage if config else "runs")
    if not isinstance(storage, S3Path):
        folder = config.folder if config else storage.absolute()
        yield Place("storage", folder, "name another folder under storage")
    advice = "set RAY_TMPDIR to a folder with a short name on a local disk"
    yield Place("temporary", ray_folder(), advice)


def disks(asked: Asked) -> Iterator[Finding]:
    """Each folder; the speed of a disk that several are on is measured once."""
    speeds: dict[int, str] = {}
    for each in places(asked):
        yield from disk(each, speeds)


def disk(place: Place, speeds: dict[int, str] | None = None) -> Iterator[Finding]:
    """One folder: whether it can be written to, how much room and how fast it is.

    Args:
        speeds: by device, of the disks that were measured already.
    """
    folder, name = place.existing, place.name
    told = (
        str(place.folder) if folder == place.folder.absolute() else f"{place.folder} (to be made)"
    )
    if not folder.is_dir():
        yield wrong(f"{told}: {folder} is a file", place.setting, name)
        return
    kind = file_system(folder)
    speeds = {} if speeds is None else speeds
    device = folder.stat().st_dev
    # Where there is hardly any room, a running search may need it.
    measured = device not in speeds and room(folder) > _NEEDED
    try:
        skew, speed = probe(folder, _SIZE if measured else 0)
    except OSError as error:
        yield _unwritable(place, told, error)
        return
    if speed:
        speeds[device] = "writes {:.0f} and reads {:.0f} MB/s".format(*speed)
    free = room(folder)
    on = f" on {kind}" if kind else ""
    facts = f"{told}: {free / 1e9:.1f} GB free{on}"
    if device in speeds:
        facts += f", {speeds[device]}"
    problems = [
        *_room_of(place, free),
        *_files_of(place),
        *_network_of(place, kind),
        *_others_of(place),
    ]
    if speed and min(speed) < _SLOW:
        problems.append(warning("it is slow", f"{place.setting}; a local SSD is best", name))
    if abs(skew) > _SKEW:
        problems.append(
            warning(
                f"its clock and this machine's differ by {abs(skew):.0f} s: files seem to be older or "
                "newer than they are",
                "have both set by NTP (timedatectl set-ntp true)",
                name,
            )
        )
    if not problems:
        yield ok(facts, name)
        return
    first, *others = problems
    yield Finding(first.state, f"{facts}; {first.found}", first.advice, name)
    yield from others


def probe(folder: Path, size: int) -> tuple[float, tuple[float, float] | None]:
    """Write, read and delete a file.

    Returns:
        the seconds by which the file's time is ahead of this machine's clock, and the MB a second
        written and read, if `size` is not 0.

    Raises:
        OSError: it can't be done.
    """
    path = folder / NAME.format(uuid.uuid4().hex)
    block = os.urandom(_MB)  # no file system makes it smaller
    before = time.time()
    with path.open("x+b", buffering=0) as file:
        path.unlink()  # so that nothing is left, however this ends
        file.write(b"\0")
        stamp, after = os.fstat(file.fileno()).st_mtime, time.time()
        skew = stamp - min(max(stamp, before), after)
        if not size:
            return skew, None
        start, written = time.monotonic(), 0
        while written < size and time.monotonic() - start < _LONG:
            written += file.write(block)
        os.fsync(file.fileno())
        write = written / _MB / (time.monotonic() - start)
        if hasattr(os, "posix_fadvise"):  # else what is read comes from memory
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        file.seek(0)
        start, read = time.monotonic(), 0
        while time.monotonic() - start < _LONG and (chunk := file.read(_MB)):
            read += len(chunk)
        return skew, (write, read / _MB / max(1e-6, time.monotonic() - start))


def room(folder: Path) -> int:
    """Bytes that this user may still write."""
    return shutil.disk_usage(folder).free


def _unwritable(place: Place, told: str, error: OSError) -> Finding:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        free = room(place.existing) / 1e6
        said = f"{told}: {os.strerror(error.errno)}; {free:.0f} MB are free"
        return wrong(said, f"delete what is not needed, or {place.setting}", place.name)
    if error.errno == errno.EILSEQ:
        said = f"{told} takes no names of files with letters beyond English ones"
        return wrong(said, place.setting, place.name)
    said = f"{told} can't be written to by you: {error.strerror or error}"
    return wrong(f"{said} ({place.existing})", f"{place.setting}, or ask its owner", place.name)


def _room_of(place: Place, free: int) -> Iterator[Finding]:
    advice = f"delete what is not needed, or {place.setting}"
    if free < _NEEDED:
        yield wrong("that is too little for any search", advice, place.name)
    elif free < _COMFORT:
        yield warning(
            f"less than {_COMFORT / 1e9:.0f} GB may not do (--dry-run of the search tells what it "
            "needs)",
            advice,
            place.name,
        )


def _files_of(place: Place) -> Iterator[Finding]:
    status = os.statvfs(place.existing)
    if status.f_files and status.f_favail < _FEW:  # some file systems count no files
        yield (wrong if status.f_favail < 100 else warning)(
            f"only {status.f_favail:,} more files can be made there, however small (inodes)",
            f"delete folders with very many files, or {place.setting}",
            place.name,
        )


def _network_of(place: Place, kind: str) -> Iterator[Finding]:
    if kind in NETWORK_FILE_SYSTEMS and place.name in ("cache", "temporary"):
        yield warning(
            f"it is on a network file system ({kind}), which makes everything slower",
            place.setting,
            place.name,
        )


def _others_of(place: Place) -> Iterator[Finding]:
    """Files of another user that this one can't write to, as where a cache is shared."""
    if place.existing != place.folder.absolute() or place.name == "temporary":
        return
    below = islice(place.folder.rglob("*"), _MOST)
    shut = [path for path in below if not path.is_symlink() and not os.access(path, os.W_OK)]
    if shut:
        yield warning(
            f"{len(shut):,} files or folders in it can't be written to by you: "
            f"{some((path.relative_to(place.folder) for path in shut), 3)}",
            f"have their owner let your group write there (chmod -R g+w {place.folder}), or "
            f"{place.setting}",
            place.name,
        )
