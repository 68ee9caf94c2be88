"""Memory that two processes see, for frames on their way from one to the other."""

from __future__ import annotations

import mmap
import os
import tempfile
import weakref
from collections import deque
from multiprocessing.connection import Connection
from multiprocessing.reduction import send_handle

import numpy as np

_RING = 32 * 2**20  # bytes of frames on their way, or a few frames
_FEWEST, _MOST = 6, 64  # frames


class Ring:
    """Memory for some frames, that the decoder fills while others are used."""

    def __init__(self, frame_bytes: int) -> None:
        page = mmap.PAGESIZE
        self.slot_bytes = max(-(-frame_bytes // page) * page, page)
        self.slots = min(max(_RING // self.slot_bytes, _FEWEST), _MOST)
        self._free: deque[int] = deque()
        self._held: set[int] = set()  # slots of frames that somebody holds
        if hasattr(os, "memfd_create"):
            self._file = os.memfd_create("frames")
        else:
            with tempfile.TemporaryFile() as file:
                self._file = os.dup(file.fileno())
        os.ftruncate(self._file, self.slot_bytes * self.slots)
        self._memory = mmap.mmap(self._file, self.slot_bytes * self.slots)

    def share(self, connection: Connection) -> None:
        send_handle(connection, self._file, 0)
        os.close(self._file)

    def flat(self, slot: int, size: int) -> np.ndarray:
        """So many bytes of a slot, good until it is given back."""
        return np.frombuffer(self._memory, np.uint8, size, slot * self.slot_bytes)

    def give_back(self, slot: int) -> None:
        self._free.append(slot)

    def frame(self, slot: int, shape: tuple[int, ...]) -> np.ndarray:
        """The frame of a slot, which is free again when nobody holds the frame."""
        flat = self.flat(slot, int(np.prod(shape)))
        if len(self._held) >= self.slots // 2:  # the decoder needs some to go on
            frame = flat.reshape(shape).copy()
            self.give_back(slot)
            return frame
        self._held.add(slot)
        # Views of it keep `flat` alive: NumPy's do, and PyTorch's.
        weakref.finalize(flat, self._release, slot).atexit = False
        return flat.reshape(shape)

    def take_free(self) -> list[int]:
        """The slots that have become free since this was last called."""
        return [self._free.popleft() for _ in range(len(self._free))]

    def _release(self, slot: int) -> None:
        self._held.discard(slot)
        self.give_back(slot)
