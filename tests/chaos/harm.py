"""A search that harm is done to, and ways to do it."""

from __future__ import annotations

import contextlib
import os
import random
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass
class Harmed:
    """A search that faults are put into.

    Attributes:
        process: of the command; it may have ended.
        storage: the search's folder, with its models.
        cache: the folder of frames and features.
        results: the SQLite file.
        videos: their folder.
        again: the command once more.
        draw: all choices are made with it.
    """

    process: psutil.Popen
    storage: Path
    cache: Path
    results: Path
    videos: Path
    again: Callable[[], psutil.Popen]
    draw: random.Random

    def one(self, folder: Path, pattern: str) -> Path | None:
        files = sorted(path for path in folder.rglob(pattern) if path.is_file())
        return self.draw.choice(files) if files else None

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

    def stop(self) -> None:
        """End the search's process, as a power cut would."""
        family = self.family()
        for one in (self.process, *family):
            kill(one)
        self.process.wait()


def name_of(process: psutil.Process) -> str:
    try:
        return (process.cmdline() or [""])[0]
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return ""


def kill(process: psutil.Process, number: int = signal.SIGKILL) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(number)


def flip(path: Path | None, draw: random.Random) -> None:
    """Turn some bits of a file around, where they lie."""
    if path is None or not path.stat().st_size:
        return
    with path.open("rb+") as file:
        for _ in range(3):
            place = draw.randrange(path.stat().st_size)
            file.seek(place)
            byte = file.read(1)[0] ^ 1 << draw.randrange(8)
            file.seek(place)
            file.write(bytes([byte]))


def cut(path: Path | None, draw: random.Random) -> None:
    """A file that is shorter, as after a power cut; under a new name, as it may be mapped."""
    if path is not None:
        content = path.read_bytes()
        part = path.with_name(f"{path.name}.cut")
        part.write_bytes(content[: draw.randrange(len(content) or 1)])
        os.replace(part, path)
