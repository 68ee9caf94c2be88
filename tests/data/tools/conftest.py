"""A tool as a user gives it: ``python -m data ...`` in this process."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from data.__main__ import main

Tool = Callable[..., tuple[int, str, str]]


@pytest.fixture
def tool(capsys: pytest.CaptureFixture[str]) -> Tool:
    """``tool("check", folder)``: exit status, standard output and error."""

    def run(*words: object) -> tuple[int, str, str]:
        try:
            status = main([*map(str, words)])
        except SystemExit as ended:
            status = int(ended.code or 0)
        output = capsys.readouterr()
        return status, output.out, output.err

    return run
