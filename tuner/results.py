"""``python -m tuner.results``: what a results store holds, and copies of it."""

from __future__ import annotations

import argparse

from rich.table import Table

from data.console import console, output
from tuner import cli
from tuner.config.load import default_results_url

EXAMPLES = """
python -m tuner.results
python -m tuner.results --results postgresql://ana@db.example.org/seals
python -m tuner.results copy sqlite:///runs/results.db postgresql://ana@db.example.org/seals
python -m tuner.results copy postgresql://ana@db.example.org/seals sqlite:///mine.db --search night
"""


def arguments() -> argparse.ArgumentParser:
    parser = cli.parser("results", "List the searches of a results store, or copy them.", EXAMPLES)
    parser.add_argument(
        "--results",
        metavar="URL",
        help="the results store (default: what TUNER_RESULTS names, or the SQLite file in runs/)",
    )
    commands = parser.add_subparsers(dest="command")
    copy = commands.add_parser("copy", help="copy searches from one store into another")
    copy.add_argument("source", help="URL of the store that has them")
    copy.add_argument("target", help="URL of the store that gets them")
    copy.add_argument("--search", metavar="NAME", help="copy this search alone (default: all)")
    return parser


def show(url: str) -> int:
    """Print a row a search."""
    from tuner.study.store.overview import SHOWN, overview

    table = Table("search", "started", *SHOWN, "best", box=None)
    for row in overview(url):
        best, started = row["best"], row["started"]
        text = "-" if best is None else f"model {best}, {row['metric']} {row['value']:.4f}"
        when = f"{started:%Y-%m-%d %H:%M}" if started else "-"
        table.add_row(row["search"], when, *(str(row[state]) for state in SHOWN), text)
    console.print(table)
    return 0


def copy(source: str, target: str, search: str | None) -> int:
    """Copy one search or all; a search that the target has already is refused, not merged."""
    from tuner.study.store import database

    names = [search] if search else [name for name, _ in database.searches(source)]
    with output.bar("copying searches", len(names)) as advance:
        for name in names:
            database.copy(source, target, name)
            advance()
    console.print(f"copied to {database.without_password(target)}: {', '.join(names)}")
    return 0


def main() -> int:
    args = arguments().parse_args()
    if args.command == "copy":
        return copy(args.source, args.target, args.search)
    return show(args.results or default_results_url())


if __name__ == "__main__":
    cli.run(main)
