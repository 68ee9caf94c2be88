"""Folders that can't be written to, full or slow disks, and clocks that differ."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tuner.diagnosis import disks
from tuner.diagnosis.disks import Place, disk, places
from tuner.diagnosis.finding import Asked

OTHER = "set TUNER_CACHE to another folder"
DISK = """
    from pathlib import Path
    from tuner.diagnosis.disks import Place, disk
    show(disk(Place({name!r}, Path({folder!r}), "set TUNER_CACHE")))
"""


def test_a_folder_that_is_not_there_yet_is_not_made(tmp_path: Path):
    (finding,) = disk(Place("cache", tmp_path / "a" / "b", OTHER))
    assert finding.state == "ok" and finding.name == "cache"
    assert f"{tmp_path}/a/b (to be made): " in finding.found and "GB free" in finding.found
    assert "writes" in finding.found and "MB/s" in finding.found
    assert list(tmp_path.iterdir()) == []


def test_a_disk_is_measured_once(tmp_path, monkeypatch):
    sizes = []
    real = disks.probe
    monkeypatch.setattr(disks, "probe", lambda f, size: (sizes.append(size), real(f, size))[1])
    speeds: dict[int, str] = {}
    for name in ("a", "b"):
        list(disk(Place(name, tmp_path / name, OTHER), speeds))
    assert sizes == [disks._SIZE, 0] and len(speeds) == 1


def test_a_full_disk_is_wrong(python, small_disk, tmp_path):
    program = f"""
        try:
            with open({str(tmp_path / "filler")!r}, "wb", buffering=0) as file:
                while True:
                    file.write(bytes(4096))
        except OSError:
            pass
    """ + DISK.format(name="cache", folder=str(tmp_path))
    out = python(program, before=small_disk(tmp_path, "size=1m"))
    assert out.startswith("wrong cache"), out
    assert ("0 MB are free" in out or "0.0 GB free" in out) and "set TUNER_CACHE" in out


def test_little_room_is_told(python, small_disk, tmp_path):
    program = DISK.format(name="cache", folder=str(tmp_path))
    out = python(program, before=small_disk(tmp_path, "size=150m"))
    assert out.startswith("wrong cache") and "too little for any search" in out
    out = python(program, before=small_disk(tmp_path, "size=1g"))
    assert out.startswith("warning cache") and "on tmpfs" in out and "--dry-run" in out


def test_a_disk_without_inodes_is_wrong(python, small_disk, tmp_path):
    program = DISK.format(name="cache", folder=str(tmp_path))
    out = python(program, before=small_disk(tmp_path, "size=6g,nr_inodes=50"))
    assert out.startswith("wrong cache") and "more files can be made there" in out, out


def test_a_read_only_disk_is_wrong(python, small_disk, tmp_path):
    program = DISK.format(name="storage", folder=str(tmp_path / "runs"))
    out = python(program, before=small_disk(tmp_path, "size=1m,ro"))
    assert out.startswith("wrong storage") and "Read-only file system" in out, out


def test_a_folder_of_another_user_is_wrong(python, as_nobody, open_folder):
    program = DISK.format(name="storage", folder=str(open_folder / "runs"))
    out = python(program, before=as_nobody, HOME="/tmp")
    assert out.startswith("wrong storage") and "can't be written to by you: Permission" in out
    assert "or ask its owner" in out and "Traceback" not in out


def test_files_of_another_user_are_told(python, as_nobody, open_folder):
    (open_folder / "frames" / "locks").mkdir(parents=True)
    open_folder.chmod(0o777)
    program = DISK.format(name="cache", folder=str(open_folder))
    out = python(program, before=as_nobody, HOME="/tmp")
    assert out.startswith("warning cache") and "2 files or folders in it can't be written to" in out
    assert "frames" in out and "chmod -R g+w" in out


def test_a_file_in_the_place_of_a_folder_is_wrong(tmp_path):
    (tmp_path / "runs").write_text("")
    (finding,) = disk(Place("storage", tmp_path / "runs" / "seals", "name another under storage"))
    assert finding.state == "wrong" and f"{tmp_path}/runs is a file" in finding.found


@pytest.mark.parametrize("ahead", [3600, -3600])
def test_a_clock_that_differs_is_told(tmp_path, monkeypatch, ahead):
    now = time.time
    monkeypatch.setattr("time.time", lambda: now() - ahead)
    (finding,) = disk(Place("storage", tmp_path, OTHER))
    assert finding.state == "warning" and "NTP" in finding.advice
    assert "differ by 3600 s" in finding.found or "differ by 3599 s" in finding.found


def test_a_slow_disk_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(disks, "probe", lambda folder, size: (0.0, (3.0, 200.0)))
    (finding,) = disk(Place("cache", tmp_path, OTHER))
    assert finding.state == "warning" and "writes 3 and reads 200 MB/s; it is slow" in finding.found


@pytest.mark.parametrize(("name", "state"), [("cache", "warning"), ("storage", "ok")])
def test_a_network_file_system_is_for_storage_only(tmp_path, monkeypatch, name, state):
    monkeypatch.setattr(disks, "file_system", lambda folder: "nfs4")
    (finding,) = disk(Place(name, tmp_path, OTHER))
    assert finding.state == state and "on nfs4" in finding.found


def test_nothing_stays_behind(tmp_path, monkeypatch):
    list(disk(Place("cache", tmp_path, OTHER)))

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    (finding,) = disk(Place("cache", tmp_path, OTHER))
    assert finding.state == "wrong" and "No space left on device; " in finding.found
    assert list(tmp_path.iterdir()) == []


def test_the_folders_are_those_of_the_configuration(write_config, monkeypatch, tmp_path):
    from tuner.config.load import Config

    monkeypatch.setenv("TUNER_CACHE", str(tmp_path / "cache"))
    config = Config.load(write_config(), {"data.shared_cache": str(tmp_path / "team")})
    found = {place.name: place.folder for place in places(Asked(config))}
    assert found["cache"] == tmp_path / "cache" and found["shared cache"] == tmp_path / "team"
    assert found["storage"] == tmp_path / "runs" / "small" and "temporary" in found
    on_s3 = Config.load(write_config(storage="s3://lab/runs"))
    assert [place.name for place in places(Asked(on_s3))] == ["cache", "temporary"]
