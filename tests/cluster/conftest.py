"""Tests on hosts of this machine's own, or under its own Slurm, run by ``make test-cluster`` alone."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

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
