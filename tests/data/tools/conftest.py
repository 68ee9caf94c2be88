"""A tool as a user gives it: ``python -m data ...`` in this process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

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


@pytest.fixture
def labelled(tmp_path: Path, make_video):
    """``labelled(rows)``: the words for a check of three videos, a and b of them at one site."""

    def write(*rows: str, header: str = "video,label", yaml: str = "") -> list[object]:
        for place, name in enumerate(("north/a", "north/b", "south/c")):
            make_video(
                tmp_path / "v" / f"{name}.mp4", numbers=[*range(place * 50, place * 50 + 20)]
            )
        (tmp_path / "labels.csv").write_text("\n".join([header, *rows]) + "\n")
        out = ("--out", tmp_path / "out")
        if yaml:
            (tmp_path / "c.yaml").write_text(
                f"data:\n  videos: {tmp_path / 'v'}\n  labels: {tmp_path / 'labels.csv'}\n  {yaml}\n"
            )
            return ["check", tmp_path / "c.yaml", *out]
        return ["check", tmp_path / "v", "--labels", tmp_path / "labels.csv", *out]

    return write
