"""Vertebra, disc, canal, joints, arch and sacrum of a slice."""

from __future__ import annotations

import numpy as np

from paraspine.phantom import randomness
from paraspine.phantom.canvas import Canvas
from paraspine.phantom.geometry import Shape, capsule, ellipse, grow, memo, union
from paraspine.phantom.subjects import Subject

__all__ = ["SIGNAL", "level_weights", "paint_spine"]

#: Signal of tissues on T2w turbo spin echo, in intensity units.
SIGNAL = {
    "fat": 800.0,
    "muscle": 112.0,
    "fluid": 950.0,
    "nerve": 300.0,
    "cortex": 40.0,
    "marrow": 380.0,
    "annulus": 85.0,
    "ligament": 60.0,
    "cartilage": 240.0,
    "vessel": 50.0,
    "skin": 330.0,
}

# Height (mm) of disc centres above S1's upper endplate and half their thickness.
_DISCS = ((5.0, 5.0), (42.0, 5.5), (80.0, 5.5), (119.0, 5.0), (157.0, 4.5))


def level_weights(z: float) -> dict[str, float]:
    """How much of each structure a slice at height `z` (mm, mean body size) shows, 0 to 1.

    ``disc``; ``pedicle`` with transverse process (upper half of a vertebra); ``facet`` (around the
    disc); ``arch`` (lamina and spinous process, lower half); ``foramen``; ``sacrum``.
    """
    sacrum = _fade(-1.0 - z, 3.0)
    disc = max(_fade(half - abs(z - centre), 1.5) for centre, half in _DISCS)
    pedicle = facet = arch = foramen = 0.0
    for (low, half), (high, half_high) in zip(_DISCS, (*_DISCS[1:], (193.0, 4.0)), strict=True):
        t = (z - low - half) / (high - half_high - low - half)  # 0 lower, 1 upper endplate
        pedicle = max(pedicle, _fade(0.27 - abs(t - 0.72), 0.08))
        arch = max(arch, _fade(0.38 - abs(t - 0.08), 0.12))
        foramen = max(foramen, _fade(0.45 - abs(t - 0.05), 0.1))
        facet = max(facet, _fade(9.5 - abs(z - low), 2.5))
    spine = 1.0 - sacrum
    return {
        "sacrum": sacrum,
        "disc": disc * spine,
        "pedicle": pedicle * spine,
        "facet": facet * spine,
        "arch": arch * spine,
        "foramen": foramen * spine,
    }


def _fade(distance: float, softness: float) -> float:
    return float(np.clip(0.5 + distance / (2 * softness), 0.0, 1.0))


def _bone(canvas: Canvas, shape: Shape, marrow, opacity: float, cortex: float = 1.1) -> None:
    shape = memo(shape)
    canvas.paint(shape, SIGNAL["cortex"], opacity)
    canvas.paint(grow(shape, -cortex), marrow, opacity)


def paint_spine(canvas: Canvas, subject: Subject, z: float, texture: np.ndarray) -> None:
    """Paint everything bony and what it encloses at height `z` (mm).

    `texture` is a field ``(H, W)`` around 1 by which marrow and disc are multiplied.
    """
    s = subject.scale
    weights = level_weights(z / s)
    marrow = SIGNAL["marrow"] * texture * (1 + 0.15 * subject.trait("marrow"))
    if weights["sacrum"] < 1:
        _paint_body(canvas, subject, z, weights, marrow, texture)
        _paint_arch(canvas, subject, z, weights, marrow)
    if weights["sacrum"] > 0:
        _paint_sacrum(canvas, subject, z, weights["sacrum"], marrow)
    _paint_canal(canvas, subject, z, weights)


def _extent(subject: Subject, z: float, weights) -> tuple[float, float, float]:
    """Half axes of vertebral body or disc, and how far behind the origin its centre lies (mm)."""
    s, disc = subject.scale, weights["disc"]
    a = s * (24.5 + 1.6 * disc + 0.8 * subject.vary("body width", z))
    b = s * (17.6 + 1.2 * disc + 0.8 * subject.vary("body depth", z))
    return a, b, -29.5 * s - b


def _body(subject: Subject, z: float, weights) -> Shape:
    a, b, y = _extent(subject, z, weights)
    return ellipse(0, y, a, b, power=2.3)


def _paint_body(canvas, subject, z, weights, marrow, texture) -> None:
    s, spine, disc = subject.scale, 1 - weights["sacrum"], weights["disc"]
    a, b, y = _extent(subject, z, weights)
    body = memo(_body(subject, z, weights))
    canvas.paint(grow(body, 1.0), SIGNAL["ligament"], spine)
    canvas.paint(body, marrow, spine * (1 - disc), edge=1.6)
    canvas.paint(ellipse(0, y + 0.82 * b, 4.0, 2.2), 560.0, spine * (1 - disc) * 0.5, edge=3.0)
    annulus = SIGNAL["annulus"] * texture
    canvas.paint(body, annulus, spine * disc)
    wet = np.clip(1.1 - (subject.age - 25) / 60 + 0.25 * subject.vary("disc", z, 20.0), 0.15, 1.2)
    nucleus = ellipse(0, y + 1.0, 0.62 * a, 0.5 * b)
    canvas.paint(nucleus, (90 + 300 * wet) * texture, spine * disc, edge=9.0)
    canvas.paint(ellipse(0, y + 1.0, 0.4 * a, 1.0), 90.0, spine * disc * 0.4, edge=4.0)
    for sign in (-1.0, 1.0):  # the root leaves through fat behind the body
        x = sign * s * (21.5 + 0.8 * subject.trait("foramen"))
        fat = ellipse(x, -30.0 * s, 6.5 * s, 5.5 * s, angle=-0.5 * sign)
        canvas.paint(fat, 0.93 * SIGNAL["fat"], spine * weights["foramen"])
        root = ellipse(x + 1.2 * sign, -31.0 * s, 3.1, 2.4, angle=0.6 * sign)
        canvas.paint(root, SIGNAL["nerve"], spine * weights["foramen"])


def _paint_arch(canvas, subject, z, weights, marrow) -> None:
    s, spine = subject.scale, 1 - weights["sacrum"]
    body = _body(subject, z, weights)
    pedicle, facet, arch = weights["pedicle"], weights["facet"], weights["arch"]
    for side, sign in (("right", -1.0), ("left", 1.0)):
        turn = 0.12 * subject.trait(f"{side} facet angle")
        limb = capsule(sign * 15 * s, -40 * s, sign * 16.5 * s, -21 * s, 5.6 * s, 6.4 * s)
        _bone(canvas, limb, marrow, pedicle)
        canvas.paint(grow(body, -1.2), marrow, pedicle)  # no cortex between pedicle and body
        wing = capsule(
            sign * 19 * s, -23 * s, sign * (43 + 3 * subject.trait("wing")) * s, -20.5 * s, 3.9, 2.2
        )
        _bone(canvas, wing, marrow, 0.9 * pedicle, cortex=0.9)
        size = s * (1 + 0.07 * subject.trait(f"{side} facet") + 0.004 * (subject.age - 50))
        upper = ellipse(
            sign * 20.5 * s, -23 * s, 6.6 * size, 8.2 * size, angle=sign * (0.55 + turn)
        )
        _bone(canvas, upper, 0.85 * marrow, facet)
        lower = ellipse(sign * 15.0 * s, -17 * s, 5.4 * size, 7.2 * size, angle=sign * (0.5 + turn))
        _bone(canvas, lower, 0.8 * marrow, facet)
        slit = capsule(sign * 14.5 * s, -25 * s, sign * 21 * s, -15.5 * s, 1.3)
        canvas.paint(slit, SIGNAL["cortex"], facet)
        wet = 0.25 + 0.5 * abs(subject.trait(f"{side} facet fluid")) / 2
        canvas.paint(grow(slit, -0.7), 700.0, facet * wet)
        lamina = capsule(sign * 13.5 * s, -17 * s, sign * 2.2 * s, -7.5 * s, 3.4, 2.8)
        _bone(canvas, lamina, marrow, np.clip(arch + 0.35 * facet, 0, 1), cortex=1.2)
    tip = s * (13.0 + 3.0 * subject.trait("spinous") * 0.5)
    lean = 1.2 * subject.trait("spinous lean")
    ligament = capsule(0, -8 * s, lean, tip - 1, 1.5, 1.1)
    canvas.paint(ligament, 260.0, 0.9 * spine)
    process = capsule(0, -8 * s, lean, tip, 2.6, 3.0)
    _bone(canvas, process, marrow, arch * spine, cortex=1.0)


def _paint_sacrum(canvas, subject, z, weight, marrow) -> None:
    s = subject.scale
    low = np.clip((-z / s) / 30.0, 0, 1)
    body = ellipse(0, (-48 + 4 * low) * s, (27 - 4 * low) * s, (17 - 3 * low) * s, power=3)
    wings = [
        capsule(sign * 18 * s, -43 * s, sign * (47 - 3 * low) * s, -33 * s, 15 * s, 11 * s)
        for sign in (-1.0, 1.0)
    ]
    back = [
        capsule(sign * 24 * s, -24 * s, sign * 2 * s, -11 * s, 6.5 * s, 3.4 * s)
        for sign in (-1.0, 1.0)
    ]
    crest = capsule(0, -11 * s, 0.8 * subject.trait("spinous lean"), 3 * s, 3.0, 2.2)
    _bone(canvas, union(body, *wings, *back, crest), marrow, weight, cortex=1.3)
    for sign in (-1.0, 1.0):
        hole = ellipse(sign * 19 * s, -31 * s, 4.6 * s, 5.2 * s, angle=0.4 * sign)
        canvas.paint(grow(hole, 1.0), SIGNAL["cortex"], weight)
        canvas.paint(hole, 0.9 * SIGNAL["fat"], weight)
        canvas.paint(ellipse(sign * 19 * s, -31.5 * s, 2.7, 2.3), SIGNAL["nerve"], weight)


def _paint_canal(canvas, subject, z, weights) -> None:
    s, sacrum = subject.scale, weights["sacrum"]
    size = s * (1 + 0.06 * subject.trait("canal") + 0.04 * subject.vary("canal here", z))
    taper = np.interp(z / s, [-40, -13, 5, 30, 60], [0.4, 0.6, 0.82, 1.0, 1.05])
    y = -23.5 * s - 1.5 * sacrum
    sac = union(
        ellipse(0, y - 1.6, 9.6 * size * taper, 6.2 * size * taper),
        ellipse(0, y + 2.2, 5.6 * size * taper, 6.0 * size * taper),
    )
    space = union(
        ellipse(0, y - 1.5, 11.0 * size, 7.2 * size),
        capsule(0, y, 0, y + 9.5 * size, 6.5 * size, 2.4),
    )
    canvas.paint(grow(space, 1.1), SIGNAL["ligament"], 0.85)
    canvas.paint(space, 0.95 * SIGNAL["fat"])
    canvas.paint(grow(sac, 0.5), 200.0)
    canvas.paint(sac, SIGNAL["fluid"])
    count = np.interp(z / s, [-30, 0, 100], [6, 12, 22])
    places = randomness.stream(subject.seed, "roots", subject.index).random((24, 2))
    drift = 0.5 * subject.vary_many("roots", 48, z).reshape(24, 2)
    for k, ((u, v), (dx, dy)) in enumerate(zip(places, drift, strict=True)):
        shown = float(np.clip(count - k, 0, 1))
        if shown > 0:
            x = (-1.0 if k % 2 else 1.0) * (1.2 + 5.8 * u**0.7) * size * taper + dx
            depth = y + (4.6 - 0.62 * abs(x) + 2.6 * (v - 0.6)) * size * taper + dy
            canvas.paint(ellipse(x, depth, 0.75, 0.6), SIGNAL["nerve"], 0.85 * shown)
