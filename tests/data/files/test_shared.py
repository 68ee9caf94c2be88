"""What one machine has made, and the others fetch: over a folder that all see, and over S3."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import filelock
import numpy as np
import pytest
from urllib3.exceptions import ProtocolError

from data.files import patience
from data.files.path import S3Path
from data.files.s3 import S3Error
from data.files.shared import Shared, shared
from data.files.store import Store
from tests.data.files.arrays import names, put_array
from tests.data.files.remote import SIZE, BreaksOff, flipped, random


@pytest.mark.parametrize("place", ["folder", "s3://lab/cache"])
def test_what_one_machine_made_the_others_fetch(tmp_path: Path, s3, place: str) -> None:
    place = place.replace("folder", str(tmp_path / "nfs"))
    one, other = (
        Store("arrays", folder=tmp_path / name, shared=shared(place, "arrays")) for name in "ab"
    )
    assert not other.has("key") and other.get("key") is None
    put_array(one, "key", np.arange(6).reshape(2, 3))
    assert other.has("key") and not other.path("key").exists()
    fetched = other.get("key")
    assert fetched is not None and np.array_equal(fetched, np.arange(6).reshape(2, 3))
    assert other.path("key").exists()  # read from its own disk from now on
    assert not list(tmp_path.rglob("*.copy"))


def test_machines_that_share_wait_for_each_other(tmp_path: Path) -> None:
    nfs = Shared(tmp_path / "nfs")
    one, other = (Store("arrays", folder=tmp_path / name, shared=nfs) for name in "ab")
    with one.lock("key"), pytest.raises(filelock.Timeout):
        other.lock("key").acquire(blocking=False)


def test_what_is_fetched_counts_towards_the_limit(tmp_path: Path) -> None:
    nfs = Shared(tmp_path / "nfs")
    maker = Store("arrays", folder=tmp_path / "a", shared=nfs)
    for key in ("old", "new"):
        put_array(maker, key, np.zeros(1000, np.uint8))
    small = Store("arrays", folder=tmp_path / "b", shared=nfs, limit_bytes=1500)
    assert small.get("old") is not None and small.get("new") is not None
    assert names(small) == ["new.npy"]
    assert small.has("old")


def test_what_is_fetched_from_s3_is_what_was_put_there(
    tmp_path: Path, folder: S3Path, spoil: Callable[..., None], asked: list, monkeypatch
) -> None:
    monkeypatch.setattr(patience, "_PAUSE", 0.01)
    (tmp_path / "a").write_bytes(random(0))
    bucket = Shared(folder)
    bucket.keep(tmp_path / "a", "a.npy")
    spoil(flipped)
    bucket.fetch("a.npy", tmp_path / "b")
    assert (tmp_path / "b").read_bytes() == random(0) and len(asked) == 2
    spoil(lambda stream: BreaksOff(stream, ProtocolError("lost")))
    bucket.fetch("a.npy", tmp_path / "b")
    assert (tmp_path / "b").read_bytes() == random(0)
    assert asked[-1]["Range"] == f"bytes={SIZE // 2}-"


def test_what_stays_spoilt_replaces_nothing(
    tmp_path: Path, folder: S3Path, spoil: Callable[..., None]
) -> None:
    (tmp_path / "a").write_bytes(random(0))
    Shared(folder).keep(tmp_path / "a", "a.npy")
    spoil(flipped, times=3)
    with pytest.raises(S3Error, match="never matched what S3 has"):
        Shared(folder).fetch("a.npy", tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == random(0) and len([*tmp_path.iterdir()]) == 1
    with pytest.raises(FileNotFoundError):
        Shared(folder).fetch("b.npy", tmp_path / "a")
