"""Tests on hosts of this machine's own, or under its own Slurm, run by ``make test-cluster`` alone."""

from __future__ import annotations

import os
import time

import pytest

_HOSTS = {"cluster", "network", "slurm"}  # fixtures that take minutes, and root
_START = time.monotonic()


@pytest.hookimpl(tryfirst=True)  # before -m chooses
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if _HOSTS & set(getattr(item, "fixturenames", ())):
            item.add_marker("cluster")


@pytest.hookimpl(tryfirst=True)  # before fixtures start hosts
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Begin no more tests after TUNER_CLUSTER_MINUTES, if somebody waits for the end."""
    minutes = float(os.environ.get("TUNER_CLUSTER_MINUTES", "inf"))
    if item.get_closest_marker("cluster") and time.monotonic() - _START > minutes * 60:
        pytest.skip(f"its turn did not come within {minutes:g} minutes (TUNER_CLUSTER_MINUTES)")
