"""A folder whose files are the frames of one video: which of its files these are, and at what rate."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable
from pathlib import Path, PurePath

import xxhash

IMAGES = frozenset([".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"])
RATE_FILE = "fps.txt"  # in the folder, or in the one above for all of its folders
_FEWEST = 2  # numbered images; a single one is a picture


def is_image(name: str) -> bool:
    """Whether a file is an image by its name; hidden ones are not."""
    return not name.startswith(".") and PurePath(name).suffix.lower() in IMAGES


def image_number(name: str) -> int | None:
    """The last number in an image's name: ``dive-07_00133.jpg`` is 133; None if there is none."""
    digits = re.findall(r"[0-9]+", PurePath(name).stem)
    # Longer ones are no count of frames, and more than an integer of an array holds.
    return int(digits[-1]) if digits and len(digits[-1].lstrip("0")) <= 15 else None


def images_of(folder: Path) -> list[Path]:
    """The images in a folder itself, in the order of their numbers; those without one come last."""
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries if is_image(entry.name) and entry.is_file()]
    return [folder / name for name in sorted(names, key=_place)]


def _place(name: str) -> tuple[bool, int, str]:
    number = image_number(name)
    return number is None, number or 0, name


def size_of(path: Path) -> int:
    """The bytes of a file, or of the images in a folder."""
    return sum(file.stat().st_size for file in (images_of(path) if path.is_dir() else [path]))


def may_be_video(names: Iterable[str]) -> bool:
    """Whether files of these names, all that a folder holds but videos, are the frames of one."""
    images = [name for name in names if is_image(name)]
    numbered = sum(image_number(name) is not None for name in images)
    return numbered >= _FEWEST and 2 * numbered >= len(images)


def rate_file(folder: Path) -> Path | None:
    """The file that says at how many frames a second the images follow each other, if there is one."""
    places = (folder / RATE_FILE, folder.parent / RATE_FILE)
    return next((path for path in places if path.is_file()), None)


def digest_of_images(folder: Path, *, changes: bool) -> str:
    """A key of the images in a folder, and of what says their rate.

    Args:
        changes: their times of change count, too, and the bytes of three of them are enough then.
    """
    images = images_of(folder)
    read = images[:: max(1, len(images) // 3)] if changes else images
    digest = hashlib.sha256()
    for image in images:
        stat = image.stat()
        digest.update(f"{image.name}:{stat.st_size}".encode(errors="surrogateescape"))
        digest.update(f":{stat.st_mtime_ns}".encode() if changes else b"")
    for file in [*read, *([rate] if (rate := rate_file(folder)) else [])]:
        digest.update(xxhash.xxh3_128_digest(file.read_bytes()))
    return digest.hexdigest()[:32]
