"""``python -m data split``: which videos train, validate and test, drawn by group and class."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from data.console import output
from data.dataset import Dataset
from data.errors import DataError
from data.labels.splits import SPLITS_FILE, write_folds, write_splits
from data.tools.source import add_source, parser, source_of

EXAMPLES = """
python -m data split configs/cameratraps.yaml --by site
python -m data split VIDEOS --labels labels.csv --valid 0.2 --test 0.2 --seed 1
python -m data split VIDEOS --labels labels.csv --by site --test site4 --folds 5
python -m data split VIDEOS --labels behaviours.csv --task multilabel
"""
_WIDEST = 100  # characters of a table, above which it is turned


def folds_of(dataset: Dataset, folds: int, seed: int, by: str | None = None) -> dict[str, int]:
    """The fold, from 1, that each video outside test validates.

    Raises:
        DataError: as of `Dataset.folds`.
    """
    dealt = dataset.folds(folds, seed, by)
    return {
        video: number
        for number, splits in enumerate(dealt, 1)
        for video, split in splits.items()
        if split == "valid"
    }


def table_of_folds(dataset: Dataset, folds: dict[str, int]) -> pd.DataFrame:
    """What each fold (rows) validates, in the way of `Dataset.summary`."""
    parts = []
    for number in sorted(set(folds.values())):
        of_fold = {video for video, fold in folds.items() if fold == number}
        rows = dataset.table[dataset.table["video"].isin(of_fold)]
        part = replace(dataset, table=rows.assign(split="valid")).summary()
        parts.append(part.rename(index={"valid": f"fold {number}"}))
    table = pd.concat(parts)
    return table.fillna("0 (0)") if dataset.unit == "frame" else table.fillna(0).astype(int)


def _share_or_names(words: list[str] | None, key: str) -> float | list[str] | None:
    """``["0.2"]`` as a share, others as names of videos or groups."""
    if words is None:
        return None
    if len(words) > 1:
        return words
    try:
        share = float(words[0])
    except ValueError:
        return words
    if not 0 <= share < 1:
        raise DataError([f"{key} {words[0]}: a share of the frames goes from 0 to 1"])
    return share


def _arguments() -> argparse.ArgumentParser:
    of = parser(
        "split",
        "Draw which videos train, validate and test, so that each class has about the same share of "
        "each, and no site (or other group) is in two of them.",
        EXAMPLES,
    )
    add_source(of)
    of.add_argument("--by", help="what stays together: a column of the labels, folder, or video")
    for split in ("valid", "test"):
        help = "a share of the frames, such as 0.15, or names of videos or groups"
        of.add_argument(f"--{split}", nargs="+", metavar="SHARE|NAME", help=help)
    of.add_argument("--folds", type=int, metavar="K", help="deal train and valid into K folds, too")
    of.add_argument("--seed", type=int, help="another one draws other splits; 0 if not given")
    of.add_argument("--out", type=Path, default=Path(), metavar="FOLDER", help="for splits.csv")
    return of


def main(arguments: list[str]) -> int:
    """Run the tool; returns the exit status."""
    args = _arguments().parse_args(arguments)
    source = source_of(args.source, args.labels, output, args.task)
    if source.labels is None:
        raise DataError(["splits are drawn by class: name the label file with --labels"])
    valid, test = _share_or_names(args.valid, "--valid"), _share_or_names(args.test, "--test")
    shares = [share for share in (valid, test) if isinstance(share, float)]
    if sum(shares) >= 1:
        raise DataError(["--valid and --test leave nothing to learn from: their sum is 1 or more"])
    if shares and (isinstance(valid, list) or isinstance(test, list)):
        raise DataError(["give --valid and --test both as names or both as shares"])
    given: dict[str, Any] = {"by": args.by, "valid": valid, "test": test, "seed": args.seed}
    dataset = source.load(output, **given)
    show(dataset.summary())
    folds = {}
    if args.folds is not None:
        folds = folds_of(dataset, args.folds, args.seed or 0)
        output.say(f"\n{args.folds} folds of train and valid; each validates:")
        show(table_of_folds(dataset, folds))
    for warning in dataset.warnings:
        output.warn(f"warning: {warning}")
    for reject in dataset.rejects:
        output.warn(f"left out: {reject.video}: {reject.reason} ({reject.path})")
    if moved := write_splits(dataset.splits(), args.out):
        output.warn(f"warning: {moved}")
    if folds:
        write_folds(folds, args.out)
    path = args.out / SPLITS_FILE
    output.say(f"splits: {path}")
    output.say(f"next:   python -m tuner.search CONFIG --set data.splits.file={path}")
    return 0


def show(table: pd.DataFrame) -> None:
    """Print a table of splits and classes, turned where it is too wide."""
    table = table.rename_axis(index=None, columns=None)
    wide = len(table.to_string().partition("\n")[0]) > _WIDEST
    output.say((table.T if wide else table).to_string())
