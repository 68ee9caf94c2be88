"""The cache folder: whole arrays only, mapped and not read, within its limit."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import filelock
import numpy as np
import pytest

from data.files.array import ArrayWriter, StoredArray
from data.files.store import Store, default_folder, make_key
from tests.data.files.arrays import names, put_array

ROOT = Path(__file__).parents[3]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store("arrays", folder=tmp_path)


# Arrays


@pytest.mark.parametrize("dtype", [np.uint8, np.float16, np.float32])
@pytest.mark.parametrize("row", [(), (3,), (2, 5, 3)])
def test_numpy_reads_what_was_written_in_parts(
    dtype: type, row: tuple[int, ...], tmp_path: Path
) -> None:
    rows = np.random.default_rng(0).integers(0, 100, (11, *row)).astype(dtype)
    writer = ArrayWriter(tmp_path / "a.npy", "a", row, np.dtype(dtype))
    for part in (rows[:4], rows[4:4], rows[4:]):
        writer.append(part)
    writer.close()
    for mode in (None, "r"):
        array = np.load(tmp_path / "a.npy", mmap_mode=mode)
        assert array.dtype == dtype
        assert np.array_equal(array, rows)


def test_rows_that_are_not_contiguous(tmp_path: Path) -> None:
    rows = np.arange(24, dtype=np.uint8).reshape(4, 6)
    writer = ArrayWriter(tmp_path / "a.npy", "a", (4,), np.dtype(np.uint8))
    writer.append(rows.T)
    writer.close()
    assert np.array_equal(np.load(tmp_path / "a.npy"), rows.T)


@pytest.mark.parametrize(
    "rows", [np.zeros((2, 4), np.float16), np.zeros((2, 3), np.float32), np.zeros(3, np.float16)]
)
def test_rows_of_another_kind_are_refused(rows: np.ndarray, tmp_path: Path) -> None:
    writer = ArrayWriter(tmp_path / "a.npy", "a", (3,), np.dtype(np.float16))
    with pytest.raises(ValueError, match=r"not float16 \(3,\)"):
        writer.append(rows)


def test_what_is_read_is_mapped_and_cannot_be_written(store: Store) -> None:
    put_array(store, "a", np.ones((5, 2), np.float16))
    array = store.get("a")
    assert isinstance(array, StoredArray)
    with pytest.raises(ValueError, match="read-only"):
        array[:][0] = 2


@pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="the system does not tell memory"
)
def test_what_was_read_in_order_is_not_kept_in_memory(store: Store) -> None:
    rows = np.random.default_rng(0).integers(0, 256, (1000, 200_000), np.uint8)
    put_array(store, "a", rows)
    array, before = store.get("a"), mapped_memory()
    assert array is not None
    for start in (*range(0, 1000, 50), *range(0, 1000, 50)):  # twice
        for some in (slice(start, start + 50), np.arange(start, start + 50).reshape(5, 10)):
            assert np.array_equal(array[some], rows[some])
        assert mapped_memory() - before < 40 * 2**20
    assert np.array_equal(array[::-1], rows[::-1])


def mapped_memory() -> int:
    """Bytes of files that are mapped and in this process's memory."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("RssFile:")[1].split()[0]) * 1024


def test_what_is_not_there_is_none(store: Store) -> None:
    assert store.get("a") is None


def test_kinds_do_not_mix(tmp_path: Path) -> None:
    put_array(Store("frames", folder=tmp_path), "a", np.zeros((1, 1)))
    assert Store("features", folder=tmp_path).get("a") is None


def test_folder_is_of_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TUNER_CACHE", str(tmp_path / "mine"))
    assert default_folder() == (tmp_path / "mine").resolve()
    monkeypatch.delenv("TUNER_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_folder() == tmp_path / "tuner"


def test_keys_are_of_all_parts_and_their_order() -> None:
    keys = [make_key("a", "b"), make_key("b", "a"), make_key("ab"), make_key("a", None, "b")]
    assert len(set(keys)) == 4
    assert make_key("a", "b") == keys[0]


# Whole arrays only


def test_nothing_counts_before_the_end(store: Store) -> None:
    with store.writers({"a": (2,)}, np.dtype(np.uint8)) as writers:
        writers["a"].append(np.zeros((4, 2), np.uint8))
        assert store.get("a") is None
        assert not store.path("a").exists()
    assert len(store.get("a")) == 4


def test_an_error_leaves_nothing(store: Store) -> None:
    with (
        pytest.raises(KeyError),
        store.writers({"a": (2,), "b": (3,)}, np.dtype(np.uint8)) as writers,
    ):
        writers["a"].append(np.zeros((4, 2), np.uint8))
        raise KeyError
    assert names(store) == []


def test_what_a_killed_process_began_is_deleted_by_the_next(store: Store) -> None:
    (store.folder / "a.99999.tmp").write_bytes(b"half")
    assert store.get("a") is None
    put_array(store, "a", np.zeros((4, 2), np.uint8))
    assert names(store) == ["a.npy"]


@pytest.mark.parametrize("limit", [None, 10**6])
def test_what_a_killed_process_began_is_deleted_whatever_its_key(
    tmp_path: Path, limit: int | None
) -> None:
    store = Store("arrays", folder=tmp_path, limit_bytes=limit)
    (store.folder / "b.99999.tmp").write_bytes(b"half")
    put_array(store, "a", np.zeros((4, 2), np.uint8))
    assert names(store) == ["a.npy"]
    (store.folder / "c.99999.tmp").write_bytes(b"half")
    store.trim(keep=set())
    assert names(store) == ["a.npy"]


def test_a_large_folder_is_not_looked_through_for_each_array(tmp_path, monkeypatch) -> None:
    """What would take hours with thousands of videos: every file's size, after every file."""
    store, looks, lists = Store("arrays", folder=tmp_path, limit_bytes=10**6), [], []
    trim, listdir = Store.trim, os.listdir
    monkeypatch.setattr(Store, "trim", lambda self, keep: looks.append(keep) or trim(self, keep))
    monkeypatch.setattr(os, "listdir", lambda folder: lists.append(folder) or listdir(folder))
    for number in range(60):
        put_array(store, f"a{number}", np.zeros((1000, 2), np.uint8))
    assert 1 <= len(looks) <= 6
    assert 1 <= len(lists) <= 6 + 1
    for number in range(600):  # 1.5 MB in all
        put_array(store, f"b{number}", np.zeros((1000, 2), np.uint8))
    assert sum(path.stat().st_size for path in store.folder.glob("*.npy")) <= 10**6
    assert (store.folder / "b599.npy").exists() and not (store.folder / "a0.npy").exists()


def test_what_is_being_written_is_no_leftover(store: Store) -> None:
    with store.writers({"a": (2,), "b": (2,)}, np.dtype(np.uint8)) as writers:
        for writer in writers.values():
            writer.append(np.ones((4, 2), np.uint8))
        put_array(store, "c", np.zeros((4, 2), np.uint8))
        store.trim(keep=set())
        assert sum(name.endswith(".tmp") for name in names(store)) == 2
    assert names(store) == ["a.npy", "b.npy", "c.npy"]


def test_a_full_disk_says_what_to_do(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: ArrayWriter, rows: np.ndarray) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(ArrayWriter, "append", full)
    with pytest.raises(OSError, match="No space left") as caught:
        put_array(store, "a", np.zeros((1, 1)))
    for words in (str(store.folder), "GB free", "TUNER_CACHE"):
        assert words in str(caught.value)
    assert names(store) == []


# A store needs no torch, which would take seconds to import.
HOLDER = """
import sys, time, types
from pathlib import Path
sys.modules["torch"] = types.ModuleType("torch")
import numpy as np
from data.files.store import Store

store = Store("arrays", folder=Path(sys.argv[1]))
with store.lock("a"), store.writers({"a": (1000,)}, np.dtype(np.uint8)) as writers:
    writers["a"].append(np.ones((5000, 1000), np.uint8))
    writers["a"]._file.flush()
    print("half", flush=True)
    time.sleep(60)
"""


def test_a_process_killed_while_writing_neither_counts_nor_blocks(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("data.files.store._LOOK_AGAIN", 0)  # else what it began stays for a minute
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(store.folder.parent)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "half\n"
            (part,) = store.folder.glob("*.tmp")
            assert part.stat().st_size > 4_000_000
            assert store.get("a") is None
            with pytest.raises(filelock.Timeout):
                store.lock("a").acquire(timeout=0.05)
            store.trim(keep=set())
            assert part.exists()
            rows = np.full((7, 1000), 9, np.uint8)
            next_one = threading.Thread(target=put_array, args=(store, "a", rows), daemon=True)
            next_one.start()
            next_one.join(0.2)
            assert next_one.is_alive()  # it waits for the holder
        finally:
            process.send_signal(signal.SIGKILL)
    next_one.join(10)
    assert not next_one.is_alive()
    assert np.array_equal(store.get("a"), rows)
    assert names(store) == ["a.npy"]


@pytest.fixture
def open_to_all() -> Iterator[Path]:
    """A folder that each user of the machine can enter; pytest's are closed."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.skipif(os.getuid() != 0, reason="needs root, to act as two users")
def test_a_second_user_reads_what_the_first_made_and_is_told_where_it_cannot_write(
    open_to_all: Path,
) -> None:
    put_array(Store("arrays", folder=open_to_all), "a", np.ones((3, 2), np.float16))
    code = f"""if True:
        import os
        from pathlib import Path
        from data.files.store import Store
        os.setuid(12345)
        store = Store("arrays", folder=Path({str(open_to_all)!r}))
        print(store.get("a").shape)
        try:
            store.lock("b")
        except PermissionError as error:
            print(error)
    """
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    first, second = done.stdout.splitlines() or [done.stderr, ""]
    assert first == "(3, 2)"
    assert str(open_to_all) in second and "TUNER_CACHE" in second
