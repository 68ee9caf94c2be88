"""``python -m data import FILE --to labels.csv``: labels of another program as one of our CSV files."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from data.cells.columns import as_categories
from data.cells.numbers import seconds_of
from data.console import console
from data.errors import DataError
from data.files.path import place
from data.formats.table import FORMATS
from data.tools import convert

EXAMPLES = """
examples:
  python -m data import project.boris --to labels.csv
  python -m data import annotations.xml --to labels.csv --videos VIDEOS
  python -m data import CAMERA_TRAP_PACKAGE --to labels.csv --dry-run
  python -m data import FOLDER_OF_EAF_FILES --to labels.csv

data.labels takes these files directly, too; import is for looking at and changing what was taken.
"""


def arguments() -> argparse.ArgumentParser:
    programs = ", ".join(form.program for form in FORMATS.values())
    parser = argparse.ArgumentParser(
        prog="python -m data import",
        description="Write labels of another program as one of our CSV files, and say what was taken, "
        f"what was left out, and why. Read are {programs}, Excel workbooks, folders of such files, and "
        "folders named after classes.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", help="the label file, or a folder of them")
    parser.add_argument("--to", type=Path, required=True, help="the CSV file to write")
    parser.add_argument("--videos", help="the folder of the videos, to check and name them by")
    parser.add_argument(
        "--dry-run", action="store_true", help="say what would be written, and write nothing"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace the file if it is there")
    return parser


def told_several(table: pd.DataFrame) -> list[str]:
    """What a search has to be told, if several classes are labelled at once; a line or none.

    Args:
        table: as of `convert.read`.
    """
    if "time_start" in table:
        times = {
            end: seconds_of(as_categories(table[end]))[0].fillna(np.inf)
            for end in ("time_start", "time_end")
        }
        rows = table[["video", "label"]].assign(**times).sort_values(["video", "time_start"])
        latest = rows.groupby("video")["time_end"].cummax().groupby(rows["video"]).shift()
        concerned = set(rows.loc[rows["time_start"] < latest, "video"])
        few = rows[rows["video"].isin(concerned)].drop_duplicates(["video", "label"])
        several = few["video"].value_counts().gt(1).sum()
    else:
        of = ["video", *(["frame"] if "frame" in table else [])]
        labels = table.groupby(of, as_index=False)["label"].nunique()
        several = labels.loc[labels["label"] > 1, "video"].nunique()
    if not several:
        return []
    return [f"in {several:,} videos labels overlap: a search needs --set model.task=multilabel"]


def main(words: list[str]) -> int:
    args = arguments().parse_args(words)
    taken = convert.read(place(args.file), None if args.videos is None else place(args.videos))
    for note in [*taken.notes, *told_several(taken.table)]:
        console.print(note)
    if taken.problems:
        raise DataError(taken.problems)
    counts = f"{len(taken.table):,} rows of {taken.table['video'].nunique():,} videos"
    columns = ", ".join(map(str, taken.table))
    if args.dry_run:
        console.print(f"would be written: {args.to}: {counts}; columns {columns}")
        return 0
    convert.save(taken, args.to, overwrite=args.overwrite)
    console.print(f"written: {args.to}: {counts}; columns {columns}")
    return 0
