"""Nobody else gets into a search on one machine, and it joins nobody else's cluster."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from tuner.cluster.token import make_token
from tuner.config.messages import UserError
from tuner.runtime import session
from tuner.runtime.session import private_folder, running_cluster


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


@pytest.mark.skipif(os.getuid() != 0, reason="needs root, to be another user")
def test_another_user_of_the_machine_reads_no_token_and_runs_nothing(tmp_path: Path):
    theirs = """
        import os, sys
        from pathlib import Path
        # Before it is another user, who may not read Python's own files here.
        from ray._raylet import GcsClient

        head, folder, *processes = sys.argv[1:]
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
        for path in (Path(folder), *(Path(f"/proc/{one}/environ") for one in processes)):
            try:
                found = os.listdir(path) if path.is_dir() else path.read_bytes()
            except PermissionError:
                continue
            print("could read", path, found)
        try:
            print("came in", GcsClient(address=head).internal_kv_keys(b"", b"session"))
        except Exception as error:
            print("refused", error)
    """
    mine = """
        import os, subprocess, sys
        import psutil
        import ray
        from tuner.runtime.session import RaySession, private_folder

        with RaySession() as session:
            session.wait()
            ray.get(ray.remote(lambda: 1).remote())
            me = psutil.Process()
            every = [str(one.pid) for one in (me, *me.children(recursive=True))]
            head = ray.get_runtime_context().gcs_address
            folder = str(private_folder())
            clean = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"}
            for token in (os.environ["RAY_AUTH_TOKEN"], "0" * 64, ""):
                theirs = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token} if token else {}
                program = [sys.executable, "-c", sys.argv[1], head, folder, *every]
                done = subprocess.run(
                    program, capture_output=True, text=True, env=clean | theirs
                )
                print(done.stdout.strip(), done.stderr[-2000:])
    """
    environment = {name: value for name, value in os.environ.items() if "RAY_" not in name}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(mine), textwrap.dedent(theirs)],
        capture_output=True,
        text=True,
        env={**environment, "HOME": str(tmp_path)},
    )
    # With the token it would come in, so it is the token that keeps it out.
    found = [line.split()[0] for line in done.stdout.splitlines() if line.strip()]
    assert found == ["came", "refused", "refused"], done.stdout + done.stderr


@pytest.fixture
def short(monkeypatch) -> Iterator[Path]:
    """A folder for Ray with a path that is short enough."""
    folder = Path(tempfile.mkdtemp(prefix="t", dir="/tmp"))
    monkeypatch.setenv("RAY_TMPDIR", str(folder))
    yield folder
    shutil.rmtree(folder)


def test_the_folder_of_rays_sockets_is_this_users_alone(short):
    folder = private_folder().parent
    assert folder.parent == short and folder.stat().st_mode & 0o777 == 0o700
    folder.chmod(0o777)
    assert private_folder().parent == folder and folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(os.getuid() != 0, reason="needs root, to give a folder to another user")
def test_another_users_folder_is_not_used(short):
    folder = private_folder().parent
    os.chown(folder, 12345, 12345)
    other = private_folder().parent
    assert other != folder and other.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("name", ["x" * 60, "é" * 30])
def test_a_temporary_folder_whose_path_is_too_long_for_sockets_is_not_used(
    short, monkeypatch, name
):
    monkeypatch.setenv("RAY_TMPDIR", str(short / name))
    assert private_folder().parents[1] == Path("/tmp")


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
