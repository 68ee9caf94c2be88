"""Files of tensors and plain values: whole or not there, and a damaged one is not taken for a right one.

A file is written under another name, brought to the disk, and renamed. It ends with its length and a
checksum (XXH3, 128 bits), which `torch.load` passes over.
"""

import errno
import os
import struct
import uuid
import zipfile
from pathlib import Path
from typing import Any

import torch
import xxhash

# A checksum of each tensor nearly doubles the time of writing, and is not checked on reading.
torch.serialization.set_crc32_options(False)

_MARK = b"tunerXX1"
_SEALED = (
    ".sealed/"  # in the name of each part of a file that has a checksum, so that none loses it
)
_END = struct.Struct("<8sQ16s")  # mark, length and checksum of what is before
_CHUNK = 2**20


class DamagedTensors(ValueError):
    """A file is not what was written, or another kind of file."""


def write(content: Any, path: Path) -> None:
    """Write a file that `read` reads; it takes the place of one that is there."""
    # PyTorch calls the parts after the file, without its ending.
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex}{_SEALED.rstrip('/')}.tmp")
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
    """What was written, on the CPU.

    Files of earlier versions have no checksum at their end, and are read without, but for the checksums
    of zip's own that they may have.

    Raises:
        FileNotFoundError: it isn't there.
        DamagedTensors: it is damaged, or another kind of file.
    """
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _END.size))
        end = file.read()
        sealed = end.startswith(_MARK) and len(end) == _END.size
        if sealed:
            _, length, checksum = _END.unpack(end)
            file.seek(0)
            if length != size - _END.size or _checksum(file, length) != checksum:
                raise DamagedTensors(f"{path} is damaged: its checksum differs")
    try:
        if not sealed:
            _check_parts(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except DamagedTensors:
        raise
    except Exception as error:  # pickle and zip raise their own exceptions
        # Faults of the machine: the file may be whole. But what is damaged leads to places in the file
        # that can't be, where no place is looked for in one that is whole.
        machine = isinstance(error, OSError) and error.errno != errno.EINVAL
        if machine or isinstance(error, MemoryError):
            raise
        raise DamagedTensors(
            f"{path} is not a model's file or checkpoint, or is damaged ({type(error).__name__})"
        ) from error


def _check_parts(path: Path) -> None:
    """Look through a file that has no end of `write`'s.

    Raises:
        DamagedTensors: it once had one.
        zipfile.BadZipFile: it is no zip file, or a part differs from its checksum.
    """
    with zipfile.ZipFile(path) as file:
        for part in file.infolist():
            if _SEALED in part.filename:
                raise DamagedTensors(f"{path} is damaged: it does not end as it was written")
            if part.CRC:  # else there is none
                with file.open(part) as content:
                    while content.read(_CHUNK):
                        pass


def _checksum(file: Any, length: int) -> bytes:
    """The checksum of the next `length` bytes; the file is then at their end."""
    digest = xxhash.xxh3_128()
    while length and (chunk := file.read(min(_CHUNK, length))):
        digest.update(chunk)
        length -= len(chunk)
    return digest.digest()
