"""Files of tensors: whole or not there, and a damaged one is told."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from models import tensors
from models.tensors import DamagedTensors

CONTENT = {"weights": {"a": torch.arange(6.0).reshape(2, 3)}, "epoch": 3, "name": "läufe"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    tensors.write(CONTENT, tmp_path / "last.pt")
    return tmp_path / "last.pt"


@pytest.fixture
def zip_checksums() -> Iterator[None]:
    """PyTorch writes them, as it does for others."""
    torch.serialization.set_crc32_options(True)
    yield
    torch.serialization.set_crc32_options(False)


def test_what_was_written_is_read(path: Path) -> None:
    content = tensors.read(path)
    assert torch.equal(content["weights"]["a"], CONTENT["weights"]["a"])
    assert (content["epoch"], content["name"]) == (3, "läufe")
    assert [file.name for file in path.parent.iterdir()] == ["last.pt"]


def test_pytorch_reads_it_too(path: Path) -> None:
    assert torch.load(path, weights_only=True)["epoch"] == 3


def test_files_of_earlier_versions_are_read(tmp_path: Path) -> None:
    torch.save(CONTENT, tmp_path / "old.pt")
    assert tensors.read(tmp_path / "old.pt")["epoch"] == 3


def test_each_flipped_bit_is_noticed(path: Path) -> None:
    whole = path.read_bytes()
    for place in range(len(whole)):
        content = bytearray(whole)
        content[place] ^= 1 << place % 8
        path.write_bytes(content)
        with pytest.raises(DamagedTensors, match=r"last\.pt"):
            tensors.read(path)


@pytest.mark.parametrize("lost", [1, 32, 40])
def test_a_file_that_lost_its_checksum_is_not_taken_for_an_earlier_one(
    path: Path, lost: int
) -> None:
    content = bytearray(path.read_bytes()[:-lost])
    place = content.index(torch.arange(6.0).numpy().tobytes())
    content[place] ^= 1
    path.write_bytes(content)
    with pytest.raises(DamagedTensors, match=r"last\.pt"):
        tensors.read(path)


def test_the_checksums_that_zip_has_are_compared(tmp_path: Path, zip_checksums: None) -> None:
    torch.save(CONTENT, tmp_path / "old.pt")
    content = bytearray((tmp_path / "old.pt").read_bytes())
    content[content.index(torch.arange(6.0).numpy().tobytes())] ^= 1
    (tmp_path / "old.pt").write_bytes(content)
    with pytest.raises(DamagedTensors, match=r"old\.pt"):
        tensors.read(tmp_path / "old.pt")


def test_a_place_that_no_file_has_is_damage(tmp_path: Path) -> None:
    """PyTorch looks for the end of a zip file before its beginning, and says: invalid argument."""
    for length in range(1, 40):
        (tmp_path / "last.pt").write_bytes(b"PK\x05\x06"[:length] + b"\0" * length)
        with pytest.raises(DamagedTensors, match=r"last\.pt"):
            tensors.read(tmp_path / "last.pt")


@pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.9, 0.95])
def test_a_cut_is_noticed(path: Path, share: float) -> None:
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(DamagedTensors, match=r"last\.pt"):
        tensors.read(path)


def test_the_file_before_stays_if_writing_fails(path: Path, monkeypatch) -> None:
    def full(*args: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(OSError, match="No space left"):
        tensors.write({"epoch": 4}, path)
    assert tensors.read(path)["epoch"] == 3
    assert [file.name for file in path.parent.iterdir()] == ["last.pt"]


@pytest.mark.parametrize("error", [MemoryError(), OSError(5, "Input/output error")])
def test_a_fault_of_the_machine_is_no_damage(path: Path, monkeypatch, error) -> None:
    def fail(*args: object, **options: object) -> None:
        raise error

    monkeypatch.setattr(torch, "load", fail)
    with pytest.raises(type(error)):
        tensors.read(path)
