"""Sealed arrays: a change anywhere is noticed where it is read, and the file is gone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.files.store import Store
from data.files.whole import DamagedFile
from tests.fuzz.drawn import few
from tests.fuzz.readers.arrays import KEY, content_of

DTYPES = st.sampled_from([np.uint8, np.float16, np.float64, np.int64])
SHAPES = st.lists(st.integers(0, 5), min_size=1, max_size=4).map(tuple)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store("frames", folder=tmp_path_factory.mktemp("store"))


def array_of(shape: tuple[int, ...], dtype: type) -> np.ndarray:
    return np.arange(np.prod(shape)).reshape(shape).astype(dtype)


@few
@given(shape=SHAPES, dtype=DTYPES)
def test_what_is_written_is_read(store: Store, shape, dtype) -> None:
    array = array_of(shape, dtype)
    store.path(KEY).write_bytes(content_of(array))
    found = store.get(KEY)
    assert found is not None and found.shape == shape and found.dtype == dtype
    assert np.array_equal(np.asarray(found), array)


@few
@given(place=st.floats(0, 1, exclude_max=True), change=st.integers(1, 255), rows=st.booleans())
def test_a_changed_byte_is_noticed(store: Store, place: float, change: int, rows: bool) -> None:
    array = array_of((20_000, 3), np.float64)  # two blocks
    content = bytearray(content_of(array))
    content[int(place * len(content))] ^= change
    store.path(KEY).write_bytes(content)
    with pytest.raises(DamagedFile):
        found = store.get(KEY)
        assert found is not None
        parts = [found[: len(array) // 2], found[len(array) // 2 :]] if rows else [found[:]]
        assert np.array_equal(np.concatenate(parts), array)  # not reached
    assert not store.path(KEY).exists()


@few
@given(length=st.floats(0, 1, exclude_max=True), more=st.binary(max_size=40))
def test_another_length_is_noticed(store: Store, length: float, more: bytes) -> None:
    content = content_of(array_of((5, 3), np.float16))
    changed = content[: int(length * len(content))] + more
    store.path(KEY).write_bytes(changed)
    with pytest.raises(DamagedFile):
        store.get(KEY)
    assert not store.path(KEY).exists()


@pytest.mark.parametrize(
    "header", [b"{'shape': (", b"{" * 100, b"\xff" * 90, b"[]", b"(" * 9 + b"'"]
)
def test_a_header_that_is_none_is_damage(tmp_path: Path, header: bytes) -> None:
    """Of an array without a seal, of an earlier version, which NumPy reads as Python."""
    (tmp_path / "frames").mkdir()
    path = tmp_path / "frames" / f"{KEY}.npy"
    path.write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + b"\0" * 99)
    with pytest.raises(DamagedFile, match="header"):
        Store("frames", folder=tmp_path).get(KEY)
