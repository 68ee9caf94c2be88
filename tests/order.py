"""Which tests run, and which of them first."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
import torch

_START = time.monotonic()

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


@pytest.hookimpl(tryfirst=True)  # before fixtures start the hosts of a cluster
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Begin no more long tests after TUNER_TEST_MINUTES, if somebody waits for the end."""
    if item.get_closest_marker("gpu") and not torch.cuda.is_available():
        pytest.skip("no CUDA device here")
    minutes = float(os.environ.get("TUNER_TEST_MINUTES", "inf"))
    long = item.get_closest_marker("long") or item.get_closest_marker("cluster")
    if long and time.monotonic() - _START > minutes * 60:
        pytest.skip(f"its turn did not come within {minutes:g} minutes (TUNER_TEST_MINUTES)")
