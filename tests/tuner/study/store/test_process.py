"""One process at a time runs a search, wherever it is."""

from __future__ import annotations

import os
import time
from typing import Any

import pytest

from tuner.config.messages import StoreError
from tuner.study.store import process
from tuner.study.store.process import ALIVE, PROCESS, await_end, beating, this_process


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "BEAT", 0.05)


@pytest.fixture
def notes() -> dict[str, Any]:
    return {}


def test_a_search_that_runs_says_so_again_and_again(notes):
    with beating(notes.__setitem__):
        assert notes[PROCESS] == this_process()
        first = notes[ALIVE]
        time.sleep(0.3)
        assert notes[ALIVE] > first
    assert notes[PROCESS] is None


def test_one_that_another_machine_runs_is_refused(notes):
    with beating(notes.__setitem__):
        notes[PROCESS] = "elsewhere:17"
        with pytest.raises(StoreError, match=r"is running in another process \(elsewhere:17\)"):
            await_end("seals", lambda: dict(notes))


def test_one_that_died_on_another_machine_goes_on(notes, said):
    notes.update({PROCESS: "elsewhere:17", ALIVE: 1.0})
    await_end("seals", lambda: dict(notes))
    assert said == [
        "search 'seals' was running in process elsewhere:17; looking whether it still is"
    ]


@pytest.mark.parametrize("notes", [{}, {PROCESS: None, ALIVE: 1.0}, {PROCESS: "elsewhere:17"}])
def test_one_that_has_ended_or_is_of_an_earlier_version_goes_on_at_once(notes, said):
    await_end("seals", lambda: notes)
    assert said == []


def test_one_that_died_here_goes_on_at_once(said):
    ended = os.spawnlp(os.P_NOWAIT, "true", "true")
    os.waitpid(ended, 0)
    host = this_process().rpartition(":")[0]
    await_end("seals", lambda: {PROCESS: f"{host}:{ended}", ALIVE: 1.0})
    assert said == []
