"""What a user reads when a command ends so abruptly that it can say nothing more itself."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from typing import NoReturn

from tuner.runtime.signals import STOPPING

# It outlives the command by a moment: its input ends when the command does, in whatever way.
_LISTENER = """
import signal, sys
last, *stopping = sys.argv[1:]
for name in stopping:
    signal.signal(signal.Signals[name], signal.SIG_IGN)
said = sys.stdin.buffer.read().decode()
if said != "well":
    if sys.stderr.isatty():
        print(end="\\x1b[?25h\\n", file=sys.stderr)  # a progress bar hides the cursor
    said = said or "killed: by hand, by the system (was memory short?) or by Ray"
    print(said, last, sep="; ", file=sys.stderr)
"""
_WELL = b"well"
STOPPED = 130  # the exit status of a command that Ctrl-C has ended


class LastWords:
    """A context; prints `words` if it is stopped, or this process ends without leaving it.

    A process that is killed, by hand or because memory is short, can't say what to do next, nor can one
    that a library ends. So another small process waits for its end and does.
    """

    def __init__(self, words: str) -> None:
        self._words = words

    def __enter__(self) -> LastWords:
        self._listener = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _LISTENER, self._words, "SIGINT", *STOPPING],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
        )
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        by_hand = isinstance(error, KeyboardInterrupt)
        stopped = by_hand or (isinstance(error, SystemExit) and error.code == STOPPED)
        self._say(b"stopped before its end" if stopped else _WELL)
        self._listener.wait()

    def end(self, why: str) -> NoReturn:
        """End this process at once, for a reason that is told before the words."""
        self._say(why.encode())
        os._exit(1)

    def _say(self, text: bytes) -> None:
        assert self._listener.stdin is not None
        with contextlib.suppress(OSError):  # the listener was killed
            self._listener.stdin.write(text)
            self._listener.stdin.close()
