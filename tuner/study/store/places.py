"""Where the files of a search are, also after its folder was moved or copied, with its results store."""

from __future__ import annotations

import os
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

PLACE = "place"  # a note: the folder of the results store when the paths of the search were noted
_PATHS = (
    *(("storage",), ("data", "videos"), ("data", "labels"), ("data", "shared_cache")),
    *(("data", "splits", "file"), ("model", "model_weights_path")),
)


def noted(notes: Mapping[str, Any], now: Path | None, name: str) -> dict[str, Any]:
    """The configuration among the notes of a search; empty if it is none of this product's.

    Args:
        now, name: as of `found_again`.
    """
    tree = notes.get("config", {})
    if "data" in tree:  # earlier versions knew of labels of frames alone, and of sampled ones
        numbers = "file" if tree["data"].get("fps") is None else "sampled"
        tree = {**tree, "data": {"unit": "frame", "frame_numbers": numbers} | tree["data"]}
    return found_again(tree, notes.get(PLACE), now, name)


def found_again(
    tree: Mapping[str, Any], before: str | None, now: Path | None, name: str
) -> dict[str, Any]:
    """A configuration as it was noted, with the paths that its files have now.

    A file that lies as far from the results store as it did then is the one that is meant. It is taken
    if the models of the search are found so, or if nothing is at the former path any more.

    Args:
        tree: of the configuration, with absolute paths.
        before: the folder of the results store then; None: it was not noted, as by earlier versions,
            and was probably that of the models.
        now: its folder now; None: it is in no file.
        name: of the search.
    """
    found: dict[str, Any] = deepcopy(dict(tree))
    storage = Path(found.get("storage") or "")
    start = Path(before) if before else storage
    if now is None or not start.is_absolute() or now == start:
        return found

    def elsewhere(path: Path) -> Path:
        return Path(os.path.normpath(now / os.path.relpath(path, start)))

    # Else the database alone may have been copied.
    moved = before is not None and storage.is_absolute() and (elsewhere(storage) / name).is_dir()
    for *sections, key in _PATHS:
        node: Any = found
        for section in sections:
            node = node.get(section) or {}
        path = Path(node.get(key) or "")
        if path.is_absolute():  # else it is on S3, or drawn
            last = name if key == "storage" else ""
            candidate = elsewhere(path)
            if (candidate / last).exists() and (moved or not (path / last).exists()):
                node[key] = str(candidate)
    return found
