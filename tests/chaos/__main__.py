"""``python -m tests.chaos``: searches with many faults, compared with one that nothing disturbed."""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sys
import tempfile
from pathlib import Path

from data.console import console
from tests.chaos.faults import FAULTS
from tests.chaos.suite import disturbed, small_disk, table, undisturbed
from tests.conftest import draw_videos


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faults", type=int, default=200)
    parser.add_argument("--at-once", type=int, default=4, help="faults in one search")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", action="append", choices=list(FAULTS), help="these kinds alone")
    args = parser.parse_args()
    draw = random.Random(args.seed)
    kinds = args.kind or list(FAULTS)
    if os.getuid() != 0:
        kinds = [kind for kind in kinds if kind != "disk is full"]
        console.print("disk is full: left out, as only root can mount a small disk")
    wanted = [kinds[number % len(kinds)] for number in range(args.faults)]
    draw.shuffle(wanted)
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    videos = draw_videos(folder / "videos")
    expected = undisturbed(videos, folder / "undisturbed")
    outcomes = []
    for number, start in enumerate(range(0, len(wanted), args.at_once)):
        here, some = folder / str(number), wanted[start : start + args.at_once]
        with small_disk(here):
            outcome = disturbed(videos, here / "a", expected, some, args.seed * 1000 + number)
            if outcome.wrong:
                shutil.copytree(here / "a", folder / f"{number}.wrong")
        outcomes.append(outcome)
        console.print(
            f"{number}: {', '.join(some)}: {outcome.runs} runs, {outcome.seconds:.0f} s; "
            f"{'; '.join(outcome.wrong) or 'as undisturbed'}"
        )
        shutil.rmtree(here)
    table(outcomes, console.print)
    wrong = any(outcome.wrong for outcome in outcomes)
    console.print(f"searches that went wrong: {folder}" if wrong else "all as undisturbed")
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main())
