"""What is said when a command ends abruptly: it is killed, or Ray is."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest


def run(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True
    )


def ending(how: str) -> subprocess.CompletedProcess[str]:
    """A process that ends in a way within its last words."""
    return run(f"""
        import os, signal, sys
        from tuner.runtime.last_words import LastWords

        with LastWords("go on with: this") as words:
            {how}
        """)


def test_who_is_killed_says_how_to_go_on():
    done = ending("os.kill(os.getpid(), signal.SIGKILL)")
    assert done.returncode == -9
    assert done.stderr.startswith("killed: ") and done.stderr.endswith("; go on with: this\n")


def test_an_end_for_a_reason_tells_it():
    done = ending('words.end("Ray has ended")')
    assert done.returncode == 1 and done.stderr == "Ray has ended; go on with: this\n"


@pytest.mark.parametrize("how", ["pass", "sys.exit(3)"])
def test_who_leaves_says_nothing(how):
    assert "go on" not in ending(how).stderr


@pytest.mark.parametrize("how", ["sys.exit(130)", "raise KeyboardInterrupt"])
def test_who_is_stopped_says_how_to_go_on(how):
    assert "stopped before its end; go on with: this\n" in ending(how).stderr


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_rays_end_is_noticed_at_once_and_a_signal_is_not_rays():
    environment = {name: value for name, value in os.environ.items() if "RAY_" not in name}
    program = """
        import os, signal, subprocess, threading
        import psutil
        from tuner.runtime.session import RaySession

        lost, stopped = threading.Event(), threading.Event()
        signal.signal(signal.SIGTERM, lambda *_: stopped.set())

        def said(name):
            print("lost", name, flush=True)
            lost.set()

        with RaySession(lost=said) as session:
            # Another process sends them: at times Ray lets no Python run while it starts.
            often = f"while kill -TERM {os.getpid()}; do sleep 0.02; done"
            quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            with subprocess.Popen(["sh", "-c", often], **quiet) as sender:
                session.wait()
                sender.kill()
            if stopped.wait(5):
                print("stopped while it started", flush=True)
            stopped.clear()
            os.kill(os.getpid(), signal.SIGTERM)
            if stopped.wait(5):
                print("stopped by hand", flush=True)
            groups = {os.getpgid(one.pid) for one in psutil.Process().children(recursive=True)}
            print("apart" if os.getpgid(0) not in groups else groups, flush=True)
            for process in psutil.Process().children():
                if process.name() == "gcs_server":
                    process.kill()
            lost.wait(60)
            os._exit(0)
        """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        env=environment,
    )
    *said, last = done.stdout.splitlines()
    assert said == ["stopped while it started", "stopped by hand", "apart"], done.stderr
    assert last == "lost gcs_server"


def test_a_users_mistake_is_no_abrupt_end(tmp_path):
    """It is told before Ray starts, and there is nothing to go on with."""
    config = Path(__file__).parents[3] / "configs" / "seals.yaml"
    done = subprocess.run(
        [sys.executable, "-m", "tuner.search", str(config), "--address", "nowhere"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 2 and "give HOST:PORT" in done.stderr
    assert "go on with" not in done.stderr
