"""``python -m tuner.search CONFIG``: search the best model for the videos of a configuration."""

from __future__ import annotations

import argparse
import os
import shlex
import sys

from data.console import output
from tuner import cli
from tuner.config.load import Config
from tuner.study.space.checks import check

EXAMPLES = """
python -m tuner.search configs/seals.yaml
python -m tuner.search configs/seals.yaml --dry-run
python -m tuner.search configs/seals.yaml --set data.videos=VIDEOS --set data.labels=labels.csv
python -m tuner.search configs/seals.yaml --set name=night --set search.time_budget=8h
python -m tuner.search configs/seals.yaml --resume
"""


def arguments() -> argparse.ArgumentParser:
    parser = cli.parser("search", "Search the best video classifier.", EXAMPLES)
    cli.add_config(parser)
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="check everything and say what would be searched; train nothing",
    )
    parser.add_argument(
        "--resume", action="store_true", help="go on with the search of this name, or start it"
    )
    parser.add_argument(
        "--accept-changed-data",
        action="store_true",
        help="with --resume: if the videos or labels are not those that the search began with, delete "
        "its trials and begin again",
    )
    parser.add_argument(
        "--address",
        metavar="HOST:PORT",
        help="the Ray cluster to run on (default: RAY_ADDRESS, or the one that this machine is part "
        "of, or this machine alone)",
    )
    return parser


def main() -> int:
    args = arguments().parse_args()
    config = Config.load(args.config, args.overrides)
    if args.address:
        os.environ["RAY_ADDRESS"] = args.address
    if args.dry_run:
        from tuner.study.dry_run import dry_run

        dry_run(config, output)
        return 0
    from tuner.runtime.last_words import LastWords
    from tuner.runtime.session import RaySession, every_cpu_trains

    check(config)  # before Ray starts, which takes seconds
    new = not config.folder.exists()
    again = shlex.join(["python", "-m", "tuner.search", *sys.argv[1:]])
    if not args.resume:
        again += " --resume"

    def lost(name: str) -> None:
        words.end(f"Ray has ended, as its process {name} did")

    ahead = every_cpu_trains(config)
    with (
        LastWords(f"go on with: {again}") as words,
        RaySession(ahead=ahead, lost=lost) as session,
        cli.mistakes(),
    ):
        if new:  # a search that has already ended needs no Ray
            session.start()  # before the slow imports: Ray mostly waits while it starts
        from tuner.api import search

        result = search(
            config,
            resume=args.resume,
            accept_changed_data=args.accept_changed_data,
            strict=args.strict,
            output=output,
            session=session,
        )
    from tuner.study.summary import left, summary

    summary(config, result.store, result.seconds, again if result.interrupted else "")
    if result.interrupted:
        return 1 if left(result.store) else 130
    return 0 if result.ranking else 1


if __name__ == "__main__":
    cli.run(main)
