"""Which process runs a search, and whether it still does."""

from __future__ import annotations

import os
import socket


def this_process() -> str:
    """This process as ``host:pid``."""
    return f"{socket.gethostname()}:{os.getpid()}"


def has_ended(process: str) -> bool:
    """Whether a process has ended, as far as can be told from this machine."""
    host, _, pid = process.rpartition(":")
    if host != socket.gethostname():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:  # it is another user's
        return False
    return False
