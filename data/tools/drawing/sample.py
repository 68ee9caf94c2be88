"""A small data set the project draws itself: seals passing four underwater cameras.

Fourteen short videos with a label a frame, to try a search before any footage is at hand. Among
the seals are things easily taken for them: rocks of the same grey, dark fish, swaying ropes.
"""

import csv
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from data.tools.drawing.canvas import Array, blend, grid, oval
from data.tools.drawing.folder import LABELS, fill, write_video

VERSION = 1  # raise it whenever the drawing changes: older samples are then drawn anew
WIDTH, HEIGHT = 320, 240
SEAL_SHOWN = 0.35  # share of the seal's area that must lie inside the picture for label "seal"


class Swimmer(NamedTuple):
    """A seal or a fish on its straight way, in pixels and frames."""

    shape: tuple[float, ...]
    colour: Array
    slope: float  # change of y for a step in x
    middle: float  # the frame in which it is half way across the picture
    y: float  # in that frame
    dx: float
    half: float  # half its length


CAMERAS = {  # RGB of the water's surface, of deep water and of the floor
    "camera1": ((96, 172, 176), (38, 96, 112), (150, 142, 112)),
    "camera2": ((58, 124, 168), (18, 52, 92), (70, 74, 78)),
    "camera3": ((112, 150, 96), (50, 84, 58), (104, 98, 66)),
    "camera4": ((66, 98, 106), (26, 44, 54), (84, 84, 76)),
}
# Every camera is in several splits; in testing, cameras 1 and 3 are darker than in training.
CLIPS = (  # name, split, light (1 is a bright day), how often a seal swims by
    ("camera1-01.mp4", "train", 1.00, 1),
    ("camera1-02.avi", "train", 0.80, 0),
    ("camera1-03.mp4", "valid", 0.90, 2),
    ("camera1-04.avi", "test", 0.62, 1),
    ("camera2-01.mp4", "train", 0.95, 2),
    ("camera2-02.avi", "train", 0.75, 1),
    ("camera2-03.mp4", "train", 1.05, 0),
    ("camera2-04.mp4", "valid", 0.85, 0),
    ("camera3-01.avi", "train", 1.00, 1),
    ("camera3-02.mp4", "train", 0.85, 1),
    ("camera3-03.mp4", "test", 0.60, 1),
    ("camera4-01.mp4", "train", 1.10, 2),
    ("camera4-02.avi", "valid", 1.00, 1),
    ("camera4-03.mp4", "test", 1.05, 2),
)
FILES = {LABELS, *(clip[0] for clip in CLIPS)}
# Half width of a body at even steps from tail to nose, in half body lengths.
SEAL = (0.03, 0.06, 0.11, 0.17, 0.22, 0.25, 0.26, 0.235, 0.185, 0.16, 0.05)
FISH = (0.30, 0.18, 0.06, 0.16, 0.25, 0.30, 0.32, 0.30, 0.25, 0.17, 0.05)


def make_sample(
    folder: Path, *, seed: int = 0, on_video: Callable[[str], None] | None = None
) -> Path:
    """Draw the sample into `folder`, unless it is there already, and return its `labels.csv`.

    The table has a row a frame: `video` (file name without ending), `frame` (from 0), `label`
    (`seal` or `noseal`) and `split` (`train`, `valid` or `test`, by video). Videos have 40 to 70
    frames of 320 x 240 pixels, 10 a second, and depend on `seed` alone. `on_video` gets each file
    name once it is written. Raises FileExistsError if `folder` holds other files.
    """

    def draw(draft: Path) -> None:
        with (draft / LABELS).open("w", newline="") as file:
            table = csv.writer(file, lineterminator="\n")
            table.writerow(("video", "frame", "label", "split"))
            for name, split, light, passes in CLIPS:
                labels = write_video(draft / name, draw_video(name, light, passes, seed))
                table.writerows((name[:-4], i, label, split) for i, label in enumerate(labels))
                if on_video is not None:
                    on_video(name)

    return fill(folder, FILES, {"version": VERSION, "seed": seed}, draw)


def draw_video(name: str, light: float, passes: int, seed: int) -> Iterator[tuple[Array, str]]:
    """Yield the frames of one video, uint8 RGB of shape (240, 320, 3), each with its label."""
    rng = np.random.default_rng([seed, *name[:7].encode()])  # one scene for all its videos
    scene = _draw_scene(rng, *np.array(CAMERAS[name[:7]]))
    strands = rng.uniform(0, 1, (rng.integers(3, 7), 2)).tolist()
    rng = np.random.default_rng([seed, *name.encode()])
    count = int(rng.integers(40 + 8 * passes, 71))
    swimmers = _plan_swimmers(rng, scene.mean(axis=(0, 1)), passes, count)
    specks, drift = rng.uniform(0, 1, (2, 60)), rng.uniform(-1.5, 1.5, (2, 1))
    phase = rng.uniform(0, 6.28, 4).tolist()  # plain floats keep the pictures in 32 bits
    slant = np.arange(WIDTH) + np.arange(HEIGHT)[:, None] // 2
    along = np.arange(slant.max() + 1, dtype=np.float32)
    fade = np.linspace(0.1, 0, HEIGHT, dtype=np.float32)[:, None]
    for t in range(count):
        canvas = scene.copy()
        shown = max([_draw_swimmer(canvas, s, t) * (s.shape is SEAL) for s in swimmers], default=0)
        for i, (place, sway) in enumerate(strands):
            _draw_strand(canvas, place, sway, t + 9 * phase[0], kelp=i > 1)
        x, y = ((specks * [[WIDTH], [HEIGHT]] + drift * t) % [[WIDTH], [HEIGHT]]).astype(int)
        canvas[y, x] += 45 * specks[:1].T
        # Sunlight broken by the waves: slanted beams, fading downwards, and a flicker of it all.
        beams = np.sin(along / 23 + 0.25 * t + phase[1]) * np.sin(along / 41 - 0.17 * t + phase[2])
        gain = light + 0.05 * math.sin(0.9 * t + phase[3])
        canvas *= (gain * (1 + fade * beams[slant]))[..., None]
        canvas += 2 * rng.standard_normal((HEIGHT, WIDTH, 1), dtype=np.float32)
        yield canvas.clip(0, 255).astype(np.uint8), "seal" if shown >= SEAL_SHOWN else "noseal"


def _draw_scene(rng: np.random.Generator, surface: Array, deep: Array, floor: Array) -> Array:
    """What stands still before a camera: water, floor and rocks as grey as a seal."""
    columns, rows = np.arange(WIDTH)[:, None], np.arange(HEIGHT)[:, None, None]
    scene = surface + (deep - surface) * rows / HEIGHT
    level, (a, b) = rng.uniform(0.7, 0.85) * HEIGHT, rng.uniform(15, 50, 2)
    line = level + 4 * np.sin(columns / a) + 3 * np.sin(columns / b)
    ground = floor * (1 + 0.06 * rng.standard_normal((HEIGHT, WIDTH, 1)))
    scene = scene + ((rows - line) / 3).clip(0, 1) * (ground - scene)
    for _ in range(rng.integers(1, 5)):
        x, y, half = rng.uniform(0, WIDTH), level + rng.uniform(-4, 22), rng.uniform(18, 55)
        u, v, corner = grid(x, y, 1.3 * half)
        angle, tall = np.arctan2(v, u), half * rng.uniform(0.35, 0.65)
        bumps = 1 + 0.09 * np.sin(3 * angle + x) + 0.05 * np.sin(7 * angle)
        grey = 62 - 22 * (v / tall).clip(-1, 1) + 4 * rng.standard_normal(bumps.shape)
        cover = oval(u / bumps, v / bumps, half, tall)
        blend(scene, cover, grey[..., None] * (0.94, 1.0, 1.04), corner)
    return np.asarray(scene, np.float32)


def _draw_strand(canvas: Array, place: float, sway: float, t: float, kelp: bool) -> None:
    """A thin rope down the whole picture, or a broad blade of kelp standing on the floor."""
    y = np.arange(HEIGHT, dtype=np.float32)[:, None]
    x = place * WIDTH + (5 + 16 * sway) * (1 - y / HEIGHT) * np.sin(0.22 * t + 7 * sway + y / 60)
    blade = np.minimum(4 + 2 * np.sin(y / 9 + 20 * place), (y - 40 - 90 * sway) / 6)
    left = int(x.min()) - 8
    gap = abs(np.arange(left, int(x.max()) + 9, dtype=np.float32) - x)
    colour = np.array((54, 66, 36) if kelp else (88, 84, 72), np.float32)
    blend(canvas, ((blade if kelp else 1.3) - gap + 0.5).clip(0, 1), colour, (left, 0))


def _plan_swimmers(rng: np.random.Generator, water: Array, seals: int, count: int) -> list[Swimmer]:
    """Small pale fish in a school, some long ones as dark as a seal, and in front the seals."""
    plans = []
    for most, size, grey in ((11, 6, 150), (3, 18, 70)):
        typical = rng.uniform(0, count), rng.uniform(40, 180), rng.choice((-4, 4)), size
        for _ in range(rng.integers(0, most + 1)):
            plans.append((FISH, grey, rng.normal(typical, (15, 25, 0.4, size / 6)).tolist()))
    for i in range(seals):
        share = count / seals  # each has its part of the video, with empty frames around its pass
        frames = min(rng.uniform(0.55, 0.75) * share, 34)  # from nose in to tail out
        middle = (i + 0.5) * share + rng.uniform(-0.4, 0.4) * (share - frames)
        half = rng.uniform(36, 78)
        dx = int(rng.choice((-1, 1))) * (WIDTH + 2 * half) / frames
        plans.append((SEAL, 70, [middle, rng.uniform(24, 190), dx, half]))
    swimmers = []
    for shape, grey, way in plans:
        colour = np.array((0.94, 0.98, 1.02), np.float32) * grey * rng.uniform(0.75, 1.2)
        colour += rng.uniform(0.05, 0.35) * (water - colour)  # the further away, the hazier
        swimmers.append(Swimmer(shape, colour, rng.uniform(-0.3, 0.3), *way))
    return swimmers


def _draw_swimmer(canvas: Array, one: Swimmer, t: int) -> float:
    """Draw the swimmer of frame t and return the share of it that lies inside the picture."""
    gone, way = t - one.middle, math.copysign(1, one.dx)
    x, y = WIDTH / 2 + one.dx * gone, one.y + one.slope * one.dx * gone
    if abs(x - WIDTH / 2) > WIDTH / 2 + 1.3 * one.half:
        return 0.0
    u, v, corner = grid(x, y, 1.3 * one.half)
    u, v, beat = way * u / one.half, v / one.half, 0.9 * gone
    v = v - (way * one.slope + 0.06 * math.sin(beat / 2)) * u
    v = v - (0.015 + 0.05 * (1 - u).clip(0) ** 2) * np.sin(beat + 2.4 * u)  # least at the head
    girth = np.interp(u, np.linspace(-1, 1, 11), one.shape, -1, -1).astype(np.float32)
    cover = ((girth - abs(v)) * one.half + 0.5).clip(0, 1)
    back = v / girth.clip(0.02)
    shade = 1 - 0.22 * back.clip(-0.8, 0) + 0.7 * (back - 0.25).clip(0, 0.5)  # the belly is paler
    if one.shape is SEAL:
        shade += 0.13 * (np.sin(17 * u + 5 * np.sin(9 * v)) * np.sin(31 * v + 4 * u + 1) > 0.45)
        shade *= 1 - 0.75 * oval(u - 0.82, v + 0.045, 0.035, 0.03, 0, one.half)  # the eye
        for at, down, turn in ((0.18, 0.25, 2.3), (-1.06, -0.05, 0.35), (-1.06, 0.06, -0.3)):
            fin = oval(u - at, v - down, 0.18, 0.055, turn + math.sin(beat / 2) / 4, one.half)
            shade, cover = np.where(cover > fin, shade, 0.8), np.maximum(cover, fin)
    return blend(canvas, cover, shade[..., None] * one.colour, corner)
