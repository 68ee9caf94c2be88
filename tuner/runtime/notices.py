"""Lines of the workers that belong on the console of the search; their own output is in Ray's logs."""

from __future__ import annotations

import os
import socket
import time
import uuid
from collections.abc import Callable

from ray.experimental import internal_kv

_NAMESPACE = "tuner"


class Notices:
    """Brings lines from any worker to the search, by the key-value store of Ray's head."""

    def __init__(self) -> None:
        self._prefix = f"notices:{uuid.uuid4().hex}:"

    def say(self, line: str) -> None:
        print(line)
        key = f"{self._prefix}{time.time():.6f}:{os.getpid()}"
        internal_kv._internal_kv_put(key, f"{socket.gethostname()}: {line}", namespace=_NAMESPACE)

    def show(self, say: Callable[[str], object]) -> None:
        """Say here what workers have said since the last time."""
        for key in sorted(internal_kv._internal_kv_list(self._prefix, namespace=_NAMESPACE)):
            line = internal_kv._internal_kv_get(key, namespace=_NAMESPACE).decode()
            internal_kv._internal_kv_del(key, namespace=_NAMESPACE)
            say(line)
