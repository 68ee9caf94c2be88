"""The cache folder's limit: the least recently used arrays go first."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from data.files.store import Store
from tests.data.files.arrays import names, put_array


def _limited(folder: Path, arrays: int) -> Store:
    size = 256 + 1000 + 40  # a header, the rows, a seal
    return Store("arrays", folder=folder, limit_bytes=arrays * size)


def _age(store: Store, **seconds: float) -> None:
    for key, age in seconds.items():
        time = store.path(key).stat().st_mtime - age
        os.utime(store.path(key), (time, time))


def test_least_recently_used_goes_first(tmp_path: Path) -> None:
    store, rows = _limited(tmp_path, 3), np.zeros((1000, 1), np.uint8)
    for key in "abc":
        put_array(store, key, rows)
    _age(store, a=300, b=100, c=200)
    put_array(store, "d", rows)
    assert names(store) == ["b.npy", "c.npy", "d.npy"]
    put_array(store, "e", rows)
    assert names(store) == ["b.npy", "d.npy", "e.npy"]


def test_reading_is_a_use(tmp_path: Path) -> None:
    store, rows = _limited(tmp_path, 2), np.zeros((1000, 1), np.uint8)
    for key in "ab":
        put_array(store, key, rows)
    _age(store, a=300, b=200)
    store.get("a")
    put_array(store, "c", rows)
    assert names(store) == ["a.npy", "c.npy"]


def test_no_more_is_deleted_than_needed(tmp_path: Path) -> None:
    store, rows = _limited(tmp_path, 3), np.zeros((1000, 1), np.uint8)
    for key in "abc":
        put_array(store, key, rows)
    assert names(store) == ["a.npy", "b.npy", "c.npy"]


def test_what_was_just_made_stays_though_it_is_larger_than_the_limit(tmp_path: Path) -> None:
    store = Store("arrays", folder=tmp_path, limit_bytes=100)
    put_array(store, "a", np.zeros((1000, 1), np.uint8))
    put_array(store, "b", np.zeros((1000, 1), np.uint8))
    assert names(store) == ["b.npy"]


def test_a_mapped_array_stays_readable_after_its_deletion(tmp_path: Path) -> None:
    store = Store("arrays", folder=tmp_path, limit_bytes=100)
    put_array(store, "a", np.full((1000, 1), 7, np.uint8))
    array = store.get("a")
    put_array(store, "b", np.zeros((1000, 1), np.uint8))
    assert store.get("a") is None
    assert (array[:] == 7).all()


def test_no_limit_keeps_all(tmp_path: Path) -> None:
    store = Store("arrays", folder=tmp_path)
    for key in "abcdef":
        put_array(store, key, np.zeros((1000, 1), np.uint8))
    assert len(names(store)) == 6
