"""Files are written whole or not at all, and what has been changed later is noticed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data.files.array import ArrayWriter, StoredArray, mapped
from data.files.patience import telling
from data.files.store import Store
from data.files.whole import DamagedFile, again, replacing, write_table
from tests.data.files.arrays import names, put_array


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store("arrays", folder=tmp_path)


@pytest.fixture
def rows() -> np.ndarray:
    """Three blocks and a bit, of rows that lie across their bounds."""
    return np.random.default_rng(0).integers(0, 256, (2800, 300), np.uint8)


# Written whole


def test_a_file_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    for text in ("one", "two"):
        with replacing(path) as part:
            part.write_text(text)
            assert not path.exists() or path.read_text() == "one"
        assert path.read_text() == text
    assert [file.name for file in tmp_path.iterdir()] == ["a.txt"]


def test_after_an_error_the_file_is_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("before")
    with pytest.raises(KeyError), replacing(path) as part:
        part.write_text("half")
        raise KeyError
    assert path.read_text() == "before"
    assert [file.name for file in tmp_path.iterdir()] == ["a.txt"]


def test_a_table_is_a_csv_file(tmp_path: Path) -> None:
    write_table(tmp_path / "a.csv", pd.DataFrame({"a": [1, 2], "b": ["x", None]}))
    assert (tmp_path / "a.csv").read_bytes() == b"a,b\n1,x\n2,\n"


# Damage is noticed


def changed(path: Path, place: int, bit: int = 0) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1 << bit
    path.write_bytes(content)


def test_each_flipped_bit_is_noticed(store: Store) -> None:
    array = np.arange(40, dtype=np.float16).reshape(10, 4)
    put_array(store, "a", array)
    whole = store.path("a").read_bytes()
    with telling(lambda line: None):
        for place in range(len(whole)):
            changed(store.path("a"), place, place % 8)
            with pytest.raises(DamagedFile):
                np.asarray(store.get("a"))
            assert not store.path("a").exists()
            store.path("a").write_bytes(whole)
    assert np.array_equal(store.get("a"), array)


@pytest.mark.parametrize("length", [0, 1, 100, 256, 300, 335, 360, -1, -8, -40])
def test_a_cut_is_noticed(store: Store, length: int) -> None:
    put_array(store, "a", np.arange(40, dtype=np.float16).reshape(10, 4))
    store.path("a").write_bytes(store.path("a").read_bytes()[:length])
    with telling(lambda line: None), pytest.raises(DamagedFile):
        store.get("a")


def another(store: Store) -> None:
    """The array of another key."""
    put_array(store, "b", np.ones((10, 4), np.float16))
    store.path("a").write_bytes(store.path("b").read_bytes())


def by_numpy(store: Store) -> None:
    np.save(store.path("a"), np.ones((10, 4), np.float16))


def with_more(store: Store) -> None:
    store.path("a").write_bytes(store.path("a").read_bytes() + b"\0")


def zeros(store: Store) -> None:
    store.path("a").write_bytes(b"\0" * store.path("a").stat().st_size)


@pytest.mark.parametrize("change", [another, by_numpy, with_more, zeros])
def test_another_content_is_noticed_and_said(store: Store, change) -> None:
    put_array(store, "a", np.arange(40, dtype=np.float16).reshape(10, 4))
    change(store)
    said: list[str] = []
    with telling(said.append), pytest.raises(DamagedFile, match=str(store.path("a"))):
        store.get("a")
    assert said[0].startswith(f"a damaged file of the cache is made again: {store.path('a')} (")
    assert store.get("a") is None


def test_blocks_are_compared_when_they_are_read(store: Store, rows: np.ndarray) -> None:
    put_array(store, "a", rows)
    changed(store.path("a"), 256 + 2000 * 300)  # in the third block
    array = store.get("a")
    assert np.array_equal(array[:1700], rows[:1700])
    assert np.array_equal(array[[5, 3]], rows[[5, 3]])
    assert np.array_equal(array[np.array([[5, 3], [0, 1]]), 2:4], rows[[[5, 3], [0, 1]], 2:4])
    for index in (2000, slice(1990, 2010), [0, 2000], np.array([[0], [2000]]), slice(None), ...):
        with telling(lambda line: None), pytest.raises(DamagedFile):
            array[index]
    out = np.empty((1, 300), np.uint8)
    with telling(lambda line: None), pytest.raises(DamagedFile):
        array.take(np.array([2000]), out)


@pytest.mark.parametrize("index", [0, -1, slice(3, 9), [4, 4, 2], ..., (slice(1, 3), 2), None])
def test_rows_are_read_as_of_any_array(store: Store, rows: np.ndarray, index) -> None:
    put_array(store, "a", rows)
    assert np.array_equal(store.get("a")[index], rows[index])


def test_arrays_without_rows(store: Store) -> None:
    put_array(store, "a", np.empty((0, 4), np.uint8))
    array = store.get("a")
    assert array.shape == np.asarray(array).shape == (0, 4)


# Made again


def test_what_is_damaged_is_asked_for_again() -> None:
    left = [DamagedFile(Path("a"), "cut")] * 2

    def action() -> str:
        if left:
            raise left.pop()
        return "whole"

    assert again(action) == "whole"


def test_a_disk_that_damages_everything_is_told() -> None:
    def action() -> None:
        raise DamagedFile(Path("a"), "cut")

    with pytest.raises(DamagedFile, match="a is damaged: cut"):
        again(action)


# Earlier versions


def test_arrays_of_versions_without_seals_are_used(tmp_path: Path) -> None:
    folder = tmp_path / "arrays"
    folder.mkdir()
    np.save(folder / "old.npy", np.ones((10, 4), np.float16))
    store = Store("arrays", folder=tmp_path)
    assert np.array_equal(store.get("old"), np.ones((10, 4)))
    np.save(folder / "late.npy", np.ones((10, 4), np.float16))
    with telling(lambda line: None), pytest.raises(DamagedFile):
        Store("arrays", folder=tmp_path).get("late")


def test_an_array_of_an_earlier_version_that_is_cut_is_noticed(tmp_path: Path) -> None:
    folder = tmp_path / "arrays"
    folder.mkdir()
    np.save(folder / "old.npy", np.ones((10, 4), np.float16))
    store = Store("arrays", folder=tmp_path)
    (folder / "old.npy").write_bytes((folder / "old.npy").read_bytes()[:-1])
    with telling(lambda line: None), pytest.raises(DamagedFile):
        store.get("old")


# Maps


def test_a_map_holds_no_descriptor_and_cannot_be_written(store: Store, rows: np.ndarray) -> None:
    put_array(store, "a", rows)

    def descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    before = descriptors()
    arrays = [store.get("a") for _ in range(50)]
    assert descriptors() == before
    store.path("a").unlink()
    assert all(np.array_equal(array[7], rows[7]) for array in arrays)
    with pytest.raises(ValueError, match="read-only"):
        arrays[0][:][0] = 1


def test_a_map_is_given_back(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 5000)

    def maps() -> int:
        return Path("/proc/self/maps").read_text(errors="replace").count(str(tmp_path / "a"))

    whole = mapped(tmp_path / "a")
    part = whole[1000:].view(np.uint16)
    del whole
    assert maps() == 1
    assert part[0] == 0x7878
    del part
    assert maps() == 0


def test_thousands_of_arrays_are_open_at_once(tmp_path: Path) -> None:
    code = """if True:
        import resource, sys
        import numpy as np
        from data.files.store import Store
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
        store = Store("arrays", folder=__import__("pathlib").Path(sys.argv[1]))
        for number in range(300):
            with store.writers({str(number): (2,)}, np.dtype(np.uint8)) as writers:
                writers[str(number)].append(np.full((3, 2), number % 256, np.uint8))
        arrays = [store.get(str(number)) for number in range(300)]
        print(sum(int(array[0, 0]) for array in arrays))
    """
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True
    )
    assert done.stdout == f"{sum(number % 256 for number in range(300))}\n", done.stderr


def test_nothing_is_left_of_a_writer(store: Store) -> None:
    put_array(store, "a", np.ones((3, 2), np.uint8))
    assert names(store) == ["a.npy"]


def test_a_sealed_array_is_read_by_numpy(tmp_path: Path, rows: np.ndarray) -> None:
    writer = ArrayWriter(tmp_path / "a.npy", "a", (300,), np.dtype(np.uint8))
    for part in np.array_split(rows, 7):
        writer.append(part)
    writer.close()
    assert writer.size == (tmp_path / "a.npy").stat().st_size
    assert np.array_equal(np.load(tmp_path / "a.npy"), rows)

    def damaged(error: ValueError) -> None:
        raise error

    assert np.array_equal(StoredArray.open(tmp_path / "a.npy", "a", damaged), rows)
