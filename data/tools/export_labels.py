"""``python -m data export labels.csv --to FORMAT --out FILE``: labels in the form of another program."""

from __future__ import annotations

import argparse
from pathlib import Path

from data.console import console
from data.files.path import place
from data.tools import convert

EXAMPLES = """
examples:
  python -m data export labels.csv --to boris --out project.boris --videos VIDEOS
  python -m data export labels.csv --to elan --out EAF_FILES
  python -m data export labels.csv --to frames --out frames.csv --videos VIDEOS --dry-run
  python -m data export behaviours.csv --to deepethogram --out FOLDER --videos VIDEOS --task multilabel

The label file may be of any program that import reads.
"""


def arguments() -> argparse.ArgumentParser:
    formats = "\n".join(f"  {name:<13} {what}" for name, what in convert.programs().items())
    parser = argparse.ArgumentParser(
        prog="python -m data export",
        description="Write labels in the form of another program, and say what that can't hold.",
        epilog=f"formats:\n{formats}\n{EXAMPLES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("labels", help="the label file")
    parser.add_argument("--to", required=True, metavar="FORMAT", help="one of those below")
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        help="the file to write; a folder, if there is a file a video",
    )
    parser.add_argument(
        "--videos", help="the folder of the videos: their rates, lengths and endings"
    )
    parser.add_argument(
        "--task",
        choices=("multiclass", "multilabel"),
        default="multiclass",
        help="multilabel: labels such as dive+feed are two; labels that overlap need it not",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="say what would be written, and write nothing"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace files that are there")
    return parser


def main(words: list[str]) -> int:
    args = arguments().parse_args(words)
    labels, videos = place(args.labels), None if args.videos is None else place(args.videos)
    if args.dry_run:
        made = convert.make(labels, args.to, videos, args.task)
        for line in made.notes:
            console.print(line)
        for name, text in made.files.items():
            console.print(
                f"would be written: {args.out / name if name else args.out}: {len(text):,} characters"
            )
        return 0
    lines = convert.write(
        labels, args.to, args.out, videos, task=args.task, overwrite=args.overwrite
    )
    for line in lines:
        console.print(line)
    return 0
