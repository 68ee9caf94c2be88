"""A data set of camera traps that the project draws itself: which animal comes by, if any?

Sites have backgrounds, light and animals of their own. An animal is in view for a part of its
video, and in empty videos the wind has moved the grass. Every seed draws other sites and animals.
"""

import csv
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from data.tools.drawing.animals import draw_animal, plan_animal
from data.tools.drawing.canvas import Array
from data.tools.drawing.folder import FPS, LABELS, fill, write_video
from data.tools.drawing.scenery import SPARE, Site, Weather, draw_banner, draw_site, sway

VERSION = 1  # raise it whenever the drawing changes: older samples are then drawn anew
VIDEOS, SITES = 60, 5
WIDTH, HEIGHT = 320, 240
SHARES = {"empty": 0.35, "fox": 0.3, "deer": 0.2, "bird": 0.15}  # of the videos
EVERYWHERE = 3  # sites, at least, at which each class is seen


class Trap(NamedTuple):
    """One video: what the table of labels says of it, and when it was taken."""

    file: str  # with its site's folder and its ending
    label: str
    site: str
    taken: datetime
    night: bool


def make_traps(
    folder: Path,
    seed: int = 0,
    *,
    videos: int = VIDEOS,
    sites: int = SITES,
    on_video: Callable[[str], None] | None = None,
) -> Path:
    """Draw camera-trap videos into `folder`, unless they are there, and return its `labels.csv`.

    The table has a row a video: `video` (its site's folder and its name without ending), `label`
    (`empty`, `fox`, `deer` or `bird`), `site` and `date` (as 2024-05-31). Videos have 50 to 100
    frames of 320 x 240 pixels, 10 a second, and depend on the seed and their numbers alone.

    Args:
        videos: how many, at least as many as there are sites.
        on_video: gets each file name once it is written.

    Raises:
        FileExistsError: `folder` holds other files.
    """
    traps = plan(seed, videos, sites)
    files = {LABELS, *(trap.file for trap in traps)}

    def draw(draft: Path) -> None:
        def draw_one(trap: Trap) -> None:
            (draft / trap.file).parent.mkdir(exist_ok=True)
            write_video(draft / trap.file, draw_video(trap, seed))
            if on_video is not None:
                on_video(trap.file)

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(draw_one, traps))
        with (draft / LABELS).open("w", newline="") as file:
            table = csv.writer(file, lineterminator="\n")
            table.writerow(("video", "label", "site", "date"))
            for trap in traps:
                name = trap.file.rpartition(".")[0]
                table.writerow((name, trap.label, trap.site, trap.taken.date().isoformat()))

    # With the names of its files, as another version may name them otherwise.
    made_of = {"version": VERSION, "seed": seed, "files": sorted(files)}
    return fill(folder, files, made_of, draw)


def plan(seed: int, videos: int = VIDEOS, sites: int = SITES) -> list[Trap]:
    """What each video shows, where and when: by site, in the order in which they are taken."""
    rng = np.random.default_rng([seed, 1])
    bounds = np.rint(np.cumsum([0, *SHARES.values()]) * videos).astype(int)
    places: list[list[str]] = [[] for _ in range(sites)]
    likes = rng.gamma(0.6, size=(len(SHARES), sites)) + 0.05  # a class has its favourite sites
    for label, like, count in zip(SHARES, likes, np.diff(bounds), strict=True):
        sure = rng.permutation(sites)[: min(EVERYWHERE, count)]
        drawn = rng.choice(sites, count - len(sure), p=like / like.sum())
        for place in (*sure, *drawn):
            places[place].append(label)
    traps = []
    for number, labels in enumerate(places, 1):
        nights = rng.uniform(0.1, 0.6)  # the share of its videos
        day = datetime(2023, 1, 1) + timedelta(days=int(rng.integers(0, 600)))
        shot = int(rng.integers(1, 40))
        for label in rng.permutation(labels).tolist():
            day += timedelta(days=int(rng.integers(0, 4)))
            night = bool(rng.random() < nights)
            hour = rng.uniform(20, 28) % 24 if night else rng.uniform(6, 20)
            taken = day + timedelta(hours=float(hour))
            ending = "avi" if rng.random() < 0.3 else "mp4"
            file = f"site{number}/IMG_{shot:04d}.{ending}"
            traps.append(Trap(file, label, f"site{number}", taken, night))
            shot += int(rng.integers(1, 5))
    return traps


@lru_cache(maxsize=8)
def _site(seed: int, number: int) -> Site:
    return draw_site(np.random.default_rng([seed, 2, number]), HEIGHT, WIDTH)


def draw_video(trap: Trap, seed: int) -> Iterator[tuple[Array, str]]:
    """Yield the frames of one video, uint8 RGB of shape (240, 320, 3), each with what is in view."""
    rng = np.random.default_rng([seed, 3, *trap.file.encode()])
    site = _site(seed, int(trap.site.removeprefix("site")))
    count = int(rng.integers(50, 101))
    down, right = rng.integers(0, 2 * SPARE + 1, 2)
    scene = site.scene[down : down + HEIGHT, right : right + WIDTH]
    scene = scene * np.asarray(rng.uniform(0.92, 1.08, 3), np.float32)  # the season's colour
    hour = trap.taken.hour + trap.taken.minute / 60
    weather = Weather(rng, HEIGHT, WIDTH, hour, trap.night)
    animal = None
    if trap.label != "empty":
        where = HEIGHT, WIDTH, site.horizon
        animal = plan_animal(rng, trap.label, count, where, site.size, trap.night)
    degrees, phase = int(rng.integers(2, 28)), rng.uniform(0, 60)
    for t in range(count):
        canvas = scene.copy()
        sway(canvas, site.behind, weather.wind, t + phase)
        shown = animal is not None and draw_animal(canvas, animal, t)
        sway(canvas, site.before, weather.wind, t + phase + 5)
        weather.apply(canvas, t)
        now = trap.taken + timedelta(seconds=t // FPS)
        draw_banner(canvas, site, f"{now:%Y-%m-%d %H:%M:%S}  {degrees:02d}C")
        yield canvas.clip(0, 255).astype(np.uint8), trap.label if shown else "empty"
