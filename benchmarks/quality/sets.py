"""The data sets that quality is measured on, each drawn or split anew from a seed."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from data.tools.drawing.traps import make_traps

ROOT = Path(__file__).parents[2]
VIDEOS, SITES = 150, 10  # of the camera traps; half of the sites are never learnt from
LEARNT, VALID = 48, 8  # videos, as many as the sample of 60 leaves beside its test


class Case(NamedTuple):
    """One search, and how its test videos are told apart.

    Attributes:
        config: a shipped file.
        changes: of its values, as of ``--set``.
        part: of a test video's name, the part of the test that it belongs to.
        unit: what the figures are of, frames or videos.
    """

    config: Path
    changes: dict[str, Any]
    part: Callable[[str], str]
    unit: str = "frame"


def sample(seed: int, folder: Path) -> Case:
    """Drawn videos of seals, with labels of frames."""
    changes = {"data.sample_seed": seed, "search.seed": seed}
    return Case(ROOT / "configs/seals.yaml", changes, lambda video: "sample")


def traps(seed: int, folder: Path) -> Case:
    """Drawn camera traps: a test of sites that were learnt from, and one of sites that were not.

    60 videos leave 9 for the test, which tell little; here 48 are learnt from, and 102 test.
    """
    place = folder / f"traps-{seed}"
    labels = make_traps(place, seed, videos=VIDEOS, sites=SITES)
    table = pd.read_csv(labels, dtype=str)
    old = table[table["site"].str.removeprefix("site").astype(int) <= SITES // 2]
    draw = np.random.default_rng(seed)
    order = old.iloc[draw.permutation(len(old))]
    # One of each class at each site first, so that nothing can be asked that was never shown.
    again = order.duplicated(["site", "label"])
    learnt = [*order.index[~again], *order.index[again]][:LEARNT]
    split = pd.Series("test", table.index)
    split[learnt] = "train"
    split[learnt[-VALID:]] = "valid"
    splits = folder / f"traps-{seed}-splits.csv"
    with splits.open("w", newline="") as file:
        csv.writer(file).writerows([("video", "split"), *zip(table["video"], split, strict=True)])
    seen = {f"site{number}" for number in range(1, SITES // 2 + 1)}
    changes = {
        "data.videos": str(place),
        "data.labels": str(labels),
        "data.splits.file": str(splits),
        "search.validation": {"folds": 3, "by": "site"},
        "search.seed": seed,
    }
    config = ROOT / "configs/cameratraps.yaml"

    def part(video: str) -> str:
        return "traps, sites seen" if video.split("/")[0] in seen else "traps, new sites"

    return Case(config, changes, part, unit="video")


def seals(videos: Path) -> Callable[[int, Path], Case]:
    """Real videos of seals in a folder with a `labels.csv`; a seed draws other models alone."""

    def case(seed: int, folder: Path) -> Case:
        changes = {
            "data.videos": str(videos),
            "data.labels": str(videos / "labels.csv"),
            "search.seed": seed,
        }
        return Case(ROOT / "configs/seals.yaml", changes, lambda video: "real seals")

    return case
