"""Tests on hosts of this machine's own, or under its own Slurm, run by ``make test-cluster`` alone."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

_HOSTS = {"cluster", "network", "slurm"}  # fixtures that take minutes, and root


@pytest.hookimpl(tryfirst=True)  # before -m chooses
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if _HOSTS & set(getattr(item, "fixturenames", ())):
            item.add_marker("cluster")


_HARNESS = {"hosts.py", "cloud.py", "machine.py", "endpoint.py", "conftest.py", "contextlib.py"}
_BUSY = 3.0  # load a CPU, from which on it may be the machine


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Say of a failure where to look first: at the product, these hosts, or the machine."""
    outcome = yield
    report = outcome.get_result()
    if not report.failed or call.excinfo is None or not item.get_closest_marker("cluster"):
        return
    load = os.getloadavg()[0] / (os.cpu_count() or 1)
    waited = "not within" in str(call.excinfo.value)
    late = waited or call.excinfo.errisinstance(subprocess.TimeoutExpired)
    if late and load > _BUSY:
        where = "the machine"
    elif Path(call.excinfo.traceback[-1].path).name in _HARNESS:
        where = "the hosts of the test (tests/cluster)"
    else:
        where = "the product"
    report.sections.append(("Where to look first", f"{where}; load {load:.1f} a CPU"))
