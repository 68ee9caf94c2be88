"""The videos of a data set: found under a folder, named by stem, sampled at one rate."""

from __future__ import annotations

import threading
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from data.errors import DataError, VideoError, nearest, some
from data.files.download import OnChunk, local, missing_chunks
from data.files.path import File, S3Path, relative
from data.files.store import Store, make_key
from data.videos.decode import EXTENSIONS, VideoInfo, identity, probe, sample_indices

_DECODERS = ("decord", "pyav")
_FORMAT = "opened-1"  # changes whenever what is said of the same file would differ


@dataclass(frozen=True)
class Reject:
    """A video that was left out, and why."""

    video: str
    path: File
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


def open_video(name: str, path: File, fps: float | None, on_chunk: OnChunk = lambda: None) -> Video:
    """Probe one file.

    Args:
        on_chunk: as of `local`.

    Raises:
        VideoError: it can't be opened.
    """
    info = probe(path) if isinstance(path, Path) else _probe_remote(path, on_chunk)
    return Video(name, info, fps, identity(path))


def _probe_remote(file: S3Path, on_chunk: OnChunk) -> VideoInfo:
    """`probe` of a video on S3, whose answer is kept: what has its frames need not bring it again."""
    store, key = _opened(file)
    if (kept := store.get(key)) is not None:
        fps, width, height, decoder = kept[:4].tolist()
        times = np.array(kept[4:])
        return VideoInfo(file, times, fps, int(width), int(height), _DECODERS[int(decoder)])
    with local(file, on_chunk) as path:
        info = replace(probe(path), path=file)
    head = [info.fps, info.width, info.height, _DECODERS.index(info.decoder)]
    with store.lock(key), store.writers({key: ()}, np.dtype(np.float64)) as writers:
        writers[key].append(np.array([*head, *info.times], np.float64))
    return info


def _opened(file: S3Path) -> tuple[Store, str]:
    """Where what was found out of a video is kept: ``fps, width, height, decoder, *times``."""
    return Store("opened", limit_bytes=file.limit_bytes), make_key(file.identity, _FORMAT)


def _to_bring(file: File) -> int:
    """Chunks of it that opening it brings from S3."""
    if isinstance(file, Path):
        return 0
    store, key = _opened(file)
    return 0 if store.has(key) else missing_chunks(file)


def _listed(folder: File) -> Sequence[File]:
    if isinstance(folder, S3Path):
        return folder.files()
    if folder.is_file():
        return [folder]
    if not folder.is_dir():
        raise DataError([f"data.videos: there is no folder '{folder}'"])
    return [*folder.rglob("*")]


def find_files(folder: File) -> list[File]:
    """Every video file under `folder` by its extension, sorted; hidden ones are left out.

    Raises:
        DataError: the folder isn't there, or holds none.
    """
    listed = _listed(folder)
    if listed == [folder]:
        return [*listed]
    files = [
        path
        for path in sorted(listed)
        if path.suffix.lower() in EXTENSIONS and not path.name.startswith(".") and path.is_file()
    ]
    if not files:
        found = sorted({path.suffix.lower() or path.name for path in listed if "." in path.name})
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

    def __init__(self, files: Iterable[File], folder: File) -> None:
        self.ways: list[dict[str, set[File]]] = [defaultdict(set) for _ in range(4)]
        self.paths: dict[File, list[str]] = {}
        paths, spellings, any_case_paths, any_case_spellings = self.ways
        for file in files:
            parts = relative(file, folder).parts
            *parents, name = (unicodedata.normalize("NFC", part) for part in parts)
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

    def find(self, name: str) -> list[File]:
        """The files that `name` may mean: one if it is clear, none if it isn't there."""
        name = unicodedata.normalize("NFC", name).replace("\\", "/").removeprefix("./")
        keys = (name, name, name.lower(), name.lower())
        found = (way[key] for way, key in zip(self.ways, keys, strict=True) if key in way)
        return sorted(next(found, ()))

    def clear_name(self, file: File) -> str:
        """The shortest path of `file` that means no other file."""
        stem, name = self.paths[file]
        return stem if self.find(stem) == [file] else name


def match_files(
    names: Iterable[str], files: list[File], folder: File
) -> tuple[dict[str, File], list[str]]:
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
    by_path: dict[File, list[str]] = defaultdict(list)
    for name, path in found.items():
        by_path[path].append(name)
    problems += [
        f"{some(same)} are names of one video, {path.name}: use one name"
        for path, same in by_path.items()
        if len(same) > 1
    ]
    return found, problems


def open_videos(
    paths: Mapping[str, File],
    fps: float | None,
    *,
    threads: int = 4,
    on_video: Callable[[], None] | None = None,
    on_bring: Callable[[int], OnChunk] | None = None,
) -> tuple[dict[str, Video], list[Reject]]:
    """Open every file; those that can't be are returned as rejects with the reason.

    Args:
        on_bring: called with the chunks to bring from S3, if any, returns what is called for each.
    """
    chunks = sum(map(_to_bring, paths.values()))
    tell = on_bring(chunks) if on_bring and chunks else lambda: None
    stopped = threading.Event()

    def on_chunk() -> None:
        if stopped.is_set():  # nobody waits for it any more
            raise VideoError("stopped")
        tell()

    def attempt(name: str) -> Video | Reject:
        try:
            return open_video(name, paths[name], fps, on_chunk)
        except (VideoError, OSError) as error:
            return Reject(name, paths[name], str(error))
        finally:
            if on_video:
                on_video()

    with ThreadPoolExecutor(threads) as pool:
        try:
            results = list(pool.map(attempt, paths))
        finally:
            stopped.set()
    videos = {result.name: result for result in results if isinstance(result, Video)}
    return videos, [result for result in results if isinstance(result, Reject)]
