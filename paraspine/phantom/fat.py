"""Intramuscular fat: streaks along the fascicles, more of it deep and medial in MF."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import map_coordinates
from scipy.special import expit

from paraspine.phantom import randomness
from paraspine.phantom.geometry import Shape
from paraspine.phantom.subjects import Subject

__all__ = ["fat_map", "target"]

# Where the fascicles of a muscle fan out from (mm lateral, mm posterior of its centre), how much
# fat gathers near the spine and at the margin, and its log odds beside the subject's.
_PIVOT = {"MF": (-24.0, -36.0), "ES": (-44.0, 52.0), "PM": (10.0, -80.0)}
_DEEP = {"MF": 1.5, "ES": 0.4, "PM": 0.0}
_MARGIN = {"MF": 0.5, "ES": 0.6, "PM": 0.2}
_SOFT = 0.4  # how gradually muscle passes into fat, in standard deviations of the pattern
_LOGIT = {"MF": 0.2, "ES": 0.0, "PM": -1.6}


def target(subject: Subject, name: str, z: float) -> float:
    """Wanted fat fraction of a muscle at height `z` (mm); more in the lower levels and in MF."""
    if not np.isfinite(subject.fat_logit):
        return 0.0
    logit = subject.fat_logit + _LOGIT[name[-2:]]
    logit += 0.008 * (42.0 - np.clip(z / subject.scale, -20, 150))
    logit += 0.12 * subject.trait(f"{name} fat") + 0.12 * subject.vary(f"{name} fat", z)
    return float(expit(logit))


def fat_map(subject: Subject, name: str, shape: Shape, z: float, x, y, coverage) -> np.ndarray:
    """Fat fraction at the points of a muscle's window.

    Parameters
    ----------
    subject, name, shape
        Whose muscle, its class name, its true outline.
    z : float
        Height (mm).
    x, y : numpy.ndarray, ``(1, w)`` and ``(h, 1)``
        Positions (mm).
    coverage : numpy.ndarray, ``(h, w)``
        Share of each pixel that the muscle covers; the mean of the result weighted by it is the
        muscle's `target` fraction.

    Returns
    -------
    numpy.ndarray, ``(h, w)``
        Values in [0, 1].
    """
    kind, sign = name[-2:], -1.0 if name.startswith("right") else 1.0
    fraction, total = target(subject, name, z), coverage.sum()
    if fraction <= 0 or total <= 0:
        return np.zeros(coverage.shape)
    inside = coverage > 0.5
    cx = float((coverage * x).sum() / total)
    cy = float((coverage * y).sum() / total)
    px, py = _PIVOT[kind]
    dx, dy = sign * (x - cx) - px, y - cy - py
    away = np.sqrt(dx * dx + dy * dy)
    across = (np.arctan2(dy, dx) - np.arctan2(-py, -px)) * np.hypot(px, py)
    bend, blotch, speck = (
        randomness.field(
            subject.seed, part, subject.index, name,
            z=z, rows=y[:, 0] - cy, columns=x[0] - cx, length=length, z_length=14.0, extent=60.0,
        )
        for part, length in (("bend", 7.0), ("blotch", 5.0), ("speck", 1.3))
    )  # fmt: skip
    score = 0.85 * _streaks(subject, f"{name} streaks", z, away, across + 1.8 * bend)
    score += 0.6 * blotch + 0.5 * speck
    reach = np.hypot(*_spread(coverage, x, y, cx, cy))
    score -= _DEEP[kind] * (sign * (x - cx) + 0.8 * (y - cy)) / (1.6 * reach)
    score += _MARGIN[kind] * np.exp(np.minimum(shape.distance(x, y), 0) / 2.0)
    low, high = (score[inside] if inside.any() else score).min() - 6, score.max() + 6
    for _ in range(40):
        middle = 0.5 * (low + high)
        if (expit((score - middle) / _SOFT) * coverage).sum() > fraction * total:
            low = middle
        else:
            high = middle
    return expit((score - 0.5 * (low + high)) / _SOFT)


def _streaks(subject: Subject, name: str, z: float, away, across) -> np.ndarray:
    """Texture stretched along the fascicles: about 8 mm long and 1.2 mm wide."""
    long, thin, step = 8.0, 1.2, 0.4
    rows = np.arange(0, 130, 2.0)
    columns = np.arange(-60, 60 + step, step)
    texture = randomness.field(
        subject.seed, name, subject.index,
        z=z, rows=(rows - 65) / long, columns=columns / thin, length=1.0, z_length=14.0,
        extent=54.0,
    )  # fmt: skip
    return map_coordinates(texture, [away / 2.0, (across + 60) / step], order=1, mode="mirror")


def _spread(coverage, x, y, cx, cy) -> tuple[float, float]:
    total = coverage.sum()
    return (
        float(np.sqrt((coverage * (x - cx) ** 2).sum() / total)),
        float(np.sqrt((coverage * (y - cy) ** 2).sum() / total)),
    )
