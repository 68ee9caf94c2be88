"""Tests on hosts of this machine's own, or under its own Slurm, run by ``make test-cluster`` alone."""

from __future__ import annotations

import pytest

_HOSTS = {"cluster", "network", "slurm"}  # fixtures that take minutes, and root


@pytest.hookimpl(tryfirst=True)  # before -m chooses
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if _HOSTS & set(getattr(item, "fixturenames", ())):
            item.add_marker("cluster")
