"""``python -m data check``: decodes all videos, and says what is wrong with them and their labels."""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from threading import Lock

import numpy as np
from rich.table import Table

from data.console import Output, duration, output
from data.errors import DataError
from data.files.path import File
from data.tools.checking.findings import Finding, by_video, duplicates, of_video
from data.tools.checking.labels import Labelled, check_labels
from data.tools.checking.measure import Measured, bytes_of, measure
from data.tools.checking.page import write_check
from data.tools.side_by_side import Alive, Stopped, side_by_side, usable_cpus
from data.tools.source import Source, add_source, named_videos, parser, source_of
from data.videos.rejects import Reject, write_rejects

EXAMPLES = """
python -m data check VIDEOS
python -m data check VIDEOS --labels labels.csv
python -m data check configs/seals.yaml --out check
python -m data check VIDEOS --dry-run
"""
_THUMBNAILS, _PAGE = 4, 20e6  # of a video, and bytes of all of them in the page
_BYTES = 4_000  # of a thumbnail
_TRIED, _TRY = 3, 3.0  # files that a dry run decodes a part of, and seconds of each
_SHOWN, _OF_A_KIND = 30, 10  # videos, and findings of a kind that are of none, in the terminal


@dataclass(frozen=True)
class Checked:
    """What a check found.

    Attributes:
        measured, rejects: by the name of each video, its path below the folder.
        rejects: what a search leaves out: videos that don't decode, or not to their end.
        labelled: None if there are no labels.
    """

    files: dict[str, File]
    measured: dict[str, Measured]
    rejects: dict[str, Reject]
    findings: list[Finding]
    labelled: Labelled | None


def check(source: Source, output: Output, *, processes: int | None = None) -> Checked:
    """Decode all videos of a source, and compare its labels with them.

    Args:
        processes: that decode; None: as many as there are CPUs.

    Raises:
        DataError: there are no videos.
        S3Error: videos or labels are on S3, and it can't be used.
    """
    files = named_videos(source.videos, endings=True)
    found = _measured([*files.values()], source, output, processes or usable_cpus())
    measured = dict(zip(files, found, strict=True))
    use = source.settings.get("damaged", "use") == "use"
    rejects = {
        name: reject
        for name, one in measured.items()
        if (reject := one.reject(name, files[name], use_damaged=use))
    }
    labelled = None
    if source.labels is not None:
        labelled = check_labels(source, files, measured, rejects)
    findings = [*labelled.findings] if labelled else []
    findings += duplicates(measured, files, labelled.splits if labelled else {})
    for name, one in measured.items():
        findings += of_video(name, one, rejects.get(name))
    findings.sort(key=lambda finding: finding.level != "wrong")
    return Checked(files, measured, rejects, findings, labelled)


def _measured(
    files: Sequence[File], source: Source, output: Output, processes: int
) -> list[Measured]:
    sizes = [bytes_of(file) for file in files]
    most = int(min(_THUMBNAILS, _PAGE // (_BYTES * len(files))))
    fps = source.settings.get("fps")
    done, told, lock = np.zeros(len(files)), 0, Lock()
    with output.bar("decoding videos, MB", max(1, sum(sizes) // 10**6)) as advance:

        def reach(number: int, share: float) -> None:
            nonlocal told
            with lock:
                done[number] = share * sizes[number]
                if (count := int(done.sum()) // 10**6 - told) > 0:
                    told += count
                    advance(count)

        def one(number: int, alive: Alive) -> Measured:
            def on_share(share: float) -> None:
                alive()
                reach(number, share)

            measured = measure(files[number], most, fps, on_share)
            reach(number, 1.0)
            return measured

        found = dict(side_by_side(one, range(len(files)), processes))
    return [found[number] for number in range(len(files))]


def expected(source: Source) -> tuple[int, int, float]:
    """How many videos there are, their bytes, and about how many seconds a check of them takes."""
    files = [*named_videos(source.videos).values()]
    sizes = [bytes_of(file) for file in files]
    order = sorted(range(len(files)), key=lambda number: sizes[number])
    tried = [order[len(order) // 2], *order[:: max(1, len(order) // _TRIED)][-_TRIED:]]
    reached, spent = 0.0, 0.0
    for place, number in enumerate(tried):
        share, seconds = _tried(files[number], source)
        if place:  # the first one also waits for the process to start
            reached += share * sizes[number]
            spent += seconds
    rate = reached / spent * min(usable_cpus(), len(files)) if reached else float("inf")
    return len(files), sum(sizes), sum(sizes) / rate


def _tried(file: File, source: Source) -> tuple[float, float]:
    """The share of a file that is decoded in some seconds, and how many these are."""
    begun, reached = time.monotonic(), 0.0

    def on_share(share: float) -> None:
        nonlocal reached
        reached = share
        if time.monotonic() - begun > _TRY:
            raise Stopped

    with suppress(Stopped):
        measure(file, 0, source.settings.get("fps"), on_share)
        reached = 1.0
    return reached, time.monotonic() - begun


def _arguments() -> argparse.ArgumentParser:
    of = parser(
        "check",
        "Decode all videos, and say what is wrong with them and their labels. It changes nothing. "
        "The exit status is 1 if anything is wrong.",
        EXAMPLES,
    )
    add_source(of)
    of.add_argument(
        *("--out",),
        type=Path,
        default=Path("check"),
        metavar="FOLDER",
        help="for check.html; check",
    )
    of.add_argument("--processes", type=int, metavar="N", help="as many as CPUs if not given")
    of.add_argument(
        "--dry-run", action="store_true", help="say how many videos, and about how long"
    )
    return of


def main(arguments: list[str]) -> int:
    """Run the tool; returns the exit status."""
    args = _arguments().parse_args(arguments)
    if args.processes is not None and args.processes < 1:
        raise DataError([f"--processes {args.processes}: give 1 or more"])
    source = source_of(args.source, args.labels, output, args.task)
    if args.dry_run:
        count, size, seconds = expected(source)
        output.say(f"{count:,} videos, {size / 1e9:.2f} GB under {source.videos}")
        output.say(f"time here, about: {duration(max(1, seconds))}; nothing was checked")
        return 0
    checked = check(source, output, processes=args.processes)
    _show(checked, output)
    title = str(source.videos) + (f" and {source.labels}" if source.labels else "")
    page = args.out / "check.html"
    write_check(page, title, checked.measured, checked.findings, checked.labelled)
    listed = write_rejects([*checked.rejects.values()], args.out)
    wrong = sum(finding.level == "wrong" for finding in checked.findings)
    look = len(checked.findings) - wrong
    output.say(f"checked {len(checked.files):,} videos: {wrong} wrong, {look} to look at")
    output.say(f"to look at: {page}")
    if listed:
        output.say(f"videos that don't decode, or not to their end: {listed}")
    return 1 if wrong else 0


def _show(checked: Checked, output: Output) -> None:
    concerned = by_video(checked.findings)
    if concerned:
        output.console.print(_table(checked.measured, dict(islice(concerned.items(), _SHOWN))))
        if len(concerned) > _SHOWN:
            output.say(f"and {len(concerned) - _SHOWN} more videos, in the page")
    seen: dict[str, int] = {}
    for finding in checked.findings:
        if not finding.video:
            seen[finding.kind] = seen.get(finding.kind, 0) + 1
            if seen[finding.kind] <= _OF_A_KIND:
                output.say(f"{finding.level:<5}  {finding.kind}: {finding.text}")
    for kind, count in seen.items():
        if count > _OF_A_KIND:
            output.say(f"and {count - _OF_A_KIND} more of {kind}, in the page")


def _table(measured: Mapping[str, Measured], findings: Mapping[str, list[Finding]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("video", "codec", "size", "frames/s", "frames", "found"):
        right = column in ("frames/s", "frames")
        table.add_column(column, justify="right" if right else "left", overflow="fold")
    for name, of_one in findings.items():
        survey = measured[name].survey
        said = [f"{one.level}: {one.text}" for one in of_one]
        facts = [""] * 4
        if survey is not None and (info := survey.info) is not None:
            size = f"{info.width}x{info.height}"
            facts = [survey.codec, size, f"{info.fps:.4g}", f"{len(info):,}"]
        table.add_row(name, *facts, "\n".join(said))
    return table
