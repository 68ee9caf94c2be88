"""``python -m data explore``: one page with pictures, labels, classes and clips of all videos."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

from data.console import output
from data.errors import DataError
from data.page import megabytes
from data.tools.exploring.gathered import Explored, gather
from data.tools.exploring.page import write_explore
from data.tools.source import add_source, parser, source_of

EXAMPLES = """
python -m data explore VIDEOS --labels labels.csv
python -m data explore configs/seals.yaml --out seals.html
python -m data explore VIDEOS
"""


def main(arguments: list[str]) -> int:
    """Run the tool; returns the exit status."""
    of: argparse.ArgumentParser = parser(
        "explore",
        "Write one page to look at: pictures and labels of each video, classes by split and site, and "
        "clips that show them. It needs no network, and can be sent to others.",
        EXAMPLES,
    )
    add_source(of)
    of.add_argument(
        "--out", type=Path, default=Path("explore.html"), metavar="FILE", help="explore.html"
    )
    of.add_argument("--processes", type=int, metavar="N", help="as many as CPUs if not given")
    args = of.parse_args(arguments)
    if args.processes is not None and args.processes < 1:
        raise DataError([f"--processes {args.processes}: give 1 or more"])
    if args.out.is_dir():
        raise DataError([f"--out {args.out} is a folder: name a file in it, such as explore.html"])
    source = source_of(args.source, args.labels, output, args.task)
    explored = gather(source, output, processes=args.processes)
    write_explore(args.out, explored)
    _tell(explored, args.out)
    return 0


def _tell(explored: Explored, page: Path) -> None:
    warnings: list[str] = [*explored.dataset.warnings] if explored.dataset else []
    warnings += [f"{one.video}: {one.reason}: left out" for one in explored.rejects]
    errors: Mapping[str, str] = {name: one.error for name, one in explored.shown.items()}
    warnings += [f"{name}: {error}" for name, error in errors.items() if error]
    if explored.left_out:
        count = len(explored.videos) + explored.left_out
        warnings.append(
            f"the page shows {len(explored.videos):,} of {count:,} videos, spread evenly"
        )
    for warning in warnings:
        output.warn(f"warning: {warning}")
    size = megabytes(page.stat().st_size)
    clips = f"; {len(explored.clips)} clips" if explored.clips else ""
    output.say(f"{len(explored.videos):,} videos{clips}; {size}")
    output.say(f"to look at: {page}")
