"""Folders named after classes: a video's class is the folder that it is in, below the folder that is
given.

``fox/a.mp4`` is of class ``fox``, and so is ``fox/night/b.mp4``. Folders ``train``, ``valid`` (or
``val``) and ``test`` above them are splits: ``train/fox/a.mp4``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import PurePath

from data.errors import some
from data.files.path import File, relative
from data.formats.taken import VIDEO, Gathered, Taken, counted

PROGRAM = "folders named after classes"
_SPLITS = {
    "train": "train",
    "valid": "valid",
    "val": "valid",
    "validation": "valid",
    "test": "test",
}


def read(path: File, files: Iterable[File]) -> Taken:
    """The classes of videos.

    Args:
        path: the folder.
        files: the videos in it and its subfolders.
    """
    places = [relative(file, path) for file in files]
    split = all(_is_split(place) for place in places)
    gathered = Gathered(PROGRAM, path, [*VIDEO, "split"] if split else VIDEO, "video")
    left: Counter[str] = Counter()
    for place in places:
        folders = place.parts[split:-1]
        if not folders:
            left[str(place.parent) if place.parent.name else "this folder itself"] += 1
            continue
        cells = [folders[0]] + ([_SPLITS[place.parts[0].lower()]] if split else [])
        gathered.add(place.as_posix(), place.as_posix(), *cells)
    if left:
        gathered.note(f"left out: videos that are in no class's folder: {counted(left)}")
    if len(gathered) and (
        deep := {p.parent.as_posix() for p in places if len(p.parts) > 2 + split}
    ):
        gathered.note(f"folders within those of classes play no part: {some(sorted(deep))}")
    return gathered.done("labels")


def _is_split(place: PurePath) -> bool:
    return len(place.parts) > 2 and place.parts[0].lower() in _SPLITS
