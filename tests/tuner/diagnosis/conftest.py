"""What tests of the checks share: findings by state, other users, and small disks."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
NOBODY = 65534


@pytest.fixture
def python() -> Callable[..., str]:
    """``python(program, before=[...], **environment)``: what a program of its own process prints.

    `before` is a command that runs it, such as ``prlimit``. `ok`, `warning` and `wrong` are printed by
    ``show(findings)``.
    """

    def run(program: str, *, before: list[str] | None = None, **environment: str) -> str:
        start = """
            from tuner.diagnosis.finding import Asked
            def show(findings):
                for each in findings:
                    print(each.state, each.name, each.found, "|", each.advice)
        """
        words = [sys.executable, "-c", textwrap.dedent(start) + textwrap.dedent(program)]
        done = subprocess.run(
            [*(before or []), *words],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


@pytest.fixture
def small_disk(tmp_path: Path) -> Callable[..., list[str]]:
    """``small_disk(folder, options)``: words that run a command with a small file system there.

    It ends with the command; the test is skipped where none can be mounted.
    """

    def words(folder: Path, options: str) -> list[str]:
        shell = f'mount -t tmpfs -o {options} tmpfs "{folder}" && exec "$@"'
        begin = ["unshare", "--mount", "sh", "-c", shell, "sh"]
        try:
            tried = subprocess.run([*begin, "true"], capture_output=True, text=True)
        except FileNotFoundError:
            pytest.skip("there is no unshare here")
        if tried.returncode:
            pytest.skip(f"no file system can be mounted here: {tried.stderr.strip()}")
        return begin

    return words


@pytest.fixture
def as_nobody() -> list[str]:
    """Words that run a command as a user without rights."""
    if os.getuid() != 0:
        pytest.skip("needs root, to run a program as another user")
    words = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    if subprocess.run([*words, sys.executable, "-c", ""], capture_output=True).returncode:
        pytest.skip("another user can't run this Python")
    return words


@pytest.fixture
def open_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that another user gets to."""
    import tempfile

    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        Path(name).chmod(0o755)
        yield Path(name)
