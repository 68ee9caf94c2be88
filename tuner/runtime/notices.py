"""Lines of workers for the console of the search; all else that workers print is in Ray's logs."""

from __future__ import annotations

import os
import socket
import time
import uuid
from collections.abc import Callable

from tuner.runtime.patches import collect, post


class Notices:
    """Brings lines from any worker to the search."""

    def __init__(self) -> None:
        self._prefix = f"notices:{uuid.uuid4().hex}:"

    def say(self, line: str) -> None:
        print(line)
        key = f"{self._prefix}{time.time():.6f}:{os.getpid()}"
        post(key, f"{socket.gethostname()}: {line}")

    def show(self, say: Callable[[str], object]) -> None:
        """Show what workers have said since the last call."""
        for line in collect(self._prefix):
            say(line)
