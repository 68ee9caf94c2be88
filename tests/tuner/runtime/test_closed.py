"""Nobody else gets into a search on one machine, and it joins nobody else's cluster."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tuner.cluster.token import make_token
from tuner.config.messages import UserError
from tuner.runtime import session
from tuner.runtime.session import running_cluster


def test_a_search_on_one_machine_listens_on_loopback_alone_and_writes_no_token(tmp_path: Path):
    program = """
        import os
        import psutil
        import ray
        from tuner.runtime.session import RaySession

        with RaySession() as session:
            session.wait()
            ray.get(ray.remote(lambda: 1).remote())
            me = psutil.Process()
            for process in (me, *me.children(recursive=True)):
                for connection in process.net_connections(kind="inet"):
                    if connection.status == psutil.CONN_LISTEN:
                        print(connection.laddr.ip.removeprefix("::ffff:"))
    """
    environment = {name: value for name, value in os.environ.items() if "RAY_" not in name}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        env={**environment, "HOME": str(tmp_path)},
    )
    assert set(done.stdout.split()) == {"127.0.0.1"}, done.stdout + done.stderr
    assert not (tmp_path / ".ray").exists()


@pytest.fixture
def listening() -> str:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file in which Ray notes a cluster."""
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    (tmp_path / "ray").mkdir()
    return tmp_path / "ray" / "ray_current_cluster"


@pytest.mark.parametrize(("mode", "joins"), [(0o644, True), (0o666, False), (0o664, False)])
def test_only_a_cluster_that_nobody_else_can_have_noted_is_joined(noted, listening, mode, joins):
    noted.write_text(listening)
    noted.chmod(mode)
    assert running_cluster() == (listening if joins else None)


@pytest.mark.skipif(os.getuid() != 0, reason="needs root, to give a file to another user")
def test_another_users_cluster_is_not_joined(noted, listening):
    noted.write_text(listening)
    os.chown(noted, 12345, 12345)
    assert running_cluster() is None


@pytest.mark.parametrize("address", ["http://10.0.0.7:8265", "10.0.0.7", "10.0.0.7:x", "a/b:1"])
def test_an_address_that_is_none_is_told(monkeypatch, address):
    monkeypatch.setenv("RAY_ADDRESS", address)
    with pytest.raises(UserError, match="give HOST:PORT"):
        running_cluster()


def test_a_cluster_that_is_gone_is_told(monkeypatch):
    monkeypatch.setattr(session, "_PATIENCE", 0.2)
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:9")
    with pytest.raises(UserError, match="no Ray cluster answers"):
        running_cluster()


def test_a_cluster_that_answers_is_joined(monkeypatch, listening):
    monkeypatch.setenv("RAY_ADDRESS", listening)
    assert running_cluster() == listening
    monkeypatch.setenv("RAY_ADDRESS", "local")
    assert running_cluster() is None


def test_a_token_that_others_can_read_is_made_anew(tmp_path):
    path = tmp_path / ".ray" / "auth_token"
    make_token(path)
    first = path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    make_token(path)
    assert path.read_text() == first
    path.chmod(0o644)
    make_token(path)
    assert path.read_text() != first and path.stat().st_mode & 0o777 == 0o600
