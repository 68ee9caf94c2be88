"""Harm that is done to videos."""

from __future__ import annotations

import itertools
from pathlib import Path

import av


def spoil(path: Path, number: int) -> None:
    """Overwrite what is in a packet of a video, so that it does not decode."""
    with av.open(str(path)) as container:
        packet = next(itertools.islice(container.demux(video=0), number, None))
        assert packet.pos is not None
        content = bytearray(path.read_bytes())
        content[packet.pos : packet.pos + packet.size] = b"\xff" * packet.size
    path.write_bytes(content)
