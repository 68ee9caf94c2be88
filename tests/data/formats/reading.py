"""What tests of formats share: files as the programs write them, and what is taken of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from data.errors import DataError
from data.formats.table import opened, recognised
from data.formats.taken import Taken


def taken(path: Path, content: str | bytes) -> Taken:
    """What is taken of a file with this content."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return taken_of(path)


def taken_of(path: Path) -> Taken:
    """What is taken of a file or folder."""
    found = opened(path, "data.labels").taken
    assert found is not None, "it is not recognised"
    assert not [line for line in found.notes + found.problems if "\n" in line]
    return found


def rows(found: Taken) -> list[tuple[Any, ...]]:
    """The rows, without problems."""
    assert found.problems == []
    return list(found.table.itertuples(index=False, name=None))


def notes(found: Taken) -> str:
    return "\n".join(found.notes)


def refused(path: Path, content: str | bytes) -> str:
    """Why a file is refused as a whole."""
    with pytest.raises(DataError) as caught:
        taken(path, content)
    return str(caught.value)


def format_of(path: Path) -> str | None:
    return recognised(path, path.read_bytes())
