"""``python -m tests.fuzz``: damaged and odd files by the thousand, given to all that reads files."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from data.console import console, output
from tests.fuzz.readers import READERS
from tests.fuzz.work import Outcome, fuzz


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("readers", nargs="*", metavar="READER", help=f"of {', '.join(READERS)}")
    parser.add_argument("--inputs", type=int, default=100_000, help="of all readers together")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()
    if unknown := set(args.readers) - set(READERS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(READERS)}")
    names = args.readers or list(READERS)
    shares = sum(READERS[name].share for name in names)
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    outcomes = []
    with output.bar("inputs", args.inputs) as advance:
        for name in names:
            inputs = max(1, args.inputs * READERS[name].share // shares)
            outcome = fuzz(name, inputs, args.seed, args.workers, advance)
            outcomes.append(outcome)
            save(outcome, folder, args.seed)
            console.print(row(outcome))
    console.print("\n" + HEADER)
    for outcome in outcomes:
        console.print(row(outcome))
    found = sum(sum(outcome.findings.values()) for outcome in outcomes)
    for outcome in outcomes:
        for what, count in outcome.findings.items():
            numbers = ", ".join(str(number) for number, *_ in outcome.samples[what])
            console.print(f"{outcome.reader}: {what}: {count} inputs, such as {numbers}")
    console.print(f"inputs that went wrong: {folder}" if found else "all was right or refused")
    return int(bool(found))


HEADER = f"{'reader':12}{'inputs':>10}{'refused':>10}{'right':>10}{'findings':>10}{'seconds':>10}"


def row(outcome: Outcome) -> str:
    """A reader's line of the table."""
    found = sum(outcome.findings.values())
    counts = f"{outcome.inputs:10,}{outcome.refused:10,}{outcome.right:10,}{found:10,}"
    return f"{outcome.reader:12}{counts}{outcome.seconds:10,.0f}"


def save(outcome: Outcome, folder: Path, seed: int) -> None:
    """Write the first inputs of each kind of finding, and what they do, into a folder."""
    for samples in outcome.samples.values():
        for number, details, content in samples:
            path = folder / outcome.reader / f"{seed}-{number}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            text = f"seed {seed}, input {number}\n{details}"
            path.with_name(f"{path.name}.txt").write_text(text, errors="backslashreplace")


if __name__ == "__main__":
    sys.exit(main())
