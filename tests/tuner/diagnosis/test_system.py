"""Limits, shared memory, names and variables of the system that a search would stumble over."""

from __future__ import annotations

import re
import socket

import pytest

from tests.tuner.diagnosis.conftest import ROOT
from tuner.diagnosis import system
from tuner.diagnosis.finding import Asked
from tuner.diagnosis.system import environment, limits, loopback, shared_memory

LIMITS = "from tuner.diagnosis.system import limits; show(limits(Asked()))"


@pytest.mark.parametrize(("most", "state"), [(64, "wrong"), (150, "warning"), (4096, "ok")])
def test_open_files(python, most, state):
    out = python(
        "import tuner.diagnosis.system as s; s.allowed_cpus = lambda: 2; show(s.limits(Asked()))",
        before=["prlimit", f"--nofile={most}:{most}"],
    )
    line = next(line for line in out.splitlines() if "open files" in line)
    assert line.startswith(state) and f"{most:,}" in line
    assert ("ulimit -n 8192" in line) == (state != "ok")


def test_ray_raises_the_soft_limit_itself(python):
    out = python(LIMITS, before=["prlimit", "--nofile=64:8192"])
    assert "ok  open files (ulimit -n): 8,192" in out


def test_processes(python, as_nobody):
    out = python(LIMITS, before=["prlimit", "--nproc=100:100", *as_nobody], HOME="/tmp")
    line = next(line for line in out.splitlines() if "processes" in line)
    assert line.startswith("wrong") and "more are allowed (ulimit -u)" in line
    assert "ulimit -u 16384" in line


def test_addresses(python):
    out = python(LIMITS, before=["prlimit", f"--as={64 << 30}"])
    assert "warning  a process may have 69 GB of addresses (ulimit -v)" in out


def test_a_limit_of_a_container(monkeypatch):
    monkeypatch.setattr(system, "cgroup_limit", lambda *_: 64.0)
    findings = [each for each in limits(Asked()) if "processes" in each.found]
    assert [each.state for each in findings] == ["wrong"]
    assert "the container's or job's limit" in findings[0].found


def test_small_shared_memory(python, small_disk):
    from pathlib import Path

    program = "from tuner.diagnosis.system import shared_memory; show(shared_memory(Asked()))"
    out = python(program, before=small_disk(Path("/dev/shm"), "size=64m"))
    assert out.startswith("warning") and "/dev/shm: 0.07 GB free" in out and "--shm-size" in out


def test_shared_memory_that_others_own(python, as_nobody, small_disk):
    from pathlib import Path

    program = "from tuner.diagnosis.system import shared_memory; show(shared_memory(Asked()))"
    begin = small_disk(Path("/dev/shm"), "size=2g,mode=0755")
    out = python(program, before=[*begin, *as_nobody], HOME="/tmp")
    assert out.startswith("wrong") and "chmod 1777 /dev/shm" in out
    assert next(shared_memory(Asked())).state in ("ok", "warning")


def test_loopback():
    assert next(loopback(Asked())).state == "ok"


def test_no_loopback(python):
    program = "from tuner.diagnosis.system import loopback; show(loopback(Asked()))"
    import subprocess

    begin = ["unshare", "--net"]
    if subprocess.run([*begin, "true"], capture_output=True).returncode:
        pytest.skip("no network can be made here")
    out = python(program, before=begin)
    assert out.startswith("wrong") and "127.0.0.1 can't be used" in out and "ip link" in out


def test_a_loopback_that_is_kept_shut(monkeypatch):
    def refuse(*words, **more):
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr(socket, "create_connection", refuse)
    assert "Connection refused" in next(loopback(Asked())).found


@pytest.mark.parametrize(
    ("settings", "state"),
    [
        ({"PYTHONUTF8": "1"}, "ok"),
        ({"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C"}, "warning"),
        ({"PYTHONIOENCODING": "latin-1"}, "warning"),
    ],
)
def test_names_of_files(python, settings, state):
    program = "from tuner.diagnosis.system import names; show(names(Asked()))"
    out = python(program.replace("show", "[print(f.state) for f in ", 1) + "]", **settings)
    assert out.strip() == state


def test_a_variable_with_a_typing_error_is_told(monkeypatch):
    monkeypatch.setenv("TUNER_CASHE", "/data/cache")
    monkeypatch.setenv("TUNER_SOMETHING", "1")
    findings = {f.found.split(" ")[0]: f for f in environment(Asked()) if f.state == "warning"}
    assert "did you mean 'TUNER_CACHE'?" in findings["TUNER_CASHE"].found
    assert "known are TUNER_CACHE" in findings["TUNER_SOMETHING"].found


def test_a_password_in_a_variable_is_not_shown(monkeypatch):
    monkeypatch.setenv("TUNER_RESULTS", "postgresql://ana:geheim@db/seals")
    (finding,) = environment(Asked())
    assert "ana:***@db" in finding.found and "geheim" not in finding.found


def test_all_variables_that_the_product_reads_are_known():
    files = [*(ROOT / "cluster").rglob("*"), *ROOT.glob("[dmt][aou][tdn]*/**/*.py")]
    texts = [file.read_text(encoding="utf-8") for file in files if file.is_file()]
    read = {name for text in texts for name in re.findall(r"TUNER_[A-Z_]*[A-Z]", text)}
    assert read == set(system.KNOWN)
