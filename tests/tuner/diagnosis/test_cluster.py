"""Clusters that don't answer, ports that others reach, and tokens that others read."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import tuner.diagnosis.cluster as module
from tests.tuner.diagnosis.conftest import NOBODY
from tuner.diagnosis.cluster import cluster, ports, processes, tokens
from tuner.diagnosis.finding import Asked


def listening(tmp_path: Path, host: str, before: tuple[str, ...] = ()) -> subprocess.Popen:
    """A process that looks like Ray's dashboard, and listens."""
    folder = tmp_path / "ray" / "dashboard"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "dashboard.py").write_text(
        "import socket, sys\n"
        f"server = socket.create_server(({host!r}, 0))\n"
        "print(server.getsockname()[1], flush=True)\n"
        "sys.stdin.read()\n"
    )
    return subprocess.Popen(
        [*before, sys.executable, str(folder / "dashboard.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize(("host", "told"), [("0.0.0.0", True), ("127.0.0.1", False)])
def test_ports_that_other_machines_reach_are_told(tmp_path, host, told):
    with listening(tmp_path, host) as process:
        port = process.stdout.readline().strip()
        (finding,) = ports(Asked())
        process.stdin.close()
    assert (port in finding.found) == told
    if told:
        assert finding.state == "warning" and "dashboard" in finding.found
        assert "ray stop" in finding.advice


def test_a_cluster_without_a_token_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    with listening(tmp_path, "0.0.0.0") as process:
        process.stdout.readline()
        (finding,) = ports(Asked())
        process.stdin.close()
    assert "asks for no token" in finding.found


def test_ports_of_others_are_theirs(open_folder, as_nobody):
    with listening(open_folder, "0.0.0.0", tuple(as_nobody)) as process:
        port = process.stdout.readline().strip()
        (finding,) = ports(Asked())
        process.stdin.close()
    assert port and port not in finding.found


@pytest.mark.skipif(os.getuid() != 0, reason="needs root, to run a program as another user")
def test_rays_of_this_and_of_another_user_are_told(open_folder):
    program = open_folder / "raylet"
    program.write_bytes(Path("/bin/sleep").read_bytes())
    program.chmod(0o755)
    own = subprocess.Popen([program, "60"])
    other = subprocess.Popen([program, "60"], user=NOBODY, group=NOBODY)
    try:
        found = [finding.found for finding in processes(Asked())]
    finally:
        for each in (own, other):
            each.kill()
            each.wait()
    assert "of yours" in found[0] and str(own.pid) in found[0] and "ray stop" in found[0]
    assert "of other users" in found[1]


def test_an_address_that_does_not_answer_is_wrong(monkeypatch):
    monkeypatch.setattr(module, "_PATIENCE", 0.1)
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:9")
    (finding,) = cluster(Asked())
    assert finding.state == "wrong" and "no Ray cluster answers" in finding.found
    assert "unset RAY_ADDRESS" in finding.advice


def test_no_address_is_fine(monkeypatch, tmp_path):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    monkeypatch.setattr(module, "_PROGRAM", "print(1, 'machine')")
    (finding,) = cluster(Asked())
    assert finding.state == "ok" and "a Ray of its own, which was tried" in finding.found


def test_ray_that_does_not_start_is_wrong(monkeypatch):
    """It has no folder for its sockets."""
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv("RAY_TMPDIR", "/dev/null/folder")
    (finding,) = cluster(Asked())
    assert finding.state == "wrong" and finding.found.startswith("Ray does not start: ")
    assert "/dev/null/folder" in finding.found


def test_ray_that_takes_too_long_is_wrong(monkeypatch, tmp_path):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    monkeypatch.setattr(module, "_PROGRAM", "import time; time.sleep(60)")
    monkeypatch.setattr(module, "STARTING", 0.2)
    (finding,) = cluster(Asked())
    assert finding.state == "wrong" and "did not start within" in finding.found


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("RAY_AUTH_TOKEN_PATH", "AWS_SHARED_CREDENTIALS_FILE", "PGPASSFILE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.mark.parametrize("name", [".ray/auth_token", ".aws/credentials", ".pgpass"])
def test_a_file_of_secrets_that_others_read_is_told(home, name):
    path = home / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("secret")
    path.chmod(0o644)
    (finding,) = tokens(Asked())
    assert (
        finding.state == "warning" and f"{path} can be read by others (mode 644)" in finding.found
    )
    assert f"chmod 600 {path}" in finding.advice
    assert ("does not use it" in finding.found) == (name == ".pgpass")
    path.chmod(0o600)
    (finding,) = tokens(Asked())
    assert finding.state == "ok" and str(path) in finding.found


def test_no_files_of_secrets(home):
    (finding,) = tokens(Asked())
    assert finding.state == "ok" and "no files" in finding.found
