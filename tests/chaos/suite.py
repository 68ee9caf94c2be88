"""Searches with faults at random moments, compared with one that nothing disturbed."""

from __future__ import annotations

import csv
import math
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import yaml

from tests.chaos.faults import ENDING, FAULTS
from tests.chaos.harm import Harmed, Met
from tuner.config.messages import StoreError
from tuner.study.store.results import ResultsStore

ROOT = Path(__file__).parents[2]
NAME = "chaos"
TRIALS, EPOCHS = 4, 200
AT_ONCE: int | None = None  # trials; None: as many as there are CPUs
_DISK = "150m"
_PATIENCE = 1200.0  # seconds, for a search with its faults
_LONG = 30.0  # seconds, for a trial that is to have checkpoints
_MOST_RUNS = 6  # of the command, after the last fault

Values = dict[int, tuple[str, float | None, dict[int, float]]]


def configuration(videos: Path, folder: Path) -> Path:
    """The YAML of a search whose trials are the same in whatever order they end."""
    tree = {
        "name": NAME,
        "data": {"videos": str(videos), "labels": str(videos / "labels.csv")},
        "model": {"frame_size": [64, 64], "pooling": "avg", "dropout": 0.2},
        "training": {"epochs": EPOCHS, "patience": EPOCHS, "rounds": 1, "batch_size": 4},
        "space": {
            "architecture": ["image_mlp_frozen", "video_lrcnn_frozen"],
            "sequence_length": [3],
            "sequence_model": ["GRU"],
            "layer_1_size": [8, 16],
        },
        "search": {
            "sampler": "grid",
            "trials": None,
            "scheduler": "none",
            "probes": 0,
            "metric": "valid_loss",  # which differs where anything does
        },
        "resources": {"trials_at_once": AT_ONCE},
        "storage": str(folder / "runs"),
    }
    path = folder / "chaos.yaml"
    path.write_text(yaml.safe_dump(tree))
    return path


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """`folder` on a disk that can be filled, where this process may mount one."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={_DISK}", "tmpfs", str(folder)]
    mounted = os.getuid() == 0 and subprocess.run(mount).returncode == 0
    try:
        yield
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


@dataclass
class Outcome:
    """How a search with faults ended.

    Attributes:
        faults: the kinds, in their order.
        runs: of the command.
        wrong: what is not as in the search that nothing disturbed.
        met: of each fault, whether there was anything that it befell.
    """

    faults: list[str]
    runs: int
    seconds: float
    wrong: list[str] = field(default_factory=list)
    met: list[bool] = field(default_factory=list)


class Search:
    """A search in a folder of its own, run as a user runs it.

    Args:
        root: where the product's packages are.
    """

    def __init__(self, videos: Path, folder: Path, root: Path = ROOT) -> None:
        folder.mkdir(parents=True)
        self.root = root
        self.folder, self.config = folder, configuration(videos, folder)
        self.storage, self.cache = folder / "runs" / NAME, folder / "cache"
        self.results, self.log = folder / "runs" / "results.db", folder / "log"

    def start(self, *words: str) -> psutil.Popen:
        line = [sys.executable, "-m", "tuner.search", str(self.config), "--resume", *words]
        with self.log.open("a") as log:
            return psutil.Popen(
                line,
                cwd=self.root,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={
                    **os.environ,
                    "TUNER_CACHE": str(self.cache),
                    "PYTHONPATH": str(self.root),
                },
            )

    def values(self) -> Values:
        store = ResultsStore.open(f"sqlite:///{self.results}", NAME)
        return {r.number: (r.state, r.value, r.epochs) for r in store.records()}

    def epochs(self) -> int:
        """How many epochs have been reported."""
        try:
            return sum(len(epochs) for _, _, epochs in self.values().values())
        except Exception:  # it is not there yet, or is damaged at this moment
            return -1


def undisturbed(videos: Path, folder: Path) -> Values:
    """The values of a search that nothing befalls."""
    return _whole(videos, folder).values()


def epochs_with_checkpoints(videos: Path, folder: Path) -> int:
    """How many epochs a trial needs on this machine, so that there are checkpoints to harm."""
    store = ResultsStore.open(f"sqlite:///{_whole(videos, folder).results}", NAME)
    seconds = min(r.results["seconds"] for r in store.records())
    return math.ceil(EPOCHS * _LONG / seconds)


def _whole(videos: Path, folder: Path) -> Search:
    search = Search(videos, folder)
    status = search.start().wait(_PATIENCE)
    assert status == 0, search.log.read_text()
    return search


def disturbed(
    videos: Path,
    folder: Path,
    expected: Values,
    kinds: Sequence[str],
    seed: int,
    root: Path = ROOT,
) -> Outcome:
    """Run a search to its end, with faults of these kinds at moments that `seed` determines.

    Each comes when some more epochs have been reported than when the one before came, and a trial is
    under way.
    """
    draw, search, start = random.Random(seed), Search(videos, folder, root), time.monotonic()
    family: list[psutil.Process] = []
    met: list[Met] = []
    alone: list[str] = []  # kinds after which it ended by itself
    process, runs, last = search.start(), 1, ""

    def restart() -> None:
        nonlocal process, runs, last
        if last not in ENDING:
            alone.append(last or "its start")
        process, runs, last = search.start(), runs + 1, ""

    def harmed() -> Harmed:
        folders = search.storage, search.cache, search.results
        return Harmed(process, *folders, videos, search.start, draw)

    whole = sum(len(epochs) for _, _, epochs in expected.values())
    for number, kind in enumerate(kinds):
        wanted = (number + draw.uniform(0.2, 0.9)) * whole / (len(kinds) + 1)
        while True:
            if time.monotonic() - start > _PATIENCE:
                process.kill()
                return Outcome([*kinds], runs, _PATIENCE, ["it does not get on"])
            if process.poll() is not None:  # as after the fault before
                if _ended(search, expected):
                    break
                if runs > number + _MOST_RUNS:
                    said = search.log.read_text()[-2000:]
                    return Outcome([*kinds], runs, time.monotonic() - start, [f"it ends: {said}"])
                restart()
            elif search.epochs() >= wanted and harmed().workers():
                break
            time.sleep(0.1)
        family += harmed().family()
        met.append(FAULTS[kind](harmed()))
        last = kind
    for _ in range(_MOST_RUNS):
        if process.wait(_PATIENCE) == 0:
            break
        restart()
    outcome = Outcome([*kinds], runs, time.monotonic() - start)
    outcome.wrong = [f"it ended by itself after '{kind}'" for kind in alone]
    outcome.wrong += compare(search, expected) + leftovers(search, family)
    outcome.met = [one() for one in met]
    return outcome


def _ended(search: Search, expected: Values) -> bool:
    try:
        values = search.values()
    except StoreError:  # there is nothing yet
        return False
    return len(values) == len(expected) and all(v[0] == "finished" for v in values.values())


def compare(search: Search, expected: Values) -> list[str]:
    """What differs from the values of the search that nothing disturbed."""
    try:
        values = search.values()
    except StoreError as error:
        return [str(error)]
    wrong = [f"trial {number} is not there" for number in expected.keys() - values.keys()]
    wrong += [f"trial {number} is there twice" for number in values.keys() - expected.keys()]
    for number in sorted(expected.keys() & values.keys()):
        (state, value, epochs), (own, best, all_of) = values[number], expected[number]
        if state != own:
            wrong.append(f"trial {number} is {state}, not {own}")
        elif epochs != all_of or value != best:
            differing = [e for e in all_of if epochs.get(e) != all_of[e]]
            wrong.append(f"trial {number} differs in epochs {differing[:5]}")
        history = search.storage / "models" / str(number) / "fit_history.csv"
        if state == "finished" and history.exists():
            with history.open() as file:
                rows = [int(row["epoch"]) for row in csv.DictReader(file)]
            if rows != sorted(all_of):
                wrong.append(f"trial {number}: its history has epochs {rows[:3]}...")
    return wrong


def leftovers(search: Search, family: Sequence[psutil.Process]) -> list[str]:
    """Files that nobody needs any more, and processes that did not end."""
    names = [
        str(path.relative_to(search.folder))
        for pattern in ("*.tmp", "last.pt", "*.copy")
        for path in search.folder.rglob(pattern)
        if path.suffix != ".lock"
    ]
    left = [f"left: {name}" for name in names if "/locks/" not in name]
    _, alive = psutil.wait_procs(family, timeout=90)  # Ray's agents look seldom
    return left + [f"still runs: {process}" for process in alive]


def table(outcomes: Sequence[Outcome], say: Callable[[str], Any] = print) -> None:
    """Print how often each kind of fault came and was met, and in how many searches something was wrong.

    A fault is met where there was something that it befell; a damaged file, where that was noticed.
    """
    for kind in sorted({kind for outcome in outcomes for kind in outcome.faults}):
        those = [outcome for outcome in outcomes if kind in outcome.faults]
        count = sum(outcome.faults.count(kind) for outcome in outcomes)
        bad = sum(bool(outcome.wrong) for outcome in those)
        say(
            f"{kind:55} {count:4} faults, {met_of(kind, outcomes):4} met, in {len(those):3} searches, "
            f"{bad} of them wrong"
        )
    wrong = [line for outcome in outcomes for line in outcome.wrong]
    say(
        f"{sum(len(o.faults) for o in outcomes)} faults, {sum(sum(o.met) for o in outcomes)} met, "
        f"{len(outcomes)} searches, {len(wrong)} wrong"
    )


def met_of(kind: str, outcomes: Sequence[Outcome]) -> int:
    """How many faults of a kind were met."""
    return sum(
        met
        for outcome in outcomes
        for one, met in zip(outcome.faults, outcome.met, strict=False)
        if one == kind
    )
