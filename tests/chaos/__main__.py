"""``python -m tests.chaos``: searches with many faults, compared with one that nothing disturbed."""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from data.console import console
from tests.chaos import suite
from tests.chaos.faults import FAULTS
from tests.chaos.handlers import HANDLERS
from tests.chaos.suite import Outcome, disturbed, met_of, small_disk, table
from tests.conftest import draw_videos


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faults", type=int, default=200)
    parser.add_argument("--at-once", type=int, default=9, help="faults in one search")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", action="append", choices=list(FAULTS), help="these kinds alone")
    parser.add_argument(
        "--handlers",
        action="store_true",
        help="instead, take out one thing at a time that the product does against faults, and see "
        "whether faults are noticed then",
    )
    parser.add_argument(
        "--handler", action="append", choices=list(HANDLERS), help="of these, these alone"
    )
    args = parser.parse_args()
    if args.handlers:
        return without_handlers(args.seed, args.handler or [*HANDLERS])
    draw = random.Random(args.seed)
    kinds = args.kind or list(FAULTS)
    if os.getuid() != 0:
        kinds = [kind for kind in kinds if kind != "disk is full"]
        console.print("disk is full: left out, as only root can mount a small disk")
    wanted = [kinds[number % len(kinds)] for number in range(args.faults)]
    draw.shuffle(wanted)
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    videos = draw_videos(folder / "videos")
    expected = _expected(videos, folder)
    outcomes = []
    for number, start in enumerate(range(0, len(wanted), args.at_once)):
        here, some = folder / str(number), wanted[start : start + args.at_once]
        with small_disk(here):
            outcome = disturbed(videos, here / "a", expected, some, args.seed * 1000 + number)
            if outcome.wrong:
                shutil.copytree(here / "a", folder / f"{number}.wrong")
        outcomes.append(outcome)
        console.print(
            f"{number}: {', '.join(some)}: {outcome.runs} runs, {outcome.seconds:.0f} s, "
            f"{sum(outcome.met)} of {len(some)} met; "
            f"{'; '.join(outcome.wrong) or 'as undisturbed'}"
        )
        shutil.rmtree(here)
    table(outcomes, console.print)
    if unmet := [kind for kind in kinds if not met_of(kind, outcomes)]:
        console.print(f"never met, so that nothing is known of them: {', '.join(unmet)}")
    wrong = any(outcome.wrong for outcome in outcomes)
    console.print(f"searches that went wrong: {folder}" if wrong else "all as undisturbed")
    return int(wrong or bool(unmet))


def _expected(videos: Path, folder: Path) -> suite.Values:
    suite.EPOCHS = suite.epochs_with_checkpoints(videos, folder / "measured")
    console.print(f"trials of {suite.EPOCHS} epochs")
    return suite.undisturbed(videos, folder / "undisturbed")


def without_handlers(seed: int, names: Sequence[str]) -> int:
    """Searches with faults, with and without some of `HANDLERS`; says which are not noticed.

    With it, all faults have to be met and nothing be wrong: else it says nothing that without it
    something is.
    """
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    videos = draw_videos(folder / "videos")
    expected = _expected(videos, folder)
    missed = 0
    with_all: dict[tuple[str, ...], str] = {}
    for number, name in enumerate(names):
        handler = HANDLERS[name]
        here, kinds = folder / str(number), handler.kinds
        with small_disk(here):
            if kinds not in with_all:
                outcome = disturbed(videos, here / "with", expected, kinds, seed)
                with_all[kinds] = troubles(outcome)
            root = handler.taken_out(here / "product")
            after = troubles(disturbed(videos, here / "a", expected, kinds, seed, root))
        missed += bool(with_all[kinds]) or not after
        console.print(
            f"'{name}', {len(kinds)} faults: with it {with_all[kinds] or 'as undisturbed'}; "
            f"without it {after or 'NOT NOTICED'}"
        )
        shutil.rmtree(here)
    console.print(f"{len(names)} taken out, {missed} of them not noticed")
    return int(bool(missed))


def troubles(outcome: Outcome) -> str:
    """What was noticed, in a line."""
    unmet = len(outcome.met) - sum(outcome.met)
    some = [*outcome.wrong[-2:], *([f"{unmet} faults not met"] if unmet else [])]
    return "; ".join(" ".join(one.split())[-120:] for one in some)


if __name__ == "__main__":
    sys.exit(main())
