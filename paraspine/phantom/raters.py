"""Simulated raters: a style, and a smooth random displacement of every boundary.

A rater draws a muscle as the points whose signed distance to the true outline is below
``bias + spread(x) * field(x)``. ``bias`` (mm) is the rater's style for that muscle, ``field`` a
Gaussian field of unit variance, partly short-ranged, and ``spread`` (mm) is larger where the
anatomy is ambiguous. Where two muscles claim a voxel, the one it lies deeper in gets it; where they
touch, a rater may leave a strip as background.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from paraspine.phantom import randomness
from paraspine.phantom.canvas import Plane
from paraspine.phantom.muscles import muscles
from paraspine.phantom.settings import PhantomConfig, Protocol
from paraspine.phantom.subjects import Subject

__all__ = ["Scene", "Style", "displace", "draw_labels", "fields", "scene", "style", "truth"]

_LONG, _SHORT, _DEPTH = 14.0, 3.0, 8.0
_FAR = 1e3

# Extra spread at S1, where fat, fascia and bone leave the margins open.
_SACRAL = {"MF": 0.9, "ES": 0.4, "PM": 0.2}


@dataclass(frozen=True)
class Style:
    """How one rater draws, everywhere."""

    bias: dict[str, float]
    """By muscle name (mm, positive: draws too large)."""
    steadiness: float
    """Factor on the spread."""
    roughness: float
    """Share of the displacement's variance that is short-ranged."""
    gap: float
    """Width (mm) of the strip left between MF and ES."""


@dataclass(frozen=True)
class Scene:
    """What raters see of one slice, in a window around the muscles."""

    window: tuple[slice, slice]
    rows: np.ndarray
    """``(h,)`` positions (mm)."""
    columns: np.ndarray
    """``(w,)`` positions (mm)."""
    names: tuple[str, ...]
    """Classes without background."""
    distance: np.ndarray
    """``(C - 1, h, w)`` signed distance (mm) to each true outline; 1000 for a missing muscle."""
    spread: np.ndarray
    """``(C - 1, h, w)`` standard deviation (mm) of a steady rater's displacement."""


def style(seed: int, rater, names, config: PhantomConfig) -> Style:
    """The style of a rater, by name; the same in every image of a cohort."""
    own = randomness.stream(seed, "style", rater)
    kinds = {kind: own.standard_normal() for kind in ("MF", "ES", "PM")}
    both, steady, rough, gap = own.standard_normal(4)
    sides = {name: own.standard_normal() for name in sorted(names)}
    bias = {
        name: config.rater_bias
        * (np.sqrt(0.3) * both + np.sqrt(0.6) * kinds[name[-2:]] + np.sqrt(0.1) * sides[name])
        for name in names
    }
    return Style(
        bias={name: float(value) for name, value in bias.items()},
        steadiness=float(np.exp(0.12 * np.clip(steady, -2, 2))),
        roughness=float(np.clip(config.rater_roughness * np.exp(0.3 * rough), 0, 1)),
        gap=float(config.rater_gap * np.exp(0.5 * np.clip(gap, -2, 2) - 0.125)),
    )


def scene(
    subject: Subject,
    z: float,
    grid: Plane,
    protocol: Protocol,
    config: PhantomConfig,
    fat: np.ndarray,
    noise: np.ndarray | None = None,
) -> Scene:
    """Distances and spread at height `z` (mm).

    Parameters
    ----------
    fat : numpy.ndarray, ``(H, W)``
        Fat fraction, 0 outside muscle.
    noise : numpy.ndarray, ``(H, W)``, optional
        Local noise level; needed where ``config.noise_coupling`` is not 0.
    """
    names = protocol.classes.foreground
    shapes = muscles(subject, z, psoas=protocol.psoas)
    boxes = np.array([s.box for s in shapes.values()])
    box = (boxes[:, 0].min(), boxes[:, 1].max(), boxes[:, 2].min(), boxes[:, 3].max())
    window = grid.window(box, 7.0)
    x, y = grid.x[:, window[1]], grid.y[window[0]]
    distance = np.full((len(names), y.shape[0], x.shape[1]), _FAR)
    for k, name in enumerate(names):
        if name in shapes:
            distance[k] = shapes[name].distance(x, y)
    smooth = gaussian_filter(fat[window], [2.0 / s for s in protocol.spacing], mode="reflect")
    spread = np.empty_like(distance)
    sacrum = float(np.clip((12 - z / subject.scale) / 20, 0, 1))
    for k, name in enumerate(names):
        others = [distance[j] for j, n in enumerate(names) if n != name and n[:-2] == name[:-2]]
        border = np.exp(-np.square(np.minimum.reduce(others) / 4.0))
        extra = 0.7 * border + 0.9 * smooth + _SACRAL[name[-2:]] * sacrum
        if name.endswith("ES"):
            middle = float(y[(distance[k] < 0).any(1)].mean()) if (distance[k] < 0).any() else 0.0
            extra = extra + 0.45 / (1 + np.exp(-(y - middle - 6) / 4.0))
        spread[k] = 1 + config.ambiguity * extra
    spread *= config.rater_spread * np.exp(0.22 * subject.vary("difficulty", z, 12.0))
    if config.noise_coupling > 0:
        spread *= 1 + config.noise_coupling * noise[window]
    return Scene(window, y[:, 0], x[0], names, distance, spread)


def truth(seen: Scene) -> np.ndarray:
    """The true label map in the window, ``(h, w)`` uint8."""
    return displace(seen, {}, Style(dict.fromkeys(seen.names, 0.0), 0.0, 0.0, 0.0))


def fields(seed: int, rater, subject: Subject, z: float, seen: Scene, share: float) -> dict:
    """One rater's unit fields of displacement at a slice, by kind of muscle: ``(h, w)`` each."""
    result = {}
    for kind in sorted({n[-2:] for n in seen.names}):
        long, short = (
            randomness.field(
                seed, "hand", rater, subject.index, kind, length,
                z=z, rows=seen.rows, columns=seen.columns, length=length, z_length=_DEPTH,
                extent=150.0,
            )
            for length in (_LONG, _SHORT)
        )  # fmt: skip
        result[kind] = np.sqrt(1 - share) * long + np.sqrt(share) * short
    return result


def displace(seen: Scene, unit: dict, how: Style) -> np.ndarray:
    """The label map that a style and unit fields give, ``(h, w)`` uint8."""
    first = np.full(seen.distance.shape[1:], np.inf)
    second = np.full(seen.distance.shape[1:], np.inf)
    label = np.zeros(first.shape, dtype=np.uint8)
    for k, name in enumerate(seen.names):
        edge = seen.distance[k] - how.bias[name]
        if how.steadiness > 0:
            edge = edge - how.steadiness * seen.spread[k] * unit[name[-2:]]
        edge = np.where(seen.distance[k] < 0.5 * _FAR, edge, np.inf)
        closer = edge < first
        second = np.where(closer, first, np.minimum(second, edge))
        first = np.where(closer, edge, first)
        label[closer] = k + 1
    with np.errstate(invalid="ignore"):
        strip = (second - first < how.gap) & (second < how.gap)
    label[(first >= 0) | strip] = 0
    return label


def draw_labels(
    subject: Subject, z: float, grid: Plane, seen: Scene, protocol: Protocol, config: PhantomConfig
) -> np.ndarray:
    """Label maps of all raters of the cohort at one slice, ``(R, H, W)`` uint8."""
    labels = np.zeros((protocol.raters, *grid.shape), dtype=np.uint8)
    for r, name in enumerate(protocol.rater_names):
        how = style(protocol.seed, name, seen.names, config)
        unit = fields(protocol.seed, name, subject, z, seen, how.roughness)
        labels[r][seen.window] = displace(seen, unit, how)
    return labels
