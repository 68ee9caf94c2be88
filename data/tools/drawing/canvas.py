"""What drawn pictures are made of: soft shapes, noise, and colour laid over a canvas.

A canvas is float32 RGB ``[H, W, 3]`` from 0 to 255, x to the right and y downwards in pixels.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def grid(x: float, y: float, radius: float) -> tuple[Array, Array, tuple[int, int]]:
    """Offsets in pixels from (x, y) over a square around it, and the square's left top corner."""
    left, top = int(x - radius) - 1, int(y - radius) - 1
    steps = np.arange(int(2 * radius) + 4, dtype=np.float32)
    return (steps + (left - x))[None, :], (steps + (top - y))[:, None], (left, top)


def oval(u: Array, v: Array, long: float, wide: float, turn: float = 0, scale: float = 1) -> Array:
    """Cover (0 to 1) of an ellipse whose edge is about a pixel soft; `scale` is pixels a unit."""
    cos, sin = math.cos(turn), math.sin(turn)
    far = np.sqrt(((u * cos + v * sin) / long) ** 2 + ((v * cos - u * sin) / wide) ** 2)
    return np.asarray(((1 - far) * wide * scale + 0.5).clip(0, 1))


def blend(canvas: Array, cover: Array, colour: Array, corner: tuple[int, int]) -> float:
    """Paint `colour` where `cover` says and return the share of the cover inside the picture."""
    (left, top), (tall, wide), (height, width) = corner, cover.shape, canvas.shape[:2]
    part = np.s_[max(-top, 0) : max(height - top, 0), max(-left, 0) : max(width - left, 0)]
    under = canvas[max(top, 0) : max(top + tall, 0), max(left, 0) : max(left + wide, 0)]
    colour = np.broadcast_to(colour, (tall, wide, canvas.shape[2]))[part]
    under += cover[part][..., None] * (colour - under)
    return float(cover[part].sum() / cover.sum())


def limb(
    canvas: Array,
    ends: tuple[float, float, float, float],
    radii: tuple[float, float],
    colour: Array,
    relief: float = 0.25,
) -> float:
    """Paint a limb that tapers from one end to the other, lit from above; returns `blend`'s share.

    Args:
        ends: x and y of its beginning, then of its end.
        radii: half its thickness at either end, in pixels.
        relief: how much lighter its upper edge is, and darker its lower one, as a share.
    """
    x0, y0, x1, y1 = ends
    most = max(radii)
    left, top = int(min(x0, x1) - most) - 2, int(min(y0, y1) - most) - 2
    wide, tall = int(max(x0, x1) + most) + 3 - left, int(max(y0, y1) + most) + 3 - top
    u = np.arange(left, left + wide, dtype=np.float32)[None, :] - np.float32(x0)
    v = np.arange(top, top + tall, dtype=np.float32)[:, None] - np.float32(y0)
    dx, dy = x1 - x0, y1 - y0
    along = ((u * dx + v * dy) / max(dx * dx + dy * dy, 1e-6)).clip(0, 1)
    off = v - along * dy
    thick = radii[0] + (radii[1] - radii[0]) * along
    # What is thinner than a pixel covers a part of it only.
    cover = (thick - np.hypot(u - along * dx, off) + 0.5).clip(0, 1) * (2 * thick).clip(0.2, 1)
    light = 1 - relief * (off / thick.clip(0.7)).clip(-1, 1)
    return blend(canvas, cover, light[..., None] * colour, (left, top)) if cover.any() else 0.0


def noise(rng: np.random.Generator, shape: tuple[int, int], cell: tuple[float, float]) -> Array:
    """Smooth random values ``[H, W]`` around 0 with a spread of about 0.5.

    Args:
        cell: height and width in pixels over which they change.
    """
    counts = [int(size / step) + 2 for size, step in zip(shape, cell, strict=True)]
    values = rng.standard_normal(counts, dtype=np.float32)
    for axis, (size, step) in enumerate(zip(shape, cell, strict=True)):
        place = np.arange(size, dtype=np.float32) / np.float32(step)
        first = place.astype(int)
        part = place - first
        part = part * part * (3 - 2 * part)
        part = part[:, None] if axis == 0 else part[None, :]
        before, after = values.take(first, axis), values.take(first + 1, axis)
        values = before + part * (after - before)
    return values
