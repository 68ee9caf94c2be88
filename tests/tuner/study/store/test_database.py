"""The database of a results store, as several processes open it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.postgres import serving

# Waits until all are ready, since their imports take longer than what they are to do at once.
OPEN = """
import sys
from tuner.study.store.database import open_storage
print("ready", flush=True)
sys.stdin.readline()
open_storage(sys.argv[1])
"""


def open_at_once(url: str) -> None:
    line = [sys.executable, "-c", OPEN, url]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    searches = [subprocess.Popen(line, stderr=subprocess.PIPE, **pipes) for _ in range(3)]
    for search in searches:
        search.stdout.readline()
    for search in searches:
        search.stdin.write("\n")
        search.stdin.flush()
    for search in searches:
        _, error = search.communicate(timeout=60)
        assert search.returncode == 0, error


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_searches_that_begin_together_make_one_store(kind: str, tmp_path: Path):
    if kind == "sqlite":
        open_at_once(f"sqlite:///{tmp_path}/results.db")
        return
    with serving() as server:
        open_at_once(server.url)
