"""Which signals stop a command, and that one stop is one."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tuner.runtime.signals import STOPPING

ROOT = Path(__file__).parents[3]
# In a process with other threads, one of them may take the signal, and this test's process be stopped.
BEGIN = """
import os, signal
from tuner.runtime.signals import STOPPING, handlers_kept, hold, release, stop_as_by_hand

def comes(name):
    os.kill(os.getpid(), signal.Signals[name])
"""


def said(program: str, *words: str) -> list[str]:
    """What a program of its own process prints."""
    text = BEGIN + textwrap.dedent(program)
    done = subprocess.run(
        [sys.executable, "-c", text, *words], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.parametrize("name", STOPPING)
def test_a_signal_stops_as_ctrl_c_does_and_those_after_it_disturb_nothing(name):
    program = """
        import sys
        stop_as_by_hand()
        try:
            comes(sys.argv[1])
        except KeyboardInterrupt:
            print("stopped")
        for other in STOPPING:  # while what is left is being saved
            comes(other)
        print("saved")
    """
    assert said(program, name) == ["stopped", "saved"]


def test_what_is_ignored_stays_so_as_under_nohup():
    program = """
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        stop_as_by_hand()
        comes("SIGHUP")
        print("goes on")
    """
    assert said(program) == ["goes", "on"]


def test_a_search_that_ignores_ctrl_c_in_the_background_is_stopped_too():
    program = """
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        stop_as_by_hand()
        try:
            comes("SIGTERM")
        except KeyboardInterrupt:
            print("stopped")
    """
    assert said(program) == ["stopped"]


def test_a_signal_that_is_held_back_comes_later():
    program = """
        stop_as_by_hand()
        hold()
        comes("SIGTERM")
        print("held")
        try:
            release()
        except KeyboardInterrupt:
            print("stopped")
    """
    assert said(program) == ["held", "stopped"]


def test_what_another_program_leaves_behind_is_undone():
    program = """
        stop_as_by_hand()
        names = ("SIGINT", "SIGUSR1")
        before = [signal.getsignal(signal.Signals[name]) for name in names]
        with handlers_kept():
            for name in names:
                signal.signal(signal.Signals[name], lambda *_: None)
        print(before == [signal.getsignal(signal.Signals[name]) for name in names])
    """
    assert said(program) == ["True"]
