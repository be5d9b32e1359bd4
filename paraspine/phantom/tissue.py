"""The noise-free signal of an axial T2w slice, painted from the skin inwards."""

from __future__ import annotations

import numpy as np

from paraspine.phantom import randomness
from paraspine.phantom.canvas import Canvas, Plane, coverage
from paraspine.phantom.fat import fat_map
from paraspine.phantom.geometry import Shape, blend, capsule, ellipse, grow
from paraspine.phantom.muscles import compartment, muscles
from paraspine.phantom.spine import SIGNAL, paint_spine
from paraspine.phantom.subjects import Subject

__all__ = ["body_outline", "fat_maps", "signal"]


def fat_maps(
    subject: Subject, z: float, plane: Plane, edge: float
) -> dict[str, tuple[tuple[slice, slice], np.ndarray, np.ndarray]]:
    """Fat fraction in a window around each muscle at height `z`, by name.

    A muscle has (window, fat fraction ``(h, w)``, its own coverage ``(h, w)``).
    """
    maps = {}
    for name, shape in muscles(subject, z).items():
        window = plane.window(shape.box, 3.0)
        x, y = plane.x[:, window[1]], plane.y[window[0]]
        inside = coverage(shape.distance(x, y), edge)
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
    body = ellipse(0, back + thick - depth, half, depth, power=2.5)
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
    shapes = muscles(subject, z)
    canvas = Canvas(plane, edge)
    fine, coarse = textures["fine"], textures["coarse"]
    body = body_outline(subject, shapes)
    canvas.paint(body, SIGNAL["skin"])
    canvas.paint(grow(body, -1.8), SIGNAL["fat"] * (1 + 0.035 * coarse + 0.02 * fine))
    _paint_superficial(canvas, subject, body)
    _paint_abdomen(canvas, subject, z, body, fine, coarse)
    _paint_wall(canvas, subject, z, fine)
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
            return np.maximum(np.abs(sheath.distance(x, y) - 1.9) - 0.35, -14.0 - y)

        canvas.paint(Shape((box[0] - 5, box[1] + 5, -14.0, box[3] + 5), distance), 130.0, 0.75)


def _paint_abdomen(canvas, subject, z, body, fine, coarse) -> None:
    """Retroperitoneal fat, bowel, vessels."""
    own = randomness.stream(subject.seed, "bowel", subject.index, round(z / 12))
    s = subject.scale
    front = ellipse(0, -112 * s, 120 * s, 46 * s, power=2.6)
    canvas.paint(front, 420.0 * (1 + 0.25 * coarse + 0.15 * fine), 0.8, edge=6.0)
    for _ in range(16):
        x, y, size, value = own.uniform([-100, -150, 8, 90], [100, -78, 19, 520])
        turn, wall = own.uniform([0, 1.2], [np.pi, 2.6])
        if abs(x) < 24 and y > -95:
            continue
        loop = ellipse(x, y, size * 1.25, size, angle=turn)
        canvas.paint(loop, 120.0, 0.95)
        canvas.paint(grow(loop, -wall), value * (1 + 0.2 * coarse), 0.95, edge=3.0)
    colon = own.uniform(9, 14)
    for sign in (-1.0, 1.0):
        loop = ellipse(sign * 76 * s, -62 * s + 8 * own.standard_normal(), colon, colon * 0.9)
        canvas.paint(loop, 110.0, 0.9)
        canvas.paint(grow(loop, -1.8), 300 * (1 + 0.3 * coarse + 0.2 * fine), 0.9, edge=2.5)
    apart = float(np.clip((56 - z / s) * 0.55, 0, 34))
    top = (-70.5 + 0.1 * apart) * s
    below = apart > 3
    for x, y, r in (
        (7 + 0.9 * apart, top - 4, 5.2 if below else 8.6),
        (-(4 + 0.9 * apart), top - 6, 5.0 if below else 0.0),
        (-(13 + 0.55 * apart), top - 2, 6.4 if below else 10.0),
        (3 + 0.75 * apart, top + 1, 6.2 if below else 0.0),
    ):
        if r:
            canvas.paint(ellipse(x * s, y, r * 1.08, r), 150.0)
            canvas.paint(ellipse(x * s, y, r * 1.08 - 0.8, r - 0.8), SIGNAL["vessel"])


def _paint_wall(canvas, subject, z, fine) -> None:
    """Quadratus lumborum above the iliac crest, ilium with its muscles below."""
    s, h = subject.scale, z / subject.scale
    muscle = SIGNAL["muscle"] * (1 + 0.1 * fine)
    upper = float(np.clip((h - 30) / 14, 0, 1))
    lower = float(np.clip((46 - h) / 14, 0, 1))
    down = float(np.clip((40 - h) / 53, 0, 1))
    for sign in (-1.0, 1.0):
        lumborum = ellipse(sign * 62 * s, -33 * s, 17 * s, 8 * s, angle=0.42 * sign, power=2.3)
        canvas.paint(lumborum, muscle, upper)
        wall = capsule(sign * 84 * s, -38 * s, sign * 125 * s, -78 * s, 4 * s, 9 * s)
        canvas.paint(wall, muscle, upper)
        outer = (112 * s * sign, (-62 - 8 * down) * s)
        inner = (sign * (84 - 28 * down) * s, (-24 + 20 * down) * s)
        gluteus = capsule(outer[0] * 1.05, outer[1] + 22, inner[0] + sign * 8, inner[1] + 11, 13, 5)
        canvas.paint(gluteus, muscle, lower)
        iliacus = capsule(outer[0] * 0.93, outer[1] - 6, inner[0], inner[1] - 14, 12, 5)
        canvas.paint(iliacus, muscle, lower)
        bone = capsule(*outer, *inner, 5.0 * s, 7.0 * s)
        canvas.paint(bone, SIGNAL["cortex"], lower)
        canvas.paint(grow(bone, -1.5), SIGNAL["marrow"] * 1.1 * (1 + 0.08 * fine), lower)
