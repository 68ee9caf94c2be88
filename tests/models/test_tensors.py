"""Files of tensors: whole or not there, and a damaged one is told."""

from __future__ import annotations

import os
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


def test_each_flipped_bit_is_noticed_or_harmless(path: Path) -> None:
    whole = path.read_bytes()
    for place in range(len(whole)):
        content = bytearray(whole)
        content[place] ^= 1 << place % 8
        path.write_bytes(content)
        if len(whole) - place > 32 or len(whole) - place <= 24:  # else it has no mark, but is whole
            with pytest.raises(DamagedTensors, match=r"last\.pt"):
                tensors.read(path)
        else:
            assert torch.equal(tensors.read(path)["weights"]["a"], CONTENT["weights"]["a"])


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
