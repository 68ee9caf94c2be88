"""Arrays of a cache folder: written row by row, then mapped, and checked where they are read."""

from __future__ import annotations

import ctypes
import io
import math
import mmap
import os
import weakref
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from data.files.whole import Seal, Sealer, is_sealed

_MUCH = 64 * 2**20  # bytes of an array that a process does not keep in its memory
_HEADER_BYTES = 256  # room for the final row count, which is known only at the end


class ArrayWriter:
    """Appends rows to a sealed ``.npy`` file whose length isn't known beforehand.

    Args:
        path: of the file.
        name: as of `Sealer.seal`.
    """

    def __init__(self, path: Path, name: str, row_shape: tuple[int, ...], dtype: np.dtype) -> None:
        self.path, self.name = path, name
        self.row_shape, self.dtype, self.rows = row_shape, np.dtype(dtype), 0
        self.size = 0  # of the whole file, in bytes, once it is closed
        self._sealer = Sealer()
        self._file = path.open("wb")
        self._file.write(b"\0" * _HEADER_BYTES)

    def append(self, rows: np.ndarray) -> None:
        """Add ``[n, *row_shape]``."""
        if rows.shape[1:] != self.row_shape or rows.dtype != self.dtype:
            raise ValueError(
                f"rows are {rows.dtype} {rows.shape[1:]}, not {self.dtype} {self.row_shape}"
            )
        content = np.ascontiguousarray(rows).reshape(-1).view(np.uint8)
        self._file.write(content.data)
        self._sealer.update(content)
        self.rows += len(rows)

    def close(self) -> None:
        """Write seal and header, now that the number of rows is known, and bring all to the disk."""
        descr = np.lib.format.dtype_to_descr(self.dtype)
        shape = (self.rows, *self.row_shape)
        text = repr({"descr": descr, "fortran_order": False, "shape": shape})
        magic = np.lib.format.magic(1, 0)
        length = _HEADER_BYTES - len(magic) - 2
        header = magic + length.to_bytes(2, "little") + text.ljust(length - 1).encode() + b"\n"
        self._file.write(self._sealer.seal(header, self.name))
        self.size = self._file.tell()
        self._file.seek(0)
        self._file.write(header)
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()

    def abort(self) -> None:
        self._file.close()
        self.path.unlink(missing_ok=True)


class StoredArray:
    """An array that is mapped, and checked where it is read: ``array[rows]``, ``np.asarray(array)``.

    It holds no descriptor: a process may have thousands of them. It can be read even after its file was
    deleted. If it is read from row to row, the process doesn't keep what lies before: a job may be ended
    that seems to need the memory of an hour's frames.

    Attributes:
        shape, dtype: of the array.
    """

    def __init__(
        self, rows: np.ndarray, seal: Seal | None, damaged: Callable[[ValueError], NoReturn]
    ) -> None:
        self._rows, self._seal, self._damaged = rows, seal, damaged
        self._left = 0  # rows before this one have been let go
        self.shape, self.dtype = rows.shape, rows.dtype

    @classmethod
    def open(cls, path: Path, name: str, damaged: Callable[[ValueError], NoReturn]) -> StoredArray:
        """Map a file.

        Args:
            name: as of `Sealer.seal`.
            damaged: called with what is wrong, once it is noticed.

        Raises:
            FileNotFoundError: it isn't there.
        """
        file = mapped(path)
        try:
            seal = Seal(file, name) if is_sealed(file) else None
            return cls(_rows(file, seal), seal, damaged)
        except ValueError as error:
            damaged(error)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: Any) -> np.ndarray:
        if self._seal is not None and not self._seal.checked:
            self._check(index[0] if isinstance(index, tuple) else index)
        if self._rows.nbytes > _MUCH:
            if isinstance(index, slice):
                self._let_go(index.indices(len(self))[0])
            elif isinstance(index, np.ndarray) and index.size:
                self._let_go(int(index.min()))
        return self._rows[index]

    @property
    def sealed(self) -> bool:
        """Whether it can be checked; arrays of earlier versions can't."""
        return self._seal is not None

    def take(self, rows: np.ndarray, out: np.ndarray) -> None:
        """``out[:] = array[rows]``, without a copy between."""
        if self._seal is not None and not self._seal.checked:
            self._check(rows)
        np.take(self._rows, rows, axis=0, out=out)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self[:], dtype=dtype, copy=copy)

    def _let_go(self, row: int) -> None:
        """Rows before this one, if they are wanted again, come from the system's cache."""
        if row > self._left:
            let_go(self._rows[self._left : row])
        self._left = row

    def _check(self, rows: Any) -> None:
        assert self._seal is not None
        numbers = np.arange(len(self))[rows].reshape(-1)
        width = int(np.prod(self.shape[1:])) * self.dtype.itemsize
        try:
            self._seal.check(np.stack([numbers, numbers + 1], axis=1) * width)
        except ValueError as error:
            self._damaged(error)


Rows = np.ndarray | StoredArray


def _rows(file: np.ndarray, seal: Seal | None) -> np.ndarray:
    """The array in a ``.npy`` file, uint8 ``[n]``.

    Raises:
        ValueError: it is none, or cut.
    """
    head = io.BytesIO(file[: 2 * _HEADER_BYTES].tobytes())
    try:
        np.lib.format.read_magic(head)
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(head)
    except Exception as error:  # NumPy reads it as Python, whose errors are of many kinds
        raise ValueError("its header can't be read") from error
    content = file[head.tell() :] if seal is None else seal.content
    size = math.prod(shape) * dtype.itemsize
    if fortran or dtype.hasobject or size > len(content):
        raise ValueError("it is cut off")
    return content[:size].view(dtype).reshape(shape)


def mapped(path: Path) -> np.ndarray:
    """All of a file as uint8 ``[n]``, mapped read-only.

    Python's own maps hold a descriptor each (before 3.13, where this can be switched off).

    Raises:
        FileNotFoundError: it isn't there.
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if not size:
            return np.empty(0, np.uint8)
        if (libc := _libc()) is None:
            return np.frombuffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), np.uint8)
        place = libc.mmap(None, size, mmap.PROT_READ, mmap.MAP_SHARED, file.fileno(), 0)
    if place == ctypes.c_void_p(-1).value:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(path))
    buffer = (ctypes.c_uint8 * size).from_address(place)
    weakref.finalize(buffer, libc.munmap, place, size).atexit = False
    array = np.frombuffer(memoryview(buffer), np.uint8)
    array.flags.writeable = False
    return array


def let_go(array: np.ndarray) -> None:
    """Take a part of what is `mapped` from the memory of this process; it can be read as before."""
    if (libc := _libc()) is None or not array.flags.c_contiguous:
        return
    page, start = mmap.PAGESIZE, array.ctypes.data
    first, end = -(-start // page) * page, (start + array.nbytes) // page * page
    if end > first:
        libc.madvise(first, end - first, mmap.MADV_DONTNEED)


@cache
def _libc() -> ctypes.CDLL | None:
    """The C library, where it can map files."""
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        libc.mmap.restype = ctypes.c_void_p
        libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
        libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
        libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    except (AttributeError, OSError, TypeError):  # Windows
        return None
    return libc
