"""Every file of a folder and its subfolders, links to folders included, and each once."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from data.files.patience import say


def walk(folder: Path) -> Iterator[Path]:
    """The files in `folder` and below.

    A link is looked into as if it were what it names. What is reached twice, by links or round in
    circles, is given once: by its own name, if that is below `folder`. So is a link that leads nowhere.
    A folder that can't be listed is said.
    """
    seen: set[Path] = set()
    waiting, links = deque([folder]), deque[Path]()
    while waiting or links:
        # Links come after all that is really there, so that this goes by its own name.
        path = waiting.popleft() if waiting else links.popleft()
        real = Path(os.path.realpath(path))  # Path.resolve raises where links go round
        if real in seen:
            continue
        seen.add(real)
        if not real.is_dir():
            yield path
            continue
        try:
            entries = sorted(os.scandir(path), key=lambda entry: entry.name)
        except OSError as error:
            say(f"left out: {path}: it can't be listed: {error.strerror}")
            continue
        for entry in entries:
            if entry.is_symlink():
                links.append(path / entry.name)
            elif entry.is_dir():
                waiting.append(path / entry.name)
            elif (own := real / entry.name) not in seen:
                seen.add(own)
                yield path / entry.name
