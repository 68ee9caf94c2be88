"""Which signals stop a command, and that one stop is one."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from tuner.runtime.signals import STOPPING, handlers_kept, hold, release, stop_as_by_hand


@pytest.fixture(autouse=True)
def _handlers_kept() -> Iterator[None]:
    before = {name: signal.getsignal(signal.Signals[name]) for name in (*STOPPING, "SIGINT")}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for name, handler in before.items():
        signal.signal(signal.Signals[name], handler)


@pytest.mark.parametrize("name", STOPPING)
def test_a_signal_stops_as_ctrl_c_does_and_those_after_it_disturb_nothing(name):
    stop_as_by_hand()
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.Signals[name])
    for other in STOPPING:  # while what is left is being saved
        os.kill(os.getpid(), signal.Signals[other])


def test_what_is_ignored_stays_so_as_under_nohup():
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    stop_as_by_hand()
    os.kill(os.getpid(), signal.SIGHUP)


def test_a_search_that_ignores_ctrl_c_in_the_background_is_stopped_too():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    stop_as_by_hand()
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGTERM)


def test_a_signal_that_is_held_back_comes_later():
    stop_as_by_hand()
    hold()
    os.kill(os.getpid(), signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt):
        release()


def test_what_another_program_leaves_behind_is_undone():
    stop_as_by_hand()
    before = signal.getsignal(signal.SIGUSR1)
    with handlers_kept():
        for number in (signal.SIGINT, signal.SIGUSR1):
            signal.signal(number, lambda *_: None)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert signal.getsignal(signal.SIGUSR1) is before
