"""Tests on the CPU, and on a GPU where there is one.

What trains or predicts takes the fixture `device`, or is marked to use it, and runs once for each kind
of device: `best_device` gives the one in turn. All other tests are on the CPU on any machine. ``make
test`` leaves out all that needs a GPU, by its mark; ``make test-gpu`` runs nothing else.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import torch

# Read when a process first uses the GPU's matrix products: the same ones each time.
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")


@pytest.fixture(autouse=True)
def _on_the_cpu(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process of a test sees no GPU, unless the test is one of those that need it."""
    if not request.node.get_closest_marker("gpu"):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def device(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[torch.device]:
    """Where models of the test train and predict.

    On a GPU too, the same training gives the same figures, and float32 is not rounded to less: tests of
    both hold there as they are.
    """
    if request.param == "cpu":  # also in a test that needs a GPU, to compare
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
        yield torch.device("cpu")
        return
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        yield torch.device("cuda")
    finally:
        torch.use_deterministic_algorithms(False)


def equal(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether two tensors are the same, on whatever devices they are."""
    return torch.equal(one.cpu(), other.cpu())
