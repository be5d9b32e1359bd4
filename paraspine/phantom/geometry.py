"""Plane shapes as signed distances in millimetres, negative inside.

`x` grows to the patient's left, `y` to posterior. A shape knows the box it lies in, so that it is
evaluated on few pixels. Distances are exact for circles and capsules and first-order near the
boundary for the others, which is what painting with soft edges and moving boundaries need.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

__all__ = [
    "Shape",
    "blend",
    "capsule",
    "ellipse",
    "grow",
    "half_plane",
    "intersect",
    "memo",
    "morph",
    "outline",
    "polar",
    "subtract",
    "union",
]

_TABLE = 360


@dataclass(frozen=True)
class Shape:
    """A region: the box it lies in (x0, x1, y0, y1) and its signed distance (mm)."""

    box: tuple[float, float, float, float]
    distance: Callable[[np.ndarray, np.ndarray], np.ndarray]


def ellipse(
    x: float, y: float, a: float, b: float, angle: float = 0.0, power: float = 2.0
) -> Shape:
    """An ellipse with half axes `a`, `b` (mm), turned by `angle` (rad), squarer for power > 2."""
    cos, sin = np.cos(angle), np.sin(angle)
    reach = max(a, b) * (1.0 if power <= 2 else 1.2)

    def distance(px, py):
        u = ((px - x) * cos + (py - y) * sin) / a
        v = (-(px - x) * sin + (py - y) * cos) / b
        if power == 2:
            total = u * u + v * v
            radius = np.sqrt(total) + 1e-9
            gradient = np.sqrt((u / a) ** 2 + (v / b) ** 2) / radius + 1e-9
        else:
            au, av = np.abs(u) + 1e-9, np.abs(v) + 1e-9
            if power == 3:
                radius = np.cbrt(au * au * au + av * av * av)
                gu, gv = np.square(au / radius) / a, np.square(av / radius) / b
            else:
                radius = (au**power + av**power) ** (1 / power)
                gu, gv = (au / radius) ** (power - 1) / a, (av / radius) ** (power - 1) / b
            gradient = np.sqrt(gu * gu + gv * gv) + 1e-9
        return np.maximum((radius - 1) / gradient, -min(a, b))

    return Shape((x - reach, x + reach, y - reach, y + reach), distance)


def capsule(x0, y0, x1, y1, start: float, end: float | None = None) -> Shape:
    """A line from (x0, y0) to (x1, y1) with half width `start`, tapering to `end` (mm)."""
    end = start if end is None else end
    length = (x1 - x0) ** 2 + (y1 - y0) ** 2 + 1e-12
    reach = max(start, end)

    def distance(px, py):
        t = np.clip(((px - x0) * (x1 - x0) + (py - y0) * (y1 - y0)) / length, 0, 1)
        dx, dy = px - x0 - t * (x1 - x0), py - y0 - t * (y1 - y0)
        return np.sqrt(dx * dx + dy * dy) - (start + t * (end - start))

    box = (min(x0, x1) - reach, max(x0, x1) + reach, min(y0, y1) - reach, max(y0, y1) + reach)
    return Shape(box, distance)


def polar(radii, size: int = _TABLE) -> np.ndarray:
    """Logarithms of the radii at `size` angles, by band-limited interpolation of a few."""
    spectrum = np.fft.rfft(np.log(radii))
    table = np.fft.irfft(np.r_[spectrum, np.zeros(size // 2 + 1 - len(spectrum))], size)
    return table * size / len(radii)


def morph(table, wide: float, high: float) -> np.ndarray:
    """Stretch a polar table by `wide` in x and `high` in y."""
    angles = np.arange(len(table)) * 2 * np.pi / len(table)
    x = np.exp(table) * np.cos(angles) * wide
    y = np.exp(table) * np.sin(angles) * high
    turned = np.unwrap(np.arctan2(y, x))
    order = np.argsort(turned % (2 * np.pi), kind="stable")
    return np.interp(
        angles, (turned % (2 * np.pi))[order], 0.5 * np.log(x * x + y * y)[order], period=2 * np.pi
    )


def outline(x: float, y: float, table, mirrored: bool = False) -> Shape:
    """A star-shaped region around (x, y) from a polar table; `mirrored` turns angles left-right."""
    table = np.asarray(table)
    size = len(table)
    slope = (np.roll(table, -1) - np.roll(table, 1)) * size / (4 * np.pi)
    padded, slopes = np.r_[table, table[0]], np.r_[slope, slope[0]]
    reach = float(np.exp(table.max()))
    sign = -1.0 if mirrored else 1.0

    def distance(px, py):
        dx, dy = sign * (px - x), py - y
        place = (np.arctan2(dy, dx) % (2 * np.pi)) * (size / (2 * np.pi))
        low = np.minimum(place.astype(np.intp), size - 1)
        part = place - low
        radius = np.exp(padded[low] + part * (padded[low + 1] - padded[low]))
        tilt = slopes[low] + part * (slopes[low + 1] - slopes[low])
        return (np.sqrt(dx * dx + dy * dy) - radius) / np.sqrt(1 + tilt * tilt)

    return Shape((x - reach, x + reach, y - reach, y + reach), distance)


def half_plane(x: float, y: float, nx: float, ny: float, box) -> Shape:
    """The points on the far side of (x, y) against the normal (nx, ny), within a box."""
    norm = np.hypot(nx, ny)
    return Shape(box, lambda px, py: ((px - x) * nx + (py - y) * ny) / norm)


def union(*shapes: Shape) -> Shape:
    """Points in any of the shapes."""
    return Shape(_hull(shapes), lambda x, y: np.minimum.reduce([s.distance(x, y) for s in shapes]))


def blend(shapes, softness: float) -> Shape:
    """The union of shapes with the notches between them filled over about `softness` mm."""

    def distance(x, y):
        total = sum(np.exp(np.clip(-s.distance(x, y) / softness, -60, 60)) for s in shapes)
        return -softness * np.log(np.maximum(total, 1e-26))

    return grow(Shape(_hull(shapes), distance), 0.0, reach=softness * np.log(len(shapes)))


def intersect(first: Shape, second: Shape) -> Shape:
    """Points in both."""
    box = (
        max(first.box[0], second.box[0]),
        min(first.box[1], second.box[1]),
        max(first.box[2], second.box[2]),
        min(first.box[3], second.box[3]),
    )
    return Shape(box, lambda x, y: np.maximum(first.distance(x, y), second.distance(x, y)))


def subtract(first: Shape, second: Shape, gap: float = 0.0) -> Shape:
    """Points of the first that lie further than `gap` mm from the second."""
    return Shape(
        first.box, lambda x, y: np.maximum(first.distance(x, y), gap - second.distance(x, y))
    )


def grow(shape: Shape, by: float, reach: float | None = None) -> Shape:
    """The shape with its boundary moved outwards by `by` mm."""
    reach = max(by, 0.0) if reach is None else reach
    x0, x1, y0, y1 = shape.box
    return Shape(
        (x0 - reach, x1 + reach, y0 - reach, y1 + reach), lambda x, y: shape.distance(x, y) - by
    )


def memo(shape: Shape) -> Shape:
    """The same shape, remembering the distances of the last pixels that were asked for."""
    last: dict = {}

    def distance(x, y):
        key = (x.shape, y.shape, float(x.flat[0]), float(y.flat[0]))
        if last.get("key") != key:
            last["key"], last["value"] = key, shape.distance(x, y)
        return last["value"]

    return Shape(shape.box, distance)


def _hull(shapes) -> tuple[float, float, float, float]:
    x0, x1, y0, y1 = zip(*(s.box for s in shapes), strict=True)
    return (min(x0), max(x1), min(y0), max(y1))
