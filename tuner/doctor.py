"""``python -m tuner.doctor``: checks this machine, and says what to do."""

from __future__ import annotations

import argparse
import shlex
import sys
import textwrap
from pathlib import Path

try:
    from rich.text import Text

    from data.console import clean, console, drawn_on
    from tuner import cli
    from tuner.config.load import Config
    from tuner.config.messages import ConfigError
    from tuner.diagnosis import finding
    from tuner.diagnosis.finding import Asked, Finding
except ImportError as error:  # of a package that all commands need
    from tuner.diagnosis.programs import unusable

    sys.exit(unusable(error))

EXAMPLES = """
python -m tuner.doctor
python -m tuner.doctor configs/seals.yaml
python -m tuner.doctor configs/seals.yaml --set data.videos=VIDEOS --set storage=s3://lab/runs
python -m tuner.doctor configs/seals.yaml --report
"""
_NOT_GIVEN = Path()  # no file can be called so
_STYLES = {"ok": "green", "warning": "yellow", "wrong": "bold red"}


def arguments() -> argparse.ArgumentParser:
    parser = cli.parser(
        "doctor",
        "Check this machine in about 20 seconds, and say what to do: programs, decoders, CPUs, memory, "
        "card, disks, limits, Ray, open ports; and of a configuration its videos, storage and results "
        "store. Nothing is changed. Exit status 1: something is wrong, and a search could not run.",
        EXAMPLES,
    )
    parser.add_argument(
        "config", type=Path, nargs="?", help="the YAML file of the search that is to run here"
    )
    cli.add_overrides(parser)
    parser.add_argument(
        "--report",
        type=Path,
        nargs="?",
        const=_NOT_GIVEN,
        metavar="FILE",
        help="also write what was found to a file that you can attach to a question, without passwords, "
        "keys and tokens (default: tuner-report-DATE.txt)",
    )
    return parser


def asked_for(path: Path | None, overrides: list[str]) -> Asked:
    """What is to be checked; a configuration that can't be used is a finding, too."""
    if path is None:
        return Asked()
    try:
        return Asked(Config.load(path, overrides), str(path))
    except ConfigError as error:
        return Asked(source=error.source, problems=error.problems)


def show(found: Finding, group: str) -> None:
    """Print a finding; `group` is that of the one before."""
    if found.group != group:
        console.print(f"\n{found.group}" if group else found.group)
    _print(f"  {found.state:<8} {found.name:<14} ", found.found, _STYLES[found.state])
    if found.advice:
        _print(f"{'to do:':>25} ", found.advice)


def _print(start: str, text: str, style: str = "") -> None:
    """Print a text beside its start; lines on a terminal are broken there."""
    wide = console.width if drawn_on(console) else 10**6
    room = max(30, wide - len(start))
    lines = textwrap.wrap(clean(text), room, break_long_words=False, break_on_hyphens=False)
    shown = Text(start + f"\n{' ' * len(start)}".join(lines))
    shown.stylize(style, 0, 10)
    console.print(shown, soft_wrap=True)


def run(asked: Asked, overrides: list[str], report: Path | None) -> int:
    """Check everything; returns the exit status."""
    from tuner.diagnosis.checks import CHECKS

    findings: list[Finding] = []
    for found in finding.run(CHECKS, asked, console.print):
        show(found, findings[-1].group if findings else "")
        findings.append(found)
    wrong = _names(findings, "wrong")
    console.print(f"\nwrong: {wrong}; mend this first: a search can't run" if wrong else "")
    if warned := _names(findings, "warning"):
        console.print(f"warnings: {warned}")
    if not wrong:
        console.print("a search can run here")
    if asked.config is not None and not wrong:
        words = [asked.source, *(word for each in overrides for word in ("--set", each))]
        console.print(
            f"next: python -m tuner.search {shlex.join(words)} --dry-run looks at every video and label"
        )
    if report is not None:
        from tuner.diagnosis.report import write

        write(report, findings, asked)
        console.print(
            f"report: {report.absolute()}: these findings, versions, the configuration and its search's "
            "last errors, without passwords, keys and tokens; read it before you give it away"
        )
    return int(bool(wrong))


def _names(findings: list[Finding], state: str) -> str:
    return ", ".join(dict.fromkeys(each.name for each in findings if each.state == state))


def main() -> int:
    parser = arguments()
    args = parser.parse_args()
    if args.overrides and args.config is None:
        parser.error("--set changes a configuration: name its file, as configs/seals.yaml")
    report = args.report
    if report is not None:
        from tuner.diagnosis.report import check_target, default_name

        report = default_name() if report == _NOT_GIVEN else report
        check_target(report)
    return run(asked_for(args.config, args.overrides), args.overrides, report)


if __name__ == "__main__":
    cli.run(main)
