"""A person who uses a cluster from this machine: ``ray up`` and the like, and waiting for results."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

# Factor of all limits of waiting, for slow machines: they are reached only where something is wrong.
PATIENCE = 5
ROOT = Path(__file__).parents[2]


def ray(home: Path, *words: str, **environment: str) -> str:
    """What a command of Ray's prints, in the project's folder.

    Args:
        home: the person's home folder.

    Raises:
        AssertionError: it failed; with all that it printed.
    """
    variables = {
        "HOME": str(home),
        "PYTHONPATH": str(ROOT),
        "TMPDIR": str(home),  # where Ray caches what it has found out about a cluster
    }
    done = subprocess.run(
        [str(Path(sys.executable).parent / "ray"), *words],
        cwd=ROOT,
        env={**os.environ, **variables, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=400 * PATIENCE,
    )
    assert done.returncode == 0, f"{shlex.join(words)}\n{done.stdout}"
    return done.stdout


def wait_for(condition: Callable[[], Any], seconds: float, what: str) -> Any:
    """The first true value of `condition`, within `seconds` on a quick machine.

    Raises:
        AssertionError: there was none in time.
    """
    seconds *= PATIENCE
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(0.3)
    pytest.fail(f"{what}: not within {seconds:.0f} s")
