"""Rasterisation: pixels in millimetres, and shapes painted on them with soft edges."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from paraspine.phantom.geometry import Shape

__all__ = ["Canvas", "Plane", "coverage", "plane"]


@dataclass(frozen=True)
class Plane:
    """Where the pixels of an axial plane lie: `x` ``(1, W)`` to left, `y` ``(H, 1)`` to posterior.

    Millimetres from the midline and from the mean of both MF centroids.
    """

    x: np.ndarray
    y: np.ndarray

    @property
    def shape(self) -> tuple[int, int]:
        """``(H, W)``."""
        return (self.y.shape[0], self.x.shape[1])

    def window(self, box, margin: float = 0.0) -> tuple[slice, slice]:
        """Rows and columns that a box (x0, x1, y0, y1) in mm covers, widened by `margin`."""
        x0, x1, y0, y1 = box
        rows = np.searchsorted(self.y[:, 0], [y0 - margin, y1 + margin])
        columns = np.searchsorted(self.x[0], [x0 - margin, x1 + margin])
        return slice(*(int(r) for r in rows)), slice(*(int(c) for c in columns))


def plane(size, spacing) -> Plane:
    """The pixels of a slice; the muscles lie in the lower part, as in clinical images."""
    (height, width), (dy, dx) = size, spacing
    extent = height * dy
    middle = -min(0.2 * extent, extent / 2 - 48)
    x = (np.arange(width) - (width - 1) / 2) * dx
    y = (np.arange(height) - (height - 1) / 2) * dy + middle
    return Plane(x[None], y[:, None])


def coverage(distance: np.ndarray, edge: float) -> np.ndarray:
    """Share of a pixel inside, from its signed distance and the width (mm) of the edge."""
    if edge <= 0:
        return (distance < 0).astype(float)
    return np.clip(0.5 - distance / edge, 0.0, 1.0)


class Canvas:
    """A signal image under construction.

    Parameters
    ----------
    plane : Plane
        Where the pixels lie.
    edge : float
        Width (mm) over which edges are blurred.
    value : float
        Signal of the empty picture.
    """

    def __init__(self, plane: Plane, edge: float, value: float = 0.0):
        self.plane = plane
        self.edge = edge
        self.signal = np.full(plane.shape, float(value))

    def paint(self, shape: Shape, value, opacity: float = 1.0, edge: float | None = None) -> None:
        """Lay a tissue over what is there.

        Parameters
        ----------
        shape : Shape
            Where.
        value : float or numpy.ndarray ``(H, W)``
            Its signal, for the whole picture or one number.
        opacity : float
            Below 1 where a structure fades in along the spine.
        edge : float, optional
            Width (mm) of a softer edge than the canvas has.
        """
        if opacity <= 0:
            return
        edge = self.edge if edge is None else max(edge, self.edge)
        rows, columns = self.plane.window(shape.box, edge)
        x, y = self.plane.x[:, columns], self.plane.y[rows]
        if x.size == 0 or y.size == 0:
            return
        alpha = opacity * coverage(shape.distance(x, y), edge)
        under = self.signal[rows, columns]
        over = value[rows, columns] if isinstance(value, np.ndarray) else value
        self.signal[rows, columns] = under + alpha * (over - under)
