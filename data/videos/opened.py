"""What was learnt of a video when it was opened, kept in the cache folder until the file changes."""

from __future__ import annotations

import contextlib
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from data.files.path import File, S3Path
from data.files.store import Store, make_key
from data.files.video_cache import missing_chunks
from data.files.whole import again
from data.videos.info import VideoInfo

_DECODERS = ("pyav", "measured")
_FORMAT = "opened-3"  # change it when the stored facts about the same file would differ
_LIBRARIES = ("av",)  # whose versions may find others


def known(file: File, identity: str) -> VideoInfo | None:
    """What `probe` found in a file of this identity; None if that is not known."""
    try:
        return again(lambda: _read(file, identity))
    except OSError:
        if isinstance(file, S3Path):
            raise
        return None  # the cache folder is another user's, say; the video itself is there


def keep(info: VideoInfo, identity: str) -> None:
    """Keep what `probe` found, for `known`."""
    even = np.array_equal(info.times, _even(len(info), info.fps))
    times = [-len(info)] if even else info.times
    damage = info.damage.encode()
    head = [info.fps, info.width, info.height, _DECODERS.index(info.decoder)]
    head += [info.declared, info.ends, info.start, len(damage), *damage]
    # Where nothing can be written, a video on a disk is opened again; one on S3 could not come at all.
    forgiven = (OSError,) if isinstance(info.path, Path) else ()
    with contextlib.suppress(*forgiven):
        store, key = _place(info.path, identity)
        # Its own lock suffices: who writes the same a second time does no harm.
        with store.writers({key: ()}, np.dtype(np.float64)) as writers:
            writers[key].append(np.array([*head, *times], np.float64))


def to_bring(file: File, identity: str) -> int:
    """How many chunks opening a file downloads from S3."""
    store, key = _place(file, identity)
    return 0 if store.has(key) else missing_chunks(file)


def _read(file: File, identity: str) -> VideoInfo | None:
    store, key = _place(file, identity)
    if (stored := store.get(key)) is None:
        return None
    values = stored[:]
    fps, width, height, decoder, declared, ends, start, length = values[:8].tolist()
    rest = 8 + int(length)
    damage = bytes(values[8:rest].astype(np.uint8)).decode()
    times = np.array(values[rest:])
    if len(times) == 1 and times[0] < 0:
        times = _even(-int(times[0]), fps)
    return VideoInfo(
        file,
        times,
        fps,
        int(width),
        int(height),
        _DECODERS[int(decoder)],
        int(declared),
        ends,
        damage,
        start,
    )


def _even(count: int, fps: float) -> np.ndarray:
    """The times of most videos: their number says all."""
    return np.arange(count) / fps


def _place(file: File, identity: str) -> tuple[Store, str]:
    """Where the facts about a video are: those of `VideoInfo`, the text as numbers, then its times.

    In place of times may be one number, with a minus: how many there are, evenly spaced.
    """
    if isinstance(file, S3Path):
        return Store("opened", limit_bytes=file.limit_bytes), make_key(
            identity, _FORMAT, *_versions()
        )
    # FFmpeg tells some containers apart by the name's ending.
    return Store("opened"), make_key(identity, _FORMAT, file.suffix, *_versions())


@cache
def _versions() -> tuple[str, ...]:
    found = []
    for name in _LIBRARIES:
        with contextlib.suppress(PackageNotFoundError):
            found.append(f"{name} {version(name)}")
    return tuple(found)
