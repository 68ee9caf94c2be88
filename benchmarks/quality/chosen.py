"""Is what a search chooses at least as good on test videos as the best linear probe?

    python -m benchmarks.quality.chosen [--seals FOLDER] [--seeds 707 808] [--folder FOLDER]

The peer is the linear probe that validates best, trained on all folds; beside both, the best model alone
and what always naming the commonest class of the test gives. Every test figure is looked at once.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import pandas as pd
import yaml

from benchmarks.quality.searches import difference, probed, run
from benchmarks.quality.sets import Case, sample, seals, traps
from benchmarks.report import report
from tuner.runtime.session import RaySession

PREDICTORS = ["chosen", "alone", "probe", "commonest"]


def arguments(doc: str, seeds: list[int]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=doc.split("\n")[0])
    parser.add_argument("--sets", nargs="+", default=["sample", "traps", "seals"])
    parser.add_argument("--seals", type=Path, help="real videos of seals, with a labels.csv")
    parser.add_argument("--seeds", type=int, nargs="+", default=seeds)
    parser.add_argument(
        "--folder", type=Path, help="keeps searches and drawn videos, to go on from"
    )
    parser.add_argument(
        "--set",
        nargs="+",
        default=[],
        metavar="KEY=VALUE",
        help="of all searches, as of tuner.search",
    )
    parser.add_argument("--parts", nargs="+", help="of the table of parts alone: only these")
    return parser.parse_args()


def cases(args: argparse.Namespace, folder: Path) -> list[tuple[str, int, Case]]:
    """Each data set that is at hand with each seed."""
    makers = {"sample": sample, "traps": traps}
    if args.seals:
        makers["seals"] = seals(args.seals.absolute())
    names = [name for name in args.sets if name in makers]
    drawn = [(name, seed, makers[name](seed, folder)) for name in names for seed in args.seeds]
    given = dict(text.split("=", 1) for text in args.set)
    more = {key: yaml.safe_load(value) for key, value in given.items()}
    return [
        (name, seed, case._replace(changes={**case.changes, **more})) for name, seed, case in drawn
    ]


def row(name: str, table: pd.DataFrame) -> str:
    """A line of the table: accuracies, and the gain over the probe with its interval."""
    right = [(table[one] == table["label"]).mean() for one in PREDICTORS]
    gain, low, high = difference(table, "chosen", "probe")
    figures = " | ".join(f"{share:.3f}" for share in right)
    return f"| {name} | {len(table)} | {figures} | {gain:+.3f} ({low:+.3f} to {high:+.3f}) |"


def main() -> None:
    args = arguments(__doc__, [707, 808, 909, 1010, 1111])
    lines, tables = [], []
    with tempfile.TemporaryDirectory() as temporary, RaySession() as session:
        folder = (args.folder or Path(temporary)).absolute()
        for name, seed, case in cases(args, folder):
            table = run(case, folder, f"{name}-{seed}", session).assign(seed=seed)
            probe = probed(case, folder, f"{name}-{seed}-probes", session)
            keys = pd.MultiIndex.from_frame(table[["video", "frame", "label"]])
            table["probe"] = probe.reindex(keys).to_numpy()
            for part, rows in table.groupby("part"):
                rows = rows.assign(commonest=rows["label"].mode()[0])
                tables.append(rows)
                lines.append(row(f"{part}, seed {seed}", rows))
                print(lines[-1], flush=True)
    print(f"\n| test | rows | {' | '.join(PREDICTORS)} | chosen less probe |\n|{'---|' * 7}")
    print("\n".join(lines))
    ratios = {}
    for part, rows in pd.concat(tables).groupby("part"):
        print(row(f"**{part}, all seeds**", rows))
        gain, _, high = difference(rows, "chosen", "probe")
        ratios[f"{part}: upper end of chosen less probe"] = (high, "0 or more")
        ratios[f"{part}: chosen less probe"] = (gain, "0 or more")
    report("chosen", ratios, {"seeds": len(args.seeds)})


if __name__ == "__main__":
    main()
