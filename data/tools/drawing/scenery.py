"""Places in a wood, as a camera trap sees them: the scene, what sways in it, light and weather."""

import math
from typing import NamedTuple

import numpy as np

from data.tools.drawing.canvas import Array, blend, grid, limb, noise, oval

SPARE = 12  # pixels of scene beyond each edge of the picture, as cameras are not put up twice alike
GROUNDS = ((104, 112, 62), (122, 94, 62), (136, 122, 92), (92, 88, 66), (84, 106, 56))
LEAVES = ((58, 88, 40), (88, 108, 52), (124, 108, 58), (70, 82, 50), (140, 96, 50))
BARKS = ((84, 66, 50), (104, 92, 78), (66, 56, 48), (128, 112, 92))
# Digits, colon, minus and C as 15 bits, three a row.
GLYPHS = dict(zip("0123456789:-C", (
    0x7B6F, 0x2C97, 0x73E7, 0x73CF, 0x5BC9, 0x79CF, 0x79EF, 0x7249, 0x7BEF, 0x7BCF,
    0x0410, 0x01C0, 0x7927,
), strict=True))  # fmt: skip


class Site(NamedTuple):
    """What is the same in all videos of a site."""

    scene: Array  # float32 RGB [height + 2 SPARE, width + 2 SPARE, 3], in daylight
    behind: Array  # bushes and tufts behind animals, RGBA [height, width, 4], colours times alpha
    before: Array  # grass in front of them
    horizon: float  # y of the ground's far end, in pixels
    size: float  # of animals here: 1 is usual
    banner: tuple[int, int, bool]  # grey of its bar, grey of the digits, whether it is at the top


def draw_site(rng: np.random.Generator, height: int, width: int) -> Site:
    """Draw a place: backdrop, ground with a path, stones and trunks, and the plants around."""
    horizon = rng.uniform(0.2, 0.42) * height
    ground, leaf = (np.array(kind[rng.integers(5)]) for kind in (GROUNDS, LEAVES))
    bark = np.array(BARKS[rng.integers(4)])
    scene = _draw_ground(rng, height + 2 * SPARE, width + 2 * SPARE, horizon + SPARE, ground, leaf)
    _draw_things(rng, scene, horizon + SPARE, bark)
    behind, before = (np.zeros((height, width, 4), np.float32) for _ in range(2))
    for _ in range(rng.integers(0, 4)):
        _draw_bush(rng, behind, horizon, leaf)
    for _ in range(rng.integers(20, 160)):
        y = rng.uniform(horizon + 8, 0.8 * height)
        _draw_blade(rng, behind, y, rng.uniform(0.1, 0.3) * (y - horizon), leaf)
    tall = rng.uniform(0.12, 0.36) * height
    for _ in range(rng.integers(40, 200)):
        _draw_blade(rng, before, rng.uniform(0.96, 1.06) * height, tall * rng.uniform(0.4, 1), leaf)
    dark = bool(rng.integers(2))
    banner = (12, 225, False) if dark else (222, 30, bool(rng.integers(2)))
    return Site(
        np.asarray(scene, np.float32),
        _finer(behind),
        _finer(before),
        horizon,
        rng.uniform(0.75, 1.2),
        banner,
    )


def _draw_ground(
    rng: np.random.Generator, height: int, width: int, horizon: float, ground: Array, leaf: Array
) -> Array:
    """Sky or wood in the distance, and the ground in perspective, maybe with a path."""
    rows = np.arange(height, dtype=np.float32)[:, None]
    line = horizon + 5 * noise(rng, (1, width), (1, width / 4))
    sky = np.array((196, 204, 206)) - rng.uniform(0, 60)
    wood = 0.45 * leaf + rng.uniform(20, 60)
    far = 1.2 * noise(rng, (height, width), (26, 22)) + 0.8 * noise(rng, (height, width), (7, 6))
    open_sky = (far + rng.uniform(-1.2, 0.6) - rows / horizon + 0.6).clip(0, 1)[..., None]
    scene = wood * (1 + 0.22 * far[..., None])
    scene = scene + open_sky * (sky - scene)
    near = ((rows - line) / (height - horizon)).clip(0, 1)  # 0 at the horizon, 1 at the camera
    floor = ground * np.ones((height, width, 1))
    patches = noise(rng, (height, width), (14, 60)) + 0.6 * noise(rng, (height, width), (5, 16))
    floor += (patches.clip(-1, 1)[..., None] * 0.5).clip(0, 1) * (leaf - floor)
    if rng.random() < 0.6:
        middle, bend, broad = rng.uniform(0.25, 0.75), rng.uniform(-0.5, 0.5), rng.uniform(0.1, 0.3)
        centre = width * (middle + bend * (1 - near) ** 2)
        half = width * broad * (0.12 + near) * (1 + 0.15 * patches)
        path = ((half - abs(np.arange(width) - centre)) / 9).clip(0, 1)[..., None]
        floor += 0.75 * path * (rng.uniform(0.9, 1.35) * np.array((138, 120, 96)) - floor)
    grain = noise(rng, (height, width), (2.2, 3.5)) + 0.7 * noise(rng, (height, width), (1.1, 1.3))
    floor *= 1 + (0.06 + 0.13 * near[..., None]) * grain[..., None] + 0.1 * patches[..., None]
    haze = 0.35 * (1 - near[..., None]) ** 3
    floor += haze * (wood - floor)
    edge = ((rows - line) / 5 + 0.4 * far).clip(0, 1)[..., None]
    return scene + edge * (floor - scene)


def _draw_things(rng: np.random.Generator, scene: Array, horizon: float, bark: Array) -> None:
    """Trunks, from the furthest to the nearest, and stones and stumps coloured as animals are."""
    height, width = scene.shape[:2]
    for near in np.sort(rng.uniform(0, 0.5, rng.integers(3, 15)) ** 1.6).tolist():
        foot, thick = horizon + near * (height - horizon), 3 + 38 * near * rng.uniform(0.7, 1.2)
        x, lean = rng.uniform(0, width), rng.uniform(-0.06, 0.06)
        rows = np.arange(int(foot), dtype=np.float32)[:, None]
        off = np.arange(width, dtype=np.float32) - x - lean * (foot - rows)
        half = thick / 2 * (1 + 0.25 * (rows / foot) ** 8)
        stripes = noise(rng, (len(rows), width), (22, 2.5)) + noise(rng, (len(rows), width), (5, 4))
        colour = bark * (1 + 0.5 * max(0.15 - near, 0)) * (1 - 0.4 * off / half.clip(2))[..., None]
        cover = (half - abs(off) + 0.5).clip(0, 1)
        blend(scene, cover, colour.clip(0, 255) * (1 + 0.16 * stripes[..., None]), (0, 0))
    for _ in range(rng.integers(3, 16)):
        near = rng.uniform(0.05, 0.9)
        x, y, half = rng.uniform(0, width), horizon + near * (height - horizon), 5 + 26 * near
        colour = np.array(((112, 110, 104), (134, 92, 58), (100, 82, 62), (72, 66, 58)))
        u, v, corner = grid(x, y, 1.3 * half)
        angle, tall = np.arctan2(v, u), half * rng.uniform(0.35, 0.8)
        bumps = 1 + 0.1 * np.sin(3 * angle + x) + 0.06 * np.sin(7 * angle)
        light = 1 - 0.3 * (v / tall).clip(-1, 1) + 0.1 * noise(rng, bumps.shape, (3, 3))
        cover = oval(u / bumps, v / bumps, half, tall)
        blend(scene, cover, light[..., None] * colour[rng.integers(4)], corner)


def _draw_bush(rng: np.random.Generator, layer: Array, horizon: float, leaf: Array) -> None:
    height, width = layer.shape[:2]
    x, y = rng.uniform(0, width), horizon + rng.uniform(0, 0.35) * (height - horizon)
    broad, tall = rng.uniform(20, 60), rng.uniform(25, 80)
    for _ in range(rng.integers(50, 140)):
        a, b = rng.normal(0, 0.4, 2)
        u, v, corner = grid(x + broad * a, y - tall * (0.5 + 0.6 * b), 8)
        colour = np.array((*(leaf * rng.uniform(0.5, 1.15)), 1))
        blend(layer, oval(u, v, rng.uniform(2.5, 7), 2.2, rng.uniform(0, 3)), colour, corner)


def _draw_blade(rng: np.random.Generator, layer: Array, y: float, tall: float, leaf: Array) -> None:
    x, lean = rng.uniform(0, layer.shape[1]), rng.normal(0, 0.22)
    colour, thick = np.array((*(leaf * rng.uniform(0.55, 1.3)), 1)), rng.uniform(0.6, 1.5)
    middle = (x + 0.3 * lean * tall, y - 0.55 * tall)
    limb(layer, (x, y, *middle), (thick, 0.7 * thick), colour, 0)
    limb(layer, (*middle, x + lean * tall, y - tall), (0.7 * thick, 0.2), colour, 0)


def _finer(layer: Array) -> Array:
    """The layer with twice the columns, so that it can be moved by half pixels."""
    return np.stack((layer, (layer + np.roll(layer, -1, 1)) / 2), 2).reshape(
        len(layer), -1, layer.shape[2]
    )


def sway(canvas: Array, layer: Array, wind: float, t: float) -> None:
    """Lay the plants of a site over the canvas as the wind of frame `t` bends them.

    Args:
        wind: how far the tallest of them move, in pixels.
    """
    width = canvas.shape[1]
    rows = np.flatnonzero(layer[..., 3].any(axis=1))
    if not len(rows):
        return
    top, bottom = int(rows[0]), int(rows[-1]) + 1
    columns = np.arange(width, dtype=np.float32)
    gust = 0.6 + 0.4 * math.sin(0.11 * t)
    swing = np.sin(0.55 * t + columns / 17) + 0.6 * np.sin(0.93 * t - columns / 7)
    bend = ((bottom - np.arange(top, bottom, dtype=np.float32)) / (bottom - top)) ** 1.5
    shift = (2 * wind * gust) * bend[:, None] * swing
    source = (2 * columns + shift).astype(int).clip(0, 2 * width - 1)
    moved = np.take_along_axis(layer[top:bottom], source[..., None], axis=1)
    canvas[top:bottom] *= 1 - moved[..., 3:]
    canvas[top:bottom] += moved[..., :3]


class Weather:
    """Light and weather of one video; `apply` turns a canvas in daylight into what is filmed.

    Args:
        hour: of the day, from 0 to 24: it makes the light.
        night: whether the camera films in infrared, grey and lit by its own lamp.
    """

    def __init__(
        self, rng: np.random.Generator, height: int, width: int, hour: float, night: bool
    ) -> None:
        self.rng, self.night, self.shape = rng, night, (height, width)
        self.wind = float(rng.choice((0.4, 1.5, 3.5)) * rng.uniform(0.7, 1.3))
        self.kind = str(rng.choice(("dry", "rain", "fog"), p=(0.65, 0.2, 0.15)))
        dawn = abs(hour - 13) > 5.5
        self.tint = np.array((1.08, 0.98, 0.88) if dawn else (1, 1, 1), np.float32)
        self.light = rng.uniform(0.5, 0.7) if dawn else rng.uniform(0.8, 1.15)
        sunny = self.kind == "dry" and not night and rng.random() < 0.6
        self.flecks = rng.uniform(0.15, 0.45) if sunny else rng.uniform(0, 0.06)
        reach = (height + 48, 2 * width)
        self.cloth = 1.3 * noise(rng, reach, (34, 40)) + 0.6 * noise(rng, reach, (13, 15))
        self.grain = rng.standard_normal((height + 40, width + 40), dtype=np.float32)
        self.grain *= rng.uniform(3, 6) if night else rng.uniform(1, 3)
        rows, columns = np.linspace(-1, 1, height)[:, None], np.linspace(-1, 1, width)
        lamp = rng.uniform(0.8, 1.15) * np.exp(-(columns**2 + 0.8 * (rows - 0.25) ** 2) / 1.1)
        self.lamp = np.asarray(0.12 + lamp, np.float32)[..., None]
        self.drops = rng.uniform(0, 1, (3, 70)).astype(np.float32)
        self.drift = rng.uniform(0.6, 2.2)

    def apply(self, canvas: Array, t: int) -> None:
        height, width = self.shape
        x, y = int(t * self.drift) % width, int(20 + 18 * math.sin(0.16 * t))
        cloth = self.cloth[y : y + height, x : x + width]
        if self.night:
            canvas[:] = (canvas @ np.array((0.42, 0.43, 0.15), np.float32))[..., None]
            canvas *= self.lamp
        else:
            gain = self.flecks * (1.6 * cloth).clip(-1, 1) + self.light
            canvas *= gain[..., None] * self.tint
        if self.kind == "fog":
            grey = 120 if self.night else 190 * self.light
            canvas += (0.28 + 0.16 * cloth.clip(-1, 1))[..., None] * (grey - canvas)
        elif self.kind == "rain":
            left, top, pace = self.drops
            top = (top + (0.09 + 0.08 * pace) * t) % 1 * height
            for step in range(9):
                row, column = (top + step).astype(int) % height, (left * width - 0.2 * step) % width
                canvas[row, column.astype(int)] += 30 if self.night else 42
        down, right = self.rng.integers(0, 40, 2)
        canvas += self.grain[down : down + height, right : right + width, None]


def draw_banner(canvas: Array, site: Site, text: str) -> None:
    """Burn date and time into a bar of 16 pixels, twice a glyph's size."""
    bar, ink, top = site.banner
    rows = canvas[:16] if top else canvas[-16:]
    rows[:] = bar
    for place, letter in enumerate(text):
        if letter in GLYPHS:
            bits = [GLYPHS[letter] >> (14 - i) & 1 for i in range(15)]
            glyph = np.kron(np.array(bits).reshape(5, 3), np.ones((2, 2)))
            rows[3:13, 8 + 8 * place : 14 + 8 * place][glyph > 0] = ink
