"""Decoders that files of some names make crash, hang, or take long."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from data.videos.decoding import apart

# The decoder's process. A file whose name has "hang" writes another one as soon as it does so.
HARMFUL = """
import os, signal, sys, time
sys.path.insert(0, {root!r})
from data.videos.decoding import child, measure, stream
true_opened, true_frames, true_read = stream.opened, measure.all_frames, child.frames
def crash():
    os.kill(os.getpid(), signal.SIGSEGV)
def hang(path):
    open(path + ".begun", "w").close()
    time.sleep(600)
def opened(path, **options):
    for name, harm in (("crash", crash), ("hang", lambda: hang(str(path))),
                       ("exit", lambda: os._exit(1))):
        if name in path.name:
            harm()
    return true_opened(path, **options)
def all_frames(container, *more):
    for frame in true_frames(container, *more):
        yield frame
        if "slow" in container.name:
            time.sleep(0.05)
        if "beyond" in container.name and isinstance(frame, measure.Damaged):
            crash()
def frames(info, path):
    return crash() if "breaks" in path.name else true_read(info, path)
stream.opened = measure.opened = opened
measure.all_frames, child.frames = all_frames, frames
child.serve()
""".replace("{root!r}", repr(apart._ROOT))


@pytest.fixture
def idle(monkeypatch: pytest.MonkeyPatch) -> Iterator[apart._Idle]:
    """Decoders of this test alone."""
    idle = apart._Idle()
    monkeypatch.setattr(apart, "_idle", idle)
    yield idle
    for decoder in idle._decoders:
        decoder.end()


@pytest.fixture
def harmful(idle: apart._Idle, monkeypatch: pytest.MonkeyPatch) -> None:
    """`crash`, `hang`, `exit` and `slow` in a file's name do it; with `beyond` it crashes after damage,
    with `breaks` when it is read.
    """
    monkeypatch.setattr(apart, "_PROGRAM", HARMFUL)
    monkeypatch.setattr(apart, "_PAUSES", (0.0, 0.0))
