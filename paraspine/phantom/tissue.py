"""Noise-free signal of an axial T2w slice."""

from __future__ import annotations

import numpy as np

from paraspine.phantom import randomness
from paraspine.phantom.canvas import Canvas, Plane, coverage
from paraspine.phantom.fat import fat_map
from paraspine.phantom.geometry import (
    Shape,
    blend,
    capsule,
    ellipse,
    grow,
    memo,
    outline,
    polar,
    union,
)
from paraspine.phantom.muscles import compartment, muscles
from paraspine.phantom.spine import SIGNAL, paint_spine
from paraspine.phantom.subjects import Subject

__all__ = ["body_outline", "fat_maps", "signal"]


def fat_maps(
    subject: Subject, z: float, plane: Plane
) -> dict[str, tuple[tuple[slice, slice], np.ndarray, np.ndarray]]:
    """Fat fraction in a window around each muscle at height `z`, by name.

    A muscle has (window, fat fraction ``(h, w)``, its own coverage ``(h, w)``).
    """
    maps = {}
    for name, shape in muscles(subject, z).items():
        window = plane.window(shape.box, 3.0)
        x, y = plane.x[:, window[1]], plane.y[window[0]]
        inside = coverage(shape.distance(x, y), 1.0)
        maps[name] = (window, fat_map(subject, name, shape, z, x, y, inside), inside)
    return maps


def body_outline(subject: Subject, shapes: dict[str, Shape]) -> Shape:
    """The skin, as far behind the muscles as the subject's fat is thick."""
    back = 0.0
    y = np.arange(0.0, 70.0, 0.5)
    for name, shape in shapes.items():
        if not name.endswith("PM"):
            lateral = np.linspace(shape.box[0], shape.box[1], 12)
            rows = (shape.distance(lateral[None], y[:, None]) < 0).any(1)
            back = max(back, float(y[rows].max(initial=0.0)))
    thick = subject.subcutaneous
    depth = (100 + thick) * subject.scale
    half = (150 + 1.4 * thick) * subject.scale
    body = ellipse(0, back + thick - depth, half, depth, power=3.0)
    furrow = 4.0 * (1 + 0.3 * subject.trait("furrow"))

    def distance(x, y):
        return body.distance(x, y) + furrow * np.exp(-((x / 13.0) ** 2)) * (y > 0)

    return Shape(body.box, distance)


def signal(
    subject: Subject, z: float, plane: Plane, edge: float, fat: dict, textures: dict
) -> np.ndarray:
    """Signal ``(H, W)`` before coil and noise.

    Parameters
    ----------
    subject : Subject
        Who.
    z : float
        Height (mm).
    plane : Plane
        Pixels.
    edge : float
        Width (mm) of tissue edges.
    fat : dict
        From `fat_maps`, at the middle of the slice.
    textures : dict
        Fields ``(H, W)``: ``fine`` and ``coarse``, standard normal.
    """
    shapes = {name: memo(shape) for name, shape in muscles(subject, z).items()}
    canvas = Canvas(plane, edge)
    fine, coarse = textures["fine"], textures["coarse"]
    body = memo(body_outline(subject, shapes))
    canvas.paint(body, SIGNAL["skin"])
    canvas.paint(grow(body, -1.8), SIGNAL["fat"] * (1 + 0.035 * coarse + 0.02 * fine))
    _paint_superficial(canvas, subject, body)
    _paint_abdomen(canvas, subject, z, body, fine, coarse)
    _paint_wall(canvas, subject, z, fine)
    for name, shape in shapes.items():
        if name.endswith("PM"):  # fat between psoas and what it lies on
            canvas.paint(grow(shape, 1.5), 0.8 * SIGNAL["fat"])
    paint_spine(canvas, subject, z, 1 + 0.09 * fine + 0.05 * coarse)
    _paint_fascia(canvas, shapes)
    for name, shape in shapes.items():
        _paint_muscle(canvas, name, shape, fat, fine)
    return canvas.signal


def _paint_muscle(canvas, name, shape, fat, fine) -> None:
    muscle = SIGNAL["muscle"] * (1 + 0.10 * fine)
    canvas.paint(grow(shape, 0.25), SIGNAL["ligament"], 0.5)
    if name in fat:
        window, share, _ = fat[name]
        muscle[window] += share * (0.97 * SIGNAL["fat"] - muscle[window])
    canvas.paint(shape, muscle)


def _paint_superficial(canvas: Canvas, subject: Subject, body: Shape) -> None:
    """The membranous layer and a few septa in the subcutaneous fat."""
    depth = 0.45 * subject.subcutaneous

    def distance(x, y):
        wave = 1.5 * np.sin(x / 17.0 + 3 * subject.trait("layer"))
        return np.abs(body.distance(x, y) + depth + wave) - 0.3

    canvas.paint(Shape((*body.box[:2], 0.0, body.box[3]), distance), 250.0, 0.6)


def _paint_fascia(canvas: Canvas, shapes: dict[str, Shape]) -> None:
    """The thoracolumbar fascia: a thin dark line behind each side's muscles."""
    for side in ("right", "left"):
        group = compartment(shapes, side)
        sheath = blend(group, 2.5)
        box = sheath.box

        def distance(x, y, sheath=sheath):
            away = sheath.distance(x, y) - 1.5 - 0.9 * np.sin(x / 9.0 + y / 13.0)
            return np.maximum(np.abs(away) - 0.3, -8.0 - y)

        canvas.paint(Shape((box[0] - 5, box[1] + 5, -8.0, box[3] + 5), distance), 120.0, 0.7)


def _paint_abdomen(canvas, subject, z, body, fine, coarse) -> None:
    """Retroperitoneal fat, bowel, vessels."""
    s = subject.scale
    front = ellipse(0, -112 * s, 125 * s, 48 * s)
    canvas.paint(front, 420.0 * (1 + 0.18 * coarse + 0.18 * fine), 0.8, edge=6.0)
    own = randomness.stream(subject.seed, "bowel", subject.index)
    for _ in range(90):
        x, y, height, size, long, value, turn, wall = own.uniform(
            [-100, -150, -60, 8, 12, 90, 0, 0.9], [100, -80, 230, 17, 30, 520, np.pi, 1.7]
        )
        folds = own.standard_normal((2, 6))
        rest = 1 - ((z - height) / long) ** 2  # an ellipsoid, cut at this height
        if rest <= 0.02 or (abs(x) < 30 and y > -98):
            continue
        radius = size * np.sqrt(rest)
        loop = memo(outline(x, y, _gut(1.35 * radius, 0.9 * radius, turn, folds)))
        canvas.paint(loop, 210.0, edge=2.0)
        canvas.paint(grow(loop, -wall), value * (1 + 0.3 * coarse + 0.3 * fine), edge=3.0)
    for side, sign in (("right", -1.0), ("left", 1.0)):
        wide = 11 + 1.5 * subject.vary(f"{side} colon", z)
        y = (-66 + 4 * subject.trait(f"{side} colon") + 3 * subject.vary(f"{side} colon y", z)) * s
        x = sign * (80 + 2 * subject.vary(f"{side} colon x", z)) * s
        folds = subject.vary_many(f"{side} colon folds", 12, z, 12.0).reshape(2, 6)
        loop = memo(outline(x, y, _gut(wide, 0.9 * wide, 0.0, folds)))
        canvas.paint(loop, 150.0, edge=1.8)
        canvas.paint(grow(loop, -1.5), 300 * (1 + 0.35 * coarse + 0.3 * fine), edge=2.5)
    apart = float(np.clip((56 - z / s) * 0.55, 0, 34))
    top = (-70.5 + 0.1 * apart) * s
    fork = float(np.clip(apart / 5, 0, 1))  # aorta and vena cava divide in front of L4
    for x, y, r in (
        (7 + 0.9 * apart, top - 4, 8.6 - 3.4 * fork),
        (-(4 + 0.9 * apart), top - 6, 5.0 * fork),
        (-(13 + 0.55 * apart), top - 2, 10.0 - 3.6 * fork),
        (3 + 0.75 * apart, top + 1, 6.2 * fork),
    ):
        if r > 1:
            canvas.paint(ellipse(x * s, y, r * 1.08, r), 150.0)
            canvas.paint(ellipse(x * s, y, r * 1.08 - 0.8, r - 0.8), SIGNAL["vessel"])


def _gut(a: float, b: float, turn: float, folds: np.ndarray) -> np.ndarray:
    """Polar table of a piece of bowel: an ellipse with irregular folds, ``(2, waves)``."""
    angles = np.arange(24) * 2 * np.pi / 24
    radii = 1 / np.sqrt((np.cos(angles - turn) / a) ** 2 + (np.sin(angles - turn) / b) ** 2)
    waves = np.arange(2, 2 + folds.shape[1])
    phases = np.outer(waves, angles)
    bends = folds / waves
    return polar(radii * np.exp(0.2 * (bends[0] @ np.cos(phases) + bends[1] @ np.sin(phases))))


def _paint_wall(canvas, subject, z, fine) -> None:
    """Quadratus lumborum above the iliac crest, ilium with its muscles below."""
    s, h = subject.scale, z / subject.scale
    muscle = SIGNAL["muscle"] * (1 + 0.1 * fine)
    upper = float(np.clip((h - 30) / 12, 0, 1))
    lower = float(np.clip((44 - h) / 12, 0, 1))
    down = float(np.clip((42 - h) / 55, 0, 1))
    for side, sign in (("right", -1.0), ("left", 1.0)):
        lift = 2.0 * subject.vary(f"{side} wall", z)
        if upper > 0:
            small = 0.4 + 0.6 * upper
            size = small * (1 + 0.12 * subject.trait(f"{side} lumborum"))
            lumborum = outline(
                sign * 60 * s, -33 * s + lift, _bean(17 * s * size, 7.5 * s * size), sign < 0
            )
            _fleshy(canvas, lumborum, muscle)
            start = (sign * (82 + 8 * (1 - small)) * s, -37 * s + lift)
            shown = 1.0 if upper > 0.5 else 2 * upper
            aponeurosis = capsule(sign * 70 * s, -31 * s + lift, *start, 0.4, 0.8)
            canvas.paint(aponeurosis, SIGNAL["ligament"], shown)
            for layer, (near, far) in ((-2.6, (1.2, 2.6)), (1.2, (1.2, 3.0)), (5.4, (0.8, 3.0))):
                sheet = capsule(
                    start[0], start[1] + 0.4 * layer,
                    sign * (128 * s + 0.7 * layer), -84 * s + 1.3 * layer, near, far,
                )  # fmt: skip
                _fleshy(canvas, sheet, muscle, shown)
        if lower > 0:
            outer = (118 * s * sign, (-66 - 6 * down) * s + lift)
            inner = (sign * (100 - 44 * down) * s, (-34 + 31 * down) * s + lift)
            thick = s * (3.0 + 3.5 * min(1.0, 1.6 * down))
            gluteus = capsule(
                outer[0] * 1.1, outer[1] + 40, inner[0] + sign * 10, inner[1] + 12, 22 * lower, 4
            )
            _fleshy(canvas, gluteus, muscle, lower)
            iliacus = capsule(
                outer[0] * 0.93, outer[1] - 8, inner[0] + 6 * sign, inner[1] - 16, 13 * lower, 4
            )
            _fleshy(canvas, iliacus, muscle, lower)
            bend = (0.45 * outer[0] + 0.55 * inner[0], 0.45 * outer[1] + 0.55 * inner[1] + 4.0)
            bone = union(
                capsule(*outer, *bend, 0.7 * thick, 0.9 * thick),
                capsule(*bend, *inner, 0.9 * thick, 1.35 * thick),
            )
            canvas.paint(bone, SIGNAL["cortex"], lower)
            marrow = SIGNAL["marrow"] * 1.1 * (1 + 0.08 * fine)
            canvas.paint(grow(bone, -1.4), marrow, lower, edge=1.6)


def _fleshy(canvas: Canvas, shape: Shape, muscle, opacity: float = 1.0) -> None:
    canvas.paint(grow(shape, 0.4), SIGNAL["ligament"], 0.5 * opacity)
    canvas.paint(shape, muscle, opacity)


def _bean(a: float, b: float) -> np.ndarray:
    """Polar table of a flat muscle, thick to lateral and drawn out to medial and posterior."""
    angles = np.arange(24) * 2 * np.pi / 24
    radii = 1 / np.sqrt((np.cos(angles - 0.42) / a) ** 2 + (np.sin(angles - 0.42) / b) ** 2)
    return polar(radii * (1 + 0.12 * np.cos(3 * angles + 0.6) + 0.08 * np.cos(angles)))
