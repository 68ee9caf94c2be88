"""Fixtures of tests of S3: a folder there, what it is asked, and answers that are spoilt."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from data.files.path import S3Path
from data.files.s3 import client


@pytest.fixture
def folder(s3, request: pytest.FixtureRequest) -> S3Path:
    """An empty one on S3."""
    return S3Path("lab", f"remote/{request.node.name}")


@pytest.fixture
def asked(s3) -> Iterator[list[dict[str, Any]]]:
    """What S3 is asked to give during the test."""
    found: list[dict[str, Any]] = []

    def note(params: dict[str, Any], **_: Any) -> None:
        found.append(params)

    events = client().meta.events
    events.register("before-parameter-build.s3.GetObject", note)
    yield found
    events.unregister("before-parameter-build.s3.GetObject", note)


@pytest.fixture
def spoil(s3) -> Iterator[Callable[..., None]]:
    """``spoil(change, times=1)``: what S3 gives next is read through ``change(stream)``."""
    events, left = client().meta.events, [0]
    change: list[Callable[[Any], Any]] = []

    def pass_on(parsed: dict[str, Any], **_: Any) -> None:
        if left[0]:
            left[0] -= 1
            parsed["Body"]._raw_stream = change[0](parsed["Body"]._raw_stream)

    def begin(how: Callable[[Any], Any], times: int = 1) -> None:
        change[:], left[0] = [how], times

    events.register("after-call.s3.GetObject", pass_on)
    yield begin
    events.unregister("after-call.s3.GetObject", pass_on)
