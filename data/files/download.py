"""Files copied whole or not at all; downloads from S3 are checked against what S3 has."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

from data.files.path import CHUNK, File, OnChunk, S3Path
from data.files.s3 import CHANGED, GONE, S3Error

PART = ".copy"  # ends the name of a file that is being copied
_TRIES = 3  # downloads of one file, if what comes never matches what S3 says


class SpoiltError(S3Error):
    """What comes from S3 never matches what S3 says about it."""


def copy(source: File, target: File) -> None:
    """Copy a file from a disk or from S3 to a disk, or from a disk to S3.

    Raises:
        FileNotFoundError: there is no `source`.
        S3Error: S3 can't be used.
    """
    if isinstance(target, S3Path):
        assert isinstance(source, Path)
        target.upload(source)
        return
    part = target.with_name(f"{target.stem}.{socket.gethostname()}-{os.getpid()}{PART}")
    try:
        if isinstance(source, S3Path):
            part.touch()
            download(source, part)
        else:
            shutil.copyfile(source, part)
        os.replace(part, target)
    except S3Error as error:
        if error.code in GONE:
            raise FileNotFoundError(str(error)) from error
        raise
    finally:
        part.unlink(missing_ok=True)


def download(file: S3Path, part: Path, on_chunk: OnChunk = lambda: None) -> None:
    """Write a file's content over `part`, and again if it does not match what S3 says about it.

    Args:
        on_chunk: called after every `CHUNK` that is downloaded.

    Raises:
        SpoiltError: it never matches.
        S3Error: S3 does not give it.
    """
    wrong = None
    for _ in range(_TRIES):
        try:
            with part.open("r+b") as output:
                reply = file.read_into(output, on_chunk)
                output.truncate()
                os.fsync(output.fileno())
            wrong = _wrong(file, part, reply)
        except S3Error as error:
            if error.code == "FlexibleChecksumError":  # the checksum that S3 keeps with the object
                wrong = "its checksum differs"
            elif error.code in CHANGED and not file.etag:
                wrong = "it has changed meanwhile"
            else:
                raise
        if wrong is None:
            return
    raise SpoiltError(
        f"downloaded from S3 {_TRIES} times, but it never matched what S3 has: {wrong}"
    )


def _wrong(file: S3Path, part: Path, reply: dict[str, Any]) -> str | None:
    """What is wrong with a downloaded content; None if nothing is."""
    file = replace(file, size=file.size or reply["ContentLength"], etag=reply["ETag"].strip('"'))
    size = part.stat().st_size
    if size != file.size:
        return f"it has {size:,} bytes, not {file.size:,}"
    # The ETag of an object encrypted with its own key is not an MD5.
    keyed = "SSECustomerAlgorithm" in reply or "kms" in reply.get("ServerSideEncryption", "")
    if keyed or not re.fullmatch(r"[0-9a-f]{32}(-\d+)?", file.etag):
        return None
    md5 = _etag(part, file)
    return None if md5 in (None, file.etag) else f"its MD5 is {md5}, not {file.etag}"


def _etag(path: Path, file: S3Path) -> str | None:
    """S3's ETag of `path`: its MD5, or the MD5 of its parts' MD5s if `file` was sent in parts.

    None if the parts had different sizes: those can't be known here.
    """
    _, _, count = file.etag.partition("-")
    with path.open("rb") as content:
        if not count:
            return _md5(content, file.size).hex()
        # Without the listed ETag: some servers would compare it with the part's own.
        size = int(replace(file, etag="").head(PartNumber=1)["ContentLength"])
        if -(-file.size // size) != int(count):
            return None
        parts = b"".join(_md5(content, size) for _ in range(int(count)))
        return f"{hashlib.md5(parts, usedforsecurity=False).hexdigest()}-{count}"


def _md5(file: BinaryIO, count: int) -> bytes:
    """The MD5 of the next `count` bytes."""
    digest = hashlib.md5(usedforsecurity=False)
    while count and (chunk := file.read(min(CHUNK, count))):
        digest.update(chunk)
        count -= len(chunk)
    return digest.digest()
