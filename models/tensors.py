"""Files of tensors and plain values: whole or not there, and a damaged one is not taken for a right one.

A file is written under another name, brought to the disk, and renamed. It ends with its length and a
checksum (XXH3, 128 bits), which `torch.load` passes over.
"""

import os
import struct
import uuid
from pathlib import Path
from typing import Any

import torch
import xxhash

# A checksum of each tensor nearly doubles the time of writing, and is not checked on reading.
torch.serialization.set_crc32_options(False)

_MARK = b"tunerXX1"
_END = struct.Struct("<8sQ16s")  # mark, length and checksum of what is before
_CHUNK = 2**20


class DamagedTensors(ValueError):
    """A file is not what was written, or another kind of file."""


def write(content: Any, path: Path) -> None:
    """Write a file that `read` reads; it takes the place of one that is there."""
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        torch.save(content, part)
        length = part.stat().st_size
        with part.open("rb+") as file:
            file.write(_END.pack(_MARK, length, _checksum(file, length)))
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def read(path: Path) -> Any:
    """What was written, on the CPU. Files of earlier versions have no checksum, and are read without.

    Raises:
        FileNotFoundError: it isn't there.
        DamagedTensors: it is damaged, or another kind of file.
    """
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _END.size))
        end = file.read()
        if end.startswith(_MARK):
            _, length, checksum = _END.unpack(end)
            file.seek(0)
            if length != size - _END.size or _checksum(file, length) != checksum:
                raise DamagedTensors(f"{path} is damaged: its checksum differs")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, MemoryError):  # faults of the machine: the file may be whole
        raise
    except Exception as error:  # pickle and zip raise their own exceptions
        raise DamagedTensors(
            f"{path} is not a model's file or checkpoint, or is damaged ({type(error).__name__})"
        ) from error


def _checksum(file: Any, length: int) -> bytes:
    """The checksum of the next `length` bytes; the file is then at their end."""
    digest = xxhash.xxh3_128()
    while length and (chunk := file.read(min(_CHUNK, length))):
        digest.update(chunk)
        length -= len(chunk)
    return digest.digest()
