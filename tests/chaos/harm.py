"""A search that harm is done to, and ways to do it."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil
import xxhash

_PATIENCE = 120.0  # seconds, for a checkpoint, after a start too

# Whether a fault has met anything, asked once the search has ended: one that meets nothing says nothing.
Met = Callable[[], bool]


@dataclass
class Harmed:
    """A search that faults are put into.

    Attributes:
        process: of the command; it may have ended.
        storage: the search's folder, with its models.
        cache: the folder of frames and features.
        results: the SQLite file.
        videos: their folder.
        again: the command once more, with more words.
        draw: all choices are made with it.
    """

    process: psutil.Popen
    storage: Path
    cache: Path
    results: Path
    videos: Path
    again: Callable[..., psutil.Popen]
    draw: random.Random

    def checkpoint(self) -> Path | None:
        """One of a trial that is under way; the first ones come after seconds."""
        end = time.monotonic() + _PATIENCE
        while time.monotonic() < end and self.process.poll() is None:
            if files := sorted(self.storage.rglob("last.pt")):
                return self.draw.choice(files)
            time.sleep(0.1)
        return None

    def arrays(self, kind: str) -> list[Path]:
        """All that is stored of ``frames`` or ``features``."""
        return sorted((self.cache / kind).glob("*.npy"))

    def workers(self) -> list[psutil.Process]:
        """Those that train."""
        return [one for one in self.family() if name_of(one).startswith("ray::Resource")]

    def part(self, name: str) -> list[psutil.Process]:
        """Parts of Ray, such as ``raylet``."""
        return [one for one in self.family() if Path(name_of(one)).name == name]

    def family(self) -> list[psutil.Process]:
        try:
            return self.process.children(recursive=True)
        except psutil.NoSuchProcess:
            return []

    def stop(self) -> bool:
        """End the search's process, as a power cut would; whether it was running."""
        family = self.family()
        met = kill(self.process, *family)
        self.process.wait()
        return met

    def read_again(self) -> None:
        """Have stored arrays read by new workers: those that run have them in memory."""
        kill(*self.workers())


def name_of(process: psutil.Process) -> str:
    try:
        return (process.cmdline() or [""])[0]
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return ""


def kill(*processes: psutil.Process, number: int = signal.SIGKILL) -> bool:
    """Send a signal; whether one of them was there."""
    met = False
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)
            met = True
    return met


def done(met: bool) -> Met:
    """What is known at once."""
    return lambda: met


def mended(*paths: Path) -> Met:
    """Whether one of these files is not any more what it is now, or is gone: somebody has noticed."""
    harmed = {path: _sum(path) for path in paths}
    return lambda: any(_sum(path) != before for path, before in harmed.items())


def _sum(path: Path) -> int | None:
    try:
        return xxhash.xxh3_64_intdigest(path.read_bytes())
    except FileNotFoundError:
        return None


def flip(path: Path, draw: random.Random) -> None:
    """Turn some bits of a file around, where they lie."""
    if not (size := path.stat().st_size):
        return
    with path.open("rb+") as file:
        for _ in range(3):
            place = draw.randrange(size)
            file.seek(place)
            byte = file.read(1)[0] ^ 1 << draw.randrange(8)
            file.seek(place)
            file.write(bytes([byte]))


def cut(path: Path, draw: random.Random) -> None:
    """A file that is shorter, as after a power cut; under a new name, as it may be mapped."""
    content = path.read_bytes()
    exchange(path, content[: draw.randrange(len(content) or 1)])


def exchange(path: Path, content: bytes) -> None:
    """Other content under a file's name; who has the former one mapped keeps it."""
    part = path.with_name(f"{path.name}.part")
    part.write_bytes(content)
    os.replace(part, path)
