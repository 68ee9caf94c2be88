"""The videos of a data set: found under a folder, named by stem, sampled at one rate."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from data.errors import DataError, nearest, some
from data.store import make_key
from data.video import EXTENSIONS, VideoError, VideoInfo, identity, probe, sample_indices


@dataclass(frozen=True)
class Reject:
    """A video that was left out, and why."""

    video: str
    path: Path
    reason: str


@dataclass(frozen=True)
class Video:
    """A video of the data set, as everything above the files sees it: numbered, sampled frames.

    Attributes:
        name: what the labels call it.
        fps: the sampling rate; None is the file's own.
    """

    name: str
    info: VideoInfo
    fps: float | None
    identity: str

    def __len__(self) -> int:
        return len(self.indices)

    @cached_property
    def indices(self) -> np.ndarray:
        """``[N]``: for each sampled frame, the file's frame (repeats where `fps` exceeds its own)."""
        return sample_indices(self.info.times, self.info.duration, self.fps)

    @cached_property
    def times(self) -> np.ndarray:
        """``[N]`` seconds of each sampled frame."""
        return self.info.times if self.fps is None else np.arange(len(self)) / self.fps

    @property
    def duration(self) -> float:
        return self.info.duration

    @property
    def key(self) -> str:
        """Determines which frames of which content are meant."""
        return make_key(self.identity, self.fps)


def open_video(name: str, path: Path, fps: float | None) -> Video:
    """Probe one file.

    Raises:
        VideoError: it can't be opened.
    """
    return Video(name, probe(path), fps, identity(path))


def find_files(folder: Path) -> list[Path]:
    """Every video file under `folder` by its extension, sorted; hidden ones are left out.

    Raises:
        DataError: the folder isn't there, or holds none.
    """
    if folder.is_file():
        return [folder]
    if not folder.is_dir():
        raise DataError([f"data.videos: there is no folder '{folder}'"])
    files = [
        path
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in EXTENSIONS and not path.name.startswith(".") and path.is_file()
    ]
    if not files:
        found = sorted({path.suffix.lower() or path.name for path in folder.rglob("*.*")})
        raise DataError(
            [
                f"data.videos: no videos under '{folder}' and its subfolders; searched for files "
                f"ending in {' '.join(sorted(EXTENSIONS))}"
                + (f"; the files there end in {some(found)}" if found else "; it holds no files")
            ]
        )
    return files


class _Names:
    """How labels may name each file, from the strictest way to the loosest.

    By its path under the folder; by stem or name, alone or after any of its parent folders; and by
    either in whatever case. What several files are called in one way names none of them.
    """

    def __init__(self, files: Iterable[Path], folder: Path) -> None:
        self.ways: list[dict[str, set[Path]]] = [defaultdict(set) for _ in range(4)]
        self.paths: dict[Path, list[str]] = {}
        paths, spellings, any_case_paths, any_case_spellings = self.ways
        for file in files:
            relative = file.relative_to(folder) if file.is_relative_to(folder) else file
            *parents, name = (unicodedata.normalize("NFC", part) for part in relative.parts)
            stem = unicodedata.normalize("NFC", file.stem)
            self.paths[file] = ["/".join([*parents, stem]), "/".join([*parents, name])]
            # A stem alone is no path: it may mean the file of that stem in any folder.
            for path in self.paths[file] if parents else [name]:
                paths[path].add(file)
                any_case_paths[path.lower()].add(file)
            for start in range(len(parents) + 1):
                for last in (stem, name):
                    spelling = "/".join([*parents[start:], last])
                    spellings[spelling].add(file)
                    any_case_spellings[spelling.lower()].add(file)

    def find(self, name: str) -> list[Path]:
        """The files that `name` may mean: one if it is clear, none if it isn't there."""
        name = unicodedata.normalize("NFC", name).replace("\\", "/").removeprefix("./")
        keys = (name, name, name.lower(), name.lower())
        found = (way[key] for way, key in zip(self.ways, keys, strict=True) if key in way)
        return sorted(next(found, ()))

    def clear_name(self, file: Path) -> str:
        """The shortest path of `file` that means no other file."""
        stem, name = self.paths[file]
        return stem if self.find(stem) == [file] else name


def match_files(
    names: Iterable[str], files: list[Path], folder: Path
) -> tuple[dict[str, Path], list[str]]:
    """Find each label's video among `files`, by stem or name, with parent folders where needed.

    Args:
        folder: where the files are, or the one file itself.

    Returns:
        name to path for those found, and a problem for each that is missing or ambiguous.
    """
    known = _Names(files, folder.parent if folder in files else folder)
    found, problems = {}, []
    for name in names:
        paths = known.find(name)
        if len(paths) == 1:
            found[name] = paths[0]
        elif paths:
            advice = known.clear_name(paths[0])
            parts = {"folder": "/" in advice, "ending": advice.endswith(paths[0].suffix)}
            needed = " and ".join(part for part, needed in parts.items() if needed)
            problems.append(
                f"video '{name}' could be any of {some(paths)}; write it with its {needed}, "
                f"as '{advice}'"
            )
        else:
            stems = [path.stem for path in files]
            problems.append(
                f"video '{name}' is not among the {len(files)} videos under '{folder}'"
                f"{nearest(name, stems)}"
            )
    by_path: dict[Path, list[str]] = defaultdict(list)
    for name, path in found.items():
        by_path[path].append(name)
    problems += [
        f"{some(same)} are names of one video, {path.name}: use one name"
        for path, same in by_path.items()
        if len(same) > 1
    ]
    return found, problems


def open_videos(
    paths: dict[str, Path],
    fps: float | None,
    *,
    threads: int = 4,
    on_video: Callable[[], None] | None = None,
) -> tuple[dict[str, Video], list[Reject]]:
    """Open every file; those that can't be are returned as rejects with the reason."""

    def attempt(name: str) -> Video | Reject:
        try:
            return open_video(name, paths[name], fps)
        except (VideoError, OSError) as error:
            return Reject(name, paths[name], str(error))
        finally:
            if on_video:
                on_video()

    with ThreadPoolExecutor(threads) as pool:
        results = list(pool.map(attempt, paths))
    videos = {result.name: result for result in results if isinstance(result, Video)}
    return videos, [result for result in results if isinstance(result, Reject)]
