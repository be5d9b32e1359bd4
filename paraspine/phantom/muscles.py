"""True outlines of the muscles at a height."""

from __future__ import annotations

import numpy as np
from scipy.interpolate import PchipInterpolator

from paraspine.phantom.geometry import Shape, half_plane, intersect, morph, outline, polar, subtract
from paraspine.phantom.shape_model import outlines
from paraspine.phantom.subjects import HEIGHTS, Subject

__all__ = ["compartment", "muscles", "table_at"]

# How MF and ES differ from L4-L5 along the spine: factors on width and height, shifts (mm) to
# lateral and posterior. Chosen so that MF grows and ES shrinks downwards and so that the volumes
# over L1-L5 come near wesselink2022's (MF 120, ES 300, PM 157 ml).
_ALONG = np.array([
    #  z    MF: wide high  dx    dy    ES: wide high  dx    dy
    [-40.0, 1.00, 0.62, 2.0, -2.0, 0.62, 0.25, 1.0, 9.0],
    [-13.0, 1.14, 0.82, 2.5, -1.0, 0.74, 0.42, 1.0, 7.5],
    [5.0, 1.17, 0.95, 2.2, 0.0, 0.86, 0.64, 1.0, 4.0],
    [28.0, 1.08, 1.00, 1.0, 0.0, 0.95, 0.85, 0.5, 1.5],
    [42.0, 1.00, 1.00, 0.0, 0.0, 1.00, 1.00, 0.0, 0.0],
    [66.0, 0.92, 0.98, -1.1, 0.3, 1.14, 1.14, -1.0, -0.5],
    [80.0, 0.87, 0.97, -1.8, 0.5, 1.23, 1.23, -2.0, -1.0],
    [130.0, 0.76, 0.95, -3.0, 1.0, 1.36, 1.36, -4.5, -1.0],
    [190.0, 0.69, 0.90, -4.0, 1.5, 1.31, 1.36, -6.0, -0.5],
])  # fmt: skip
_MORPH = PchipInterpolator(_ALONG[:, 0], _ALONG[:, 1:])

# Psoas along the spine: half axes (mm), distance from the midline and from the origin (mm).
_PSOAS = PchipInterpolator(
    [-40.0, -13.0, 5.0, 28.0, 42.0, 66.0, 80.0, 130.0, 190.0],
    [
        [14.0, 16.0, 56.0, -74.0],
        [15.0, 18.0, 53.0, -68.0],
        [16.0, 19.5, 49.0, -62.0],
        [17.0, 20.0, 46.0, -57.0],
        [17.0, 19.5, 43.5, -54.0],
        [16.5, 19.0, 41.0, -51.0],
        [15.5, 18.5, 39.0, -50.0],
        [11.0, 13.5, 34.0, -47.0],
        [5.5, 7.5, 28.0, -44.0],
    ],
)


def table_at(interpolator: PchipInterpolator, z: float) -> np.ndarray:
    """Values of a table along the spine, held constant beyond its ends."""
    return interpolator(np.clip(z, interpolator.x[0], interpolator.x[-1]))


def muscles(subject: Subject, z: float, psoas: bool = True) -> dict[str, Shape]:
    """True outlines at height `z` (mm): right and left MF, ES and, if asked, PM.

    An ES that does not reach S1 is left out of the dictionary there.
    """
    shapes: dict[str, Shape] = {}
    for side, sign in (("right", -1.0), ("left", 1.0)):
        mf, es = outlines(subject.scores(side, z))
        wide, high, dx, dy, es_wide, es_high, es_dx, es_dy = table_at(_MORPH, z / subject.scale)
        size = subject.scale**0.5  # the shape model holds the rest of the variation in size
        table = _rough(
            subject, f"{side} MF", z, morph(polar(mf[2]), wide * size, high * size), 0.85
        )
        first = outline(sign * (mf[0] + dx) * size, (mf[1] + dy) * size, table, sign < 0)
        midline = half_plane(sign * 1.6, 0, -sign, 0, (-200, 200, -200, 200))
        first = intersect(first, midline)
        table = _rough(
            subject, f"{side} ES", z, morph(polar(es[2]), es_wide * size, es_high * size), 1.35
        )
        second = outline(sign * (es[0] + es_dx) * size, (es[1] + es_dy) * size, table, sign < 0)
        second = subtract(second, first, 0.4)
        shapes[f"{side} MF"] = first
        if not (subject.missing_es[side == "left"] and z < HEIGHTS["S1"] * subject.scale + 8):
            shapes[f"{side} ES"] = second
        if psoas:
            shapes[f"{side} PM"] = _psoas(subject, side, sign, z)
    return shapes


def _rough(subject: Subject, name: str, z: float, table, amount: float) -> np.ndarray:
    """Fine irregularity of an outline, up to 12 waves around it."""
    angles = np.arange(len(table)) * 2 * np.pi / len(table)
    waves = np.arange(5, 13)
    a, b = subject.vary_many(f"{name} rough", 16, z, 15.0).reshape(2, 8) / waves
    total = a @ np.cos(np.outer(waves, angles)) + b @ np.sin(np.outer(waves, angles))
    return table + 0.04 * amount * np.exp(0.4 * subject.trait(f"{name} rough")) * total


def _psoas(subject: Subject, side: str, sign: float, z: float) -> Shape:
    a, b, x, y = table_at(_PSOAS, z / subject.scale) * subject.scale
    size = np.exp(
        0.03
        + 0.14 * subject.trait("psoas")
        + 0.05 * subject.trait(f"{side} psoas")
        + (0.1 if subject.sex == "M" else -0.1)
    )
    angles = np.arange(24) * 2 * np.pi / 24
    radii = 1 / np.sqrt((np.cos(angles) / a) ** 2 + (np.sin(angles) / b) ** 2)
    waves = np.arange(2, 6)
    u, v = 0.09 * subject.vary_many(f"{side} psoas", 8, z).reshape(2, 4) / waves
    radii *= np.exp(u @ np.cos(np.outer(waves, angles)) + v @ np.sin(np.outer(waves, angles)))
    lift = 1.5 * subject.vary(f"{side} psoas height", z)
    return outline(sign * (x + 3 * np.log(size) * 4), y + lift, polar(radii * size), sign < 0)


def compartment(shapes: dict[str, Shape], side: str) -> list[Shape]:
    """The muscles of one side behind the spine."""
    return [s for n, s in shapes.items() if n.startswith(side) and not n.endswith("PM")]
