"""Which tests come first."""

from __future__ import annotations

from pathlib import Path

import pytest

_HERE = Path(__file__).resolve().parent
# Folders with whole searches, the longest first.
_LONG = ("chaos", "tuner/runtime", "tuner/commands", "tuner/python", "tuner/study", "data/tools")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole searches first: of two lines of tests, none is left alone with a long one at the end."""
    items.sort(key=_place)


def _place(item: pytest.Item) -> int:
    """The place of the test's folder; those of one folder stay in their order."""
    inside = [item.path.is_relative_to(_HERE / folder) for folder in _LONG]
    return inside.index(True) if True in inside else len(_LONG)
