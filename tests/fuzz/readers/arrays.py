"""Sealed arrays of the cache, as frames and features are."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from data.files.array import ArrayWriter
from data.files.store import Store
from data.files.whole import DamagedFile
from tests.fuzz.judge import Reader, Refused, Wrong

KEY = "a" * 40
_ARRAYS = [
    np.arange(5 * 6 * 4 * 3, dtype=np.uint8).reshape(5, 6, 4, 3),
    np.linspace(-1, 1, 40).reshape(10, 4).astype(np.float16),
    np.arange(9, dtype=np.float64),
    np.zeros((0, 4), np.float16),
    np.arange(40_000).astype(np.uint64).reshape(2, 20_000),  # of several blocks
]


def content_of(array: np.ndarray, key: str = KEY) -> bytes:
    """The file of an array in a store."""
    with tempfile.TemporaryDirectory() as folder:
        writer = ArrayWriter(Path(folder) / "a", key, array.shape[1:], array.dtype)
        writer.append(array)
        writer.close()
        return (Path(folder) / "a").read_bytes()


def _seeds() -> list[bytes]:
    plain = io.BytesIO()
    np.save(plain, _ARRAYS[1])  # as versions without seals wrote it
    return [*map(content_of, _ARRAYS), content_of(_ARRAYS[0], "b" * 40), plain.getvalue()]


def _make(folder: Path) -> Callable[[bytes], Any]:
    store = Store("frames", folder=folder)
    written = [(str(array.dtype), array.shape, array.tobytes()) for array in _ARRAYS]

    def read(content: bytes) -> None:
        path = store.path(KEY)
        path.write_bytes(content)
        try:
            array = store.get(KEY)
            if array is None:
                raise Wrong("it is not there")
            parts = [array[index] for index in range(len(array))][:3]
            whole = np.asarray(array)
        except DamagedFile as error:
            if path.exists():
                raise Wrong("a damaged file stays") from error
            raise Refused(str(error)) from error
        if (str(whole.dtype), whole.shape, whole.tobytes()) not in written:
            raise Wrong(f"it is read as {whole.dtype} {whole.shape}")
        if any(not np.array_equal(part, row) for part, row in zip(parts, whole, strict=False)):
            raise Wrong("a row differs from that of the whole")

    return read


READER = Reader(
    _make, _seeds, (), share=30, words=(b"tunerXX1", b"\x93NUMPY\x01\x00"), most=400_000
)
