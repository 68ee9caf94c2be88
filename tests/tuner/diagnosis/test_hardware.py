"""CPUs, memory and cards that this process may not use, or not use well."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from tuner.config.load import parse
from tuner.diagnosis import hardware
from tuner.diagnosis.finding import Asked
from tuner.diagnosis.hardware import card, cgroup_limit, cpus, memory

GB = 10**9


def config(**resources):
    space = {"space": {"architecture": ["image_mlp_frozen"]}}
    return Asked(parse({"name": "a", **space, "resources": resources}, "a"))


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two CPUs")
def test_cpus_that_a_process_may_not_use_are_told(python):
    first = min(os.sched_getaffinity(0))
    program = "from tuner.diagnosis.hardware import cpus; show(cpus(Asked()))"
    out = python(program, before=["taskset", "--cpu-list", str(first)])
    assert out.startswith("warning") and f"1 of {os.cpu_count()} may be used" in out
    assert "--set resources.trials_at_once=1" in out


def test_cpus_are_told_with_what_they_compute():
    (finding,) = cpus(Asked())
    assert finding.state == "ok" and "bf16" in finding.found


def test_fewer_trials_at_once_are_right_on_fewer_cpus(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(hardware, "allowed_cpus", lambda: 4)
    assert next(cpus(config(trials_at_once=4))).state == "ok"
    assert next(cpus(config(trials_at_once=8))).state == "warning"


def write(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)


@pytest.mark.parametrize(
    ("controller", "names", "files", "limit"),
    [
        ("cpu", ("cpu.max", "cpu.cfs_quota_us"), {"cpu__max": "150000 100000\n"}, 1.5),
        ("cpu", ("cpu.max", "cpu.cfs_quota_us"), {"cpu__max": "max 100000\n"}, None),
        ("memory", ("memory.max", "memory.limit_in_bytes"), {"memory__max": "2147483648\n"}, 2**31),
        ("memory", ("memory.max", "memory.limit_in_bytes"), {"memory__max": "max\n"}, None),
    ],
)
def test_limits_of_cgroups_v2(tmp_path, monkeypatch, controller, names, files, limit):
    monkeypatch.setattr(hardware, "_CGROUPS", tmp_path)
    read = Path.read_text

    def own(path, *words, **more):
        return "0::/job/step\n" if str(path) == "/proc/self/cgroup" else read(path, *words, **more)

    monkeypatch.setattr(Path, "read_text", own)
    write(tmp_path / "job", **files)  # of the job, above the step
    write(tmp_path / "job" / "step")
    assert cgroup_limit(controller, names) == limit


def test_limits_of_cgroups_v1(tmp_path, monkeypatch):
    monkeypatch.setattr(hardware, "_CGROUPS", tmp_path)
    read = Path.read_text
    lines = "4:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n"
    monkeypatch.setattr(
        Path,
        "read_text",
        lambda path, *words, **more: (
            lines if str(path) == "/proc/self/cgroup" else read(path, *words, **more)
        ),
    )
    write(tmp_path / "cpu", cpu__cfs_quota_us="200000", cpu__cfs_period_us="100000")
    write(tmp_path / "memory", memory__limit_in_bytes="9223372036854771712")
    assert cgroup_limit("cpu", ("cpu.max", "cpu.cfs_quota_us")) == 2
    assert cgroup_limit("memory", ("memory.max", "memory.limit_in_bytes")) is None


@pytest.mark.parametrize(
    ("free", "limit", "state", "advice"),
    [
        (16, None, "ok", ""),
        (3, None, "warning", "trials_at_once=3"),
        (1.5, None, "wrong", "close other programs"),
        (16, 3, "warning", "trials_at_once=3"),
    ],
)
def test_memory(monkeypatch, free, limit, state, advice):
    now = SimpleNamespace(total=32 * GB, available=int(free * GB))
    monkeypatch.setattr(hardware, "psutil", lambda: SimpleNamespace(virtual_memory=lambda: now))
    monkeypatch.setattr(hardware, "cgroup_limit", lambda *_: limit and limit * GB)
    monkeypatch.setattr(hardware, "allowed_cpus", lambda: 4)
    (finding,) = memory(Asked())
    assert finding.state == state and advice in finding.advice
    assert f"{free:.1f} of 32.0 GB free" in finding.found


@pytest.fixture
def no_cuda(monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "local")  # whatever else runs on this machine
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


@pytest.fixture
def nvidia(no_cuda, monkeypatch, tmp_path):
    """A machine that has a card, as its device and nvidia-smi say."""
    (tmp_path / "nvidia0").touch()
    smi = tmp_path / "nvidia-smi"
    smi.write_text("#!/bin/sh\necho 470.57\n")
    smi.chmod(0o755)
    monkeypatch.setattr(hardware, "_NVIDIA", tmp_path / "nvidia0")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr("torch.version.cuda", "13.0")


def test_no_card_is_fine_unless_one_is_asked_for(no_cuda, monkeypatch, tmp_path):
    monkeypatch.setattr(hardware, "_NVIDIA", tmp_path / "none")
    monkeypatch.setattr(hardware, "_driver", lambda: None)
    assert next(card(Asked())).state == "ok"
    assert next(card(config(gpus=0))).state == "ok"
    finding = next(card(config(gpus=1)))
    assert finding.state == "wrong" and "leave resources.gpus at auto" in finding.advice


def test_a_driver_that_is_too_old_is_told(nvidia, monkeypatch):
    import warnings

    def no():
        warnings.warn(
            "The NVIDIA driver on your system is too old (found version 11040)", stacklevel=2
        )
        return False

    monkeypatch.setattr("torch.cuda.is_available", no)
    finding = next(card(Asked()))
    assert finding.state == "warning" and "driver 470.57" in finding.found
    assert "too old (found version 11040)" in finding.found and "CUDA 13.0" in finding.advice
    assert next(card(config(gpus=1))).state == "wrong"


def test_a_pytorch_without_cuda_is_told(nvidia, monkeypatch):
    monkeypatch.setattr("torch.version.cuda", None)
    finding = next(card(Asked()))
    assert finding.state == "warning" and "was built without CUDA" in finding.found


@pytest.mark.parametrize("hidden", ["", "-1"])
def test_a_card_that_is_hidden_is_told(nvidia, monkeypatch, hidden):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
    finding = next(card(Asked()))
    assert finding.state == "warning" and f"CUDA_VISIBLE_DEVICES={hidden!r}" in finding.found


def test_a_card_of_others_is_told(nvidia, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert "can't be opened by you" in next(card(Asked())).found
