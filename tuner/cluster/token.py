"""The token without which nobody joins a cluster."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def token_file() -> Path:
    """Where Ray looks for its token by default; the cluster's file copies it to every node."""
    return Path("~/.ray/auth_token").expanduser()


def make_token(path: Path) -> None:
    """Make the token, if there is none, or others could have read it."""
    if path.exists() and not path.stat().st_mode & 0o077:
        return
    path.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "x", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(secrets.token_hex(32))
