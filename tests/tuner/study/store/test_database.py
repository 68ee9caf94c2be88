"""The database of a results store, as several processes open it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.postgres import serving
from tuner.study.store.database import without_password

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


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:secret@h/db",
        "postgresql://u:sec@secret@h/db",
        "postgresql://u:secret@h:port/db",
        "postgresql:/u:secret@h/db",
        "u:secret@h/db",
        "postgresql://h/db?password=secret",
        "postgresql://h/db?user=u&PASSWORD=secret&x=1",
        "postgresql://u:secret/more@h/db",
        "postgresql://u:secret@[::1/db",
        "postgresql+psycopg://:secret@h/db",
        "postgres://u:secret@",
        "postgresql:u:secret@h",
        "host=h password=secret user=u",
        "postgresql://u:secret%zz@h/db",
        "postgresql://u:secret@h:99999999/db",
        "postgresql://u:secret",
        "postgresql://u:12secret",
    ],
)
def test_no_password_is_shown_whatever_the_url(url):
    assert "secret" not in without_password(url)


@pytest.mark.parametrize(
    "url", ["sqlite:////a/b:c@d.db", "postgresql://u@h:5432/db", "postgresql://h:5432/db", "", "x"]
)
def test_a_url_without_a_password_stays(url):
    assert without_password(url) == url
