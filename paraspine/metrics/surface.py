"""Distances between the borders of two label maps, in mm.

A border voxel is a voxel of the mask with a face neighbour outside it or outside the image; the
distance between two borders is measured between voxel centres. Axes of length 1 don't count as
an axis, so that a single slice of a volume, ``(1, H, W)``, is measured in its plane.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from ..arrays import (
    SettingsError,
    check_label_map,
    check_same_shape,
    check_spacing,
)

__all__ = ["average_surface_distance", "hausdorff", "surface_dice", "surface_distances"]


def surface_distances(prediction, reference, spacing) -> tuple[np.ndarray, np.ndarray]:
    """Distance of each border voxel of one mask to the nearest border voxel of the other.

    Parameters
    ----------
    prediction, reference : array-like of bool, (*spatial)
        Two masks of the same shape.
    spacing : sequence of float
        Voxel size in mm in array order, one number per axis.

    Returns
    -------
    tuple of two numpy.ndarray of float64
        From prediction to reference, one number per border voxel of the prediction, and the other
        way round, in mm. From an empty mask there is no distance; to an empty mask they are
        ``inf``.

    Raises
    ------
    ShapeError, SpacingError
        If the shapes differ or the spacing doesn't fit.
    """
    prediction = np.asarray(prediction, dtype=bool)
    reference = np.asarray(reference, dtype=bool)
    check_same_shape(prediction, reference, names=("prediction", "reference"))
    spacing = np.asarray(check_spacing(spacing, prediction.ndim))
    return _distances(_border(prediction, spacing), _border(reference, spacing))


def hausdorff(
    prediction, reference, num_classes: int, spacing, percentile: float = 100
) -> np.ndarray:
    """Hausdorff distance between the borders of each class, or a percentile of it.

    The larger of the two directed distances. With a `percentile` below 100, each direction's
    distances are replaced by their percentile (linear interpolation) *before* the larger is
    taken, as MONAI and most papers do; pooling both directions first gives another number.

    Parameters
    ----------
    prediction, reference : array-like of int, (*spatial)
        Two label maps of the same shape.
    num_classes : int
        Classes including background.
    spacing : sequence of float
        Voxel size in mm in array order, one number per axis.
    percentile : float
        From 0 to 100; 95 is usual where single stray voxels should not decide.

    Returns
    -------
    numpy.ndarray of float64, (C - 1,)
        In mm, or whatever `spacing` is in. NaN where both masks are empty, ``inf`` where one is.

    Raises
    ------
    LabelError, ShapeError, SpacingError
        If labels or spacing don't fit.
    SettingsError
        If the percentile isn't between 0 and 100.
    """
    if not 0 <= percentile <= 100:
        raise SettingsError(f"percentile: expected a number from 0 to 100, got {percentile!r}.")

    def measure(forth: np.ndarray, back: np.ndarray) -> float:
        return max(float(np.percentile(d, percentile)) for d in (forth, back))

    return _by_class(prediction, reference, num_classes, spacing, measure, one_empty=np.inf)


def average_surface_distance(prediction, reference, num_classes: int, spacing) -> np.ndarray:
    """Mean distance between the borders of each class, both directions pooled (symmetric).

    Parameters
    ----------
    prediction, reference : array-like of int, (*spatial)
        Two label maps of the same shape.
    num_classes : int
        Classes including background.
    spacing : sequence of float
        Voxel size in mm in array order, one number per axis.

    Returns
    -------
    numpy.ndarray of float64, (C - 1,)
        In mm. NaN where both masks are empty, ``inf`` where one is.

    Raises
    ------
    LabelError, ShapeError, SpacingError
        If labels or spacing don't fit.
    """

    def measure(forth: np.ndarray, back: np.ndarray) -> float:
        return float((forth.sum() + back.sum()) / (forth.size + back.size))

    return _by_class(prediction, reference, num_classes, spacing, measure, one_empty=np.inf)


def surface_dice(prediction, reference, num_classes: int, spacing, tolerance: float) -> np.ndarray:
    """Share of both borders that lies within a tolerance of the other border.

    Borders are counted in voxels, not in area (MONAI's default; Nikolov 2021 weights by area).

    Parameters
    ----------
    prediction, reference : array-like of int, (*spatial)
        Two label maps of the same shape.
    num_classes : int
        Classes including background.
    spacing : sequence of float
        Voxel size in mm in array order, one number per axis.
    tolerance : float
        In mm, at least 0; the distance between the raters' borders is a natural choice.

    Returns
    -------
    numpy.ndarray of float64, (C - 1,)
        From 0 to 1. NaN where both masks are empty, 0 where one is.

    Raises
    ------
    LabelError, ShapeError, SpacingError
        If labels or spacing don't fit.
    SettingsError
        If the tolerance is negative or no number.
    """
    if not tolerance >= 0:
        raise SettingsError(f"tolerance: expected at least 0 mm, got {tolerance!r}.")

    def measure(forth: np.ndarray, back: np.ndarray) -> float:
        near = np.count_nonzero(forth <= tolerance) + np.count_nonzero(back <= tolerance)
        return near / (forth.size + back.size)

    return _by_class(prediction, reference, num_classes, spacing, measure, one_empty=0.0)


def _by_class(prediction, reference, num_classes, spacing, measure, one_empty) -> np.ndarray:
    prediction = check_label_map(prediction, num_classes, name="prediction")
    reference = check_label_map(reference, num_classes, name="reference")
    check_same_shape(prediction, reference, names=("prediction", "reference"))
    spacing = np.asarray(check_spacing(spacing, prediction.ndim))
    values = np.full(num_classes - 1, np.nan)
    for c in range(1, num_classes):
        borders = [_border(labels == c, spacing) for labels in (prediction, reference)]
        empty = [len(border) == 0 for border in borders]
        if not any(empty):
            values[c - 1] = measure(*_distances(*borders))
        elif not all(empty):
            values[c - 1] = one_empty
    return values


def _border(mask: np.ndarray, spacing: np.ndarray) -> np.ndarray:
    """Places of the border voxels in mm: ``(voxels, axes)``; axes of length 1 are left out."""
    kept = [axis for axis, length in enumerate(mask.shape) if length > 1]
    spacing = spacing[kept]
    mask = mask.reshape([mask.shape[axis] for axis in kept] or [1])
    if mask.ndim > len(kept):
        return np.zeros((int(mask.sum()), 1))
    corner = []
    for axis in range(mask.ndim):
        there = np.flatnonzero(mask.any(axis=tuple(a for a in range(mask.ndim) if a != axis)))
        if not there.size:
            return np.zeros((0, mask.ndim))
        corner.append(slice(there[0], there[-1] + 1))
    box = mask[tuple(corner)]
    padded = np.pad(box, 1)
    inside = box.copy()
    middle = slice(1, -1)
    for axis in range(box.ndim):
        for side in (slice(2, None), slice(None, -2)):
            inside &= padded[tuple(side if a == axis else middle for a in range(box.ndim))]
    places = np.argwhere(box & ~inside) + np.array([c.start for c in corner])
    return places * spacing


def _distances(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if not len(first) or not len(second):
        return np.full(len(first), np.inf), np.full(len(second), np.inf)
    forth = cKDTree(second).query(first)[0]
    back = cKDTree(first).query(second)[0]
    return forth, back
