"""``python -m tuner.results``: what a results store holds, and copies of it."""

from __future__ import annotations

import argparse

from rich.table import Table

from data.console import console, progress
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
        "--results", metavar="URL", help="the results store (default: the SQLite file in runs/)"
    )
    commands = parser.add_subparsers(dest="command")
    copy = commands.add_parser("copy", help="copy searches from one store into another")
    copy.add_argument("source", help="URL of the store that has them")
    copy.add_argument("target", help="URL of the store that gets them")
    copy.add_argument("--search", metavar="NAME", help="this one alone (default: all)")
    return parser


def show(url: str) -> int:
    """Print a row a search."""
    from tuner.study.store.database import searches
    from tuner.study.store.results import ResultsStore

    table = Table("search", "started", "finished", "pruned", "failed", "running", "best", box=None)
    for name, started in searches(url):
        store = ResultsStore.open(url, name)
        counts, ranking = store.counts(), store.ranking()
        metric = store.config.search.metric
        best = f"model {ranking[0].number}, {metric} {ranking[0].value:.4f}" if ranking else "-"
        row = [str(counts[state]) for state in ("finished", "pruned", "failed", "running")]
        table.add_row(name, f"{started:%Y-%m-%d %H:%M}" if started else "-", *row, best)
    console.print(table)
    return 0


def copy(source: str, target: str, search: str | None) -> int:
    """Copy one search or all; each is there as a whole, or not at all where it was before."""
    from tuner.study.store import database

    names = [search] if search else [name for name, _ in database.searches(source)]
    with progress("copying searches", len(names)) as advance:
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
