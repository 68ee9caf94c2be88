"""Animals that walk, hop or fly past a camera trap: a fox, a deer, a bird."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from data.tools.drawing.canvas import Array, blend, grid, limb, oval

COATS = {"fox": (158, 94, 52), "deer": (126, 94, 66), "bird": (62, 58, 58)}
LENGTHS = {"fox": (26, 48), "deer": (36, 54), "bird": (19, 22)}  # a body's, far away, and more near
SHOWN = 0.35  # share of the body that must lie inside the picture for the animal to be in view


class Way(NamedTuple):
    """Where an animal is in each frame: arrays over the frames, in pixels."""

    x: Array
    y: Array  # of its feet
    facing: Array  # 1 to the right, -1 to the left
    step: Array  # the way it has gone, in lengths of its body
    low: Array  # how far its head is down: 0 to 1
    air: Array  # how much of a flight it is: 0 on its feet, 1 on the wing


class Animal(NamedTuple):
    kind: str
    size: float  # length of its body in pixels
    coat: Array  # RGB
    antlers: bool
    eyes: bool  # they shine in the lamp of a camera at night
    way: Way


def plan_animal(
    rng: np.random.Generator, kind: str, count: int, scene: tuple[int, int, float], size: float,
    night: bool,
) -> Animal:  # fmt: skip
    """An animal that comes and goes within `count` frames, for a quarter to two thirds of them.

    Args:
        scene: height and width of the picture, and y of the horizon, in pixels.
        size: of animals at the site; 1 is usual.
    """
    height, width, horizon = scene
    near = rng.uniform(0.15, 0.75)
    small, more = LENGTHS[kind]
    length = float(size * (small + more * near))
    foot = horizon + (0.12 + 0.8 * near) * (height - 16 - horizon)
    frames = round(rng.uniform(0.38, 0.72) * count)
    first = int(rng.integers(0, count - frames + 1))
    plan = _plan_flight if kind == "bird" and rng.random() < 0.6 else _plan_walk
    way = plan(rng, kind, frames, width, foot, length)
    # Before it comes and after it is gone it stays where it is, out of sight.
    way = Way(*(np.pad(part, (first, count - frames - first), mode="edge") for part in way))
    coat = np.array(COATS[kind]) * rng.uniform(0.8, 1.25) * rng.uniform(0.93, 1.07, 3)
    if night:
        coat = 0.75 * coat + 70  # fur and feathers are bright in infrared
    return Animal(kind, length, coat, bool(rng.random() < 0.5), night, way)


def _plan_walk(
    rng: np.random.Generator, kind: str, frames: int, width: int, foot: float, length: float
) -> Way:
    """Across the picture, or into it and out again, and a stop on the way if there is time."""
    side, edge = float(rng.choice((-1, 1))), 0.75 * length
    pace = length * rng.uniform(0.16, 0.3)  # a frame
    need = (width + 2 * edge) / pace
    if need <= frames:
        halt = rng.uniform(0.25, 0.75) * width
        knots = [-edge, halt, halt, width + edge]
        stop = frames - need
        times = [0, (halt + edge) / pace, (halt + edge) / pace + stop, frames - 1]
    else:
        stop = rng.uniform(0.15, 0.4) * frames
        halt = max(pace * (frames - stop) / 2, 2.2 * length) - edge
        times = [0, (frames - stop) / 2, (frames + stop) / 2, frames - 1]
        knots = [-edge, halt, halt, -edge]
    t = np.arange(frames)
    x = np.interp(t, times, knots)
    back = (t > (times[1] + times[2]) / 2) & (knots[3] < knots[2])
    facing = np.where(back, -side, side)
    step = np.abs(np.diff(x, prepend=x[0])).cumsum() / length
    inside = np.minimum(t - times[1], times[2] - t)
    low = (inside / 4).clip(0, 1) * (rng.random() < 0.75)
    x = x if side > 0 else width - x
    y = foot + rng.uniform(-0.06, 0.06) * side * (x - width / 2)
    if kind == "bird":  # it hops
        y = y - 0.35 * length * np.abs(np.sin(2.2 * step)) * (inside < 0)
        low = low * (np.sin(1.3 * t) > 0)
    return Way(x, y, facing, step, low, np.zeros(frames))


def _plan_flight(
    rng: np.random.Generator, kind: str, frames: int, width: int, foot: float, length: float
) -> Way:
    """Down to the ground, some hops there, and off again."""
    side = float(rng.choice((-1, 1)))
    t, wing = np.arange(frames), min(frames / 3, rng.uniform(6, 11))
    first, hops = rng.uniform(0.25, 0.75) * width, rng.uniform(-1, 1) * 3 * length
    coming, going = (1 - t / wing).clip(0, 1), (1 - (frames - 1 - t) / wing).clip(0, 1)
    air = np.maximum(coming, going)
    walked = np.floor(((t - wing) / max(frames - 2 * wing, 1)).clip(0, 1) * 5) / 5
    reach = width * 0.75 + 2 * length
    x = first + side * (reach * (going - coming) + hops * walked)
    y = foot - rng.uniform(0.7, 1) * foot * air**1.2
    facing = np.where((air == 0) & (hops < 0), -side, side)
    low = (np.sin(1.7 * t) > 0.2) * (air == 0)
    return Way(x, y, facing, 2.0 * walked, low * 1.0, (air > 0) * 1.0)


def draw_animal(canvas: Array, animal: Animal, t: int) -> bool:
    """Draw the animal of frame `t`; returns whether it is in view."""
    way = animal.way
    x, y, facing, size = float(way.x[t]), float(way.y[t]), float(way.facing[t]), animal.size
    if abs(x - canvas.shape[1] / 2) > canvas.shape[1] / 2 + 1.8 * size:
        return False
    if not way.air[t]:  # its shadow
        u, v, corner = grid(x, y, size)
        dark = np.array((22, 22, 20), np.float32)
        blend(canvas, 0.35 * oval(u, v, 0.6 * size, 0.09 * size), dark, corner)

    def part(ends: tuple[float, ...], thick: tuple[float, float], colour: Array) -> float:
        """A limb in lengths of the body: x forward, y up from the ground."""
        x0, y0, x1, y1 = ends
        placed = x + facing * size * x0, y - size * y0, x + facing * size * x1, y - size * y1
        return limb(canvas, placed, (thick[0] * size, thick[1] * size), colour)

    shown = DRAW[animal.kind](part, animal, float(way.step[t]), float(way.low[t]), t)
    return shown >= SHOWN


Part = Callable[[tuple[float, ...], tuple[float, float], Array], float]


def _draw_leg(
    part: Part, hip: tuple[float, float], turn: float, thick: float, colours: tuple[Array, Array]
) -> None:
    """A leg of two bones; `turn` is where in its step it is, in radians."""
    swing, lift = 0.5 * math.sin(turn), max(math.cos(turn), 0.0)
    half = hip[1] / 2
    knee = hip[0] + half * math.sin(swing) + 0.1 * half, hip[1] - half * math.cos(swing)
    foot = (
        knee[0] + half * math.sin(swing - 0.8 * lift),
        max(knee[1] - half * math.cos(0.8 * lift), 0),
    )
    part((*hip, *knee), (thick, 0.5 * thick), colours[0])
    part((*knee, *foot), (0.5 * thick, 0.36 * thick), colours[1])


def _draw_legs(
    part: Part, hips: tuple[tuple[float, float], ...], turns: tuple[float, float], thick: float,
    step: float, colours: tuple[Array, Array],
) -> None:  # fmt: skip
    for hip, turn in zip(hips, turns, strict=True):
        _draw_leg(part, hip, (4.2 * step + turn) if step else 1.5, thick, colours)


def _draw_fox(part: Part, one: Animal, step: float, low: float, t: int) -> float:
    """Long and low, with a bushy tail that has a pale tip, dark legs and pointed ears."""
    coat, pale, dark = one.coat, one.coat * 0.3 + 150, one.coat * 0.35
    hips = (-0.34, 0.33), (0.14, 0.33)
    _draw_legs(part, hips, (0.6, 3.7), 0.06, step, (0.7 * coat, dark))
    wave = 0.05 * math.sin(0.6 * t)
    part((-0.4, 0.4, -0.66, 0.3 + wave), (0.05, 0.1), 0.92 * coat)
    part((-0.66, 0.3 + wave, -0.92, 0.24 + 2 * wave), (0.1, 0.07), 0.88 * coat)
    part((-0.92, 0.24 + 2 * wave, -1.03, 0.22 + 2 * wave), (0.06, 0.02), pale)
    shown = part((-0.36, 0.4, 0.14, 0.42), (0.115, 0.13), coat)
    part((-0.3, 0.34, 0.16, 0.34), (0.04, 0.06), 0.6 * coat + 0.3 * pale)
    _draw_legs(part, hips, (3.7, 0.6), 0.065, step, (0.95 * coat, dark))
    x, y = 0.36 - 0.02 * low, 0.54 - 0.34 * low
    part((0.14, 0.42, x - 0.06, y), (0.11, 0.09), coat)
    for back in (0.09, 0.01):
        part((x - back, y + 0.06, x - back - 0.01, y + 0.18), (0.045, 0.01), 0.75 * coat)
    part((x - 0.05, y, x + 0.04, y - 0.01), (0.095, 0.075), coat)
    part((x + 0.04, y - 0.03, x + 0.2, y - 0.06), (0.055, 0.02), 0.5 * coat + 0.5 * pale)
    part((x + 0.2, y - 0.055, x + 0.21, y - 0.055), (0.02, 0.02), 0.2 * coat)
    _draw_eye(part, one, x + 0.04, y + 0.02)
    return shown


def _draw_deer(part: Part, one: Animal, step: float, low: float, t: int) -> float:
    """Tall on long thin legs, with a long neck, a pale rump and sometimes antlers."""
    coat, pale = one.coat, one.coat * 0.3 + 150
    hips = (-0.4, 0.74), (0.34, 0.72)
    _draw_legs(part, hips, (0.6, 3.7), 0.075, step, (0.7 * coat, 0.6 * coat))
    shown = part((-0.38, 0.84, 0.32, 0.82), (0.185, 0.18), coat)
    part((-0.3, 0.74, 0.25, 0.73), (0.07, 0.08), 0.8 * coat + 0.08 * pale)
    part((-0.54, 0.9, -0.56, 0.76), (0.05, 0.05), pale)
    _draw_legs(part, hips, (3.7, 0.6), 0.08, step, (0.95 * coat, 0.75 * coat))
    nod = low * 0.06 * math.sin(0.9 * t)
    x, y = 0.62 + 0.18 * low, 1.3 - 1.02 * low + nod
    part((0.36, 0.9, x, y), (0.14, 0.075), coat)
    if one.antlers:
        for tilt in (-0.1, 0.06):
            part((x, y + 0.06, x + tilt, y + 0.34), (0.022, 0.016), 0.8 * coat)
            part((x + tilt, y + 0.34, x + tilt + 0.12, y + 0.5), (0.016, 0.01), 0.8 * coat)
            part((x + tilt / 2, y + 0.2, x + tilt + 0.16, y + 0.32), (0.016, 0.01), 0.8 * coat)
    for back in (0.06, -0.02):
        part((x - back, y + 0.06, x - back - 0.12, y + 0.15), (0.035, 0.015), 0.75 * coat)
    part((x, y, x + 0.22, y - 0.09 - 0.08 * low), (0.08, 0.04), coat)
    part(
        (x + 0.22, y - 0.09 - 0.08 * low, x + 0.24, y - 0.1 - 0.08 * low), (0.035, 0.03), 0.3 * coat
    )
    _draw_eye(part, one, x + 0.06, y + 0.01)
    return shown


def _draw_bird(part: Part, one: Animal, step: float, low: float, t: int) -> float:
    """Round, with a beak and thin legs; its wings beat when it flies."""
    coat, pale = one.coat, one.coat * 0.4 + 90
    flies = bool(one.way.air[t])
    if not flies:
        for leg in (-0.05, 0.06):
            part((leg, 0.3, leg + 0.03, 0), (0.035, 0.03), 0.6 * coat)
    part((-0.3, 0.42, -0.85, 0.36 + 0.1 * flies), (0.11, 0.07), 0.75 * coat)
    shown = part((-0.22, 0.44, 0.16, 0.46), (0.2, 0.24), coat)
    part((-0.1, 0.34, 0.2, 0.38), (0.09, 0.13), pale)
    x, y = 0.34 + 0.16 * low, 0.74 - 0.36 * low - 0.16 * flies
    part((0.2, 0.55, x, y), (0.16, 0.15), coat)
    part((x + 0.1, y, x + 0.3, y - 0.05 - 0.1 * low), (0.05, 0.01), np.array((170, 130, 60.0)))
    if flies:
        beat = math.sin(2.3 * t)
        for root, shade in ((0.1, 0.7), (0.0, 0.85)):
            tip = 0.5 + (1.0 + root) * beat
            part((root, 0.52, root - 0.18, tip), (0.2, 0.12), shade * coat)
            part((root - 0.18, tip, root - 0.4, 0.5 + 1.35 * beat), (0.12, 0.04), shade * coat)
    else:
        part((0.1, 0.48, -0.42, 0.38), (0.13, 0.05), 0.7 * coat)
    _draw_eye(part, one, x + 0.04, y + 0.03)
    return shown


def _draw_eye(part: Part, one: Animal, x: float, y: float) -> None:
    thick = max(0.022, 0.9 / one.size) if one.eyes else 0.02
    colour = np.full(3, 330.0) if one.eyes else 0.2 * one.coat
    part((x, y, x + 0.005, y), (thick, thick), colour)


DRAW = {"fox": _draw_fox, "deer": _draw_deer, "bird": _draw_bird}
