"""Variance maps: disagreement of the raters' soft outlines (roshanzamir2022)."""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from scipy.special import expit

from ..arrays import check_labels, check_spacing

__all__ = ["signed_distance", "variance_map"]

#: Farther than this from every outline soft labels are below 3e-9 and their variance below 1e-17,
#: which counts as 0 and is not worked out.
_REACH = 20.0


def signed_distance(mask, spacing=None) -> np.ndarray:
    """Euclidean distance to the other side of a mask's border, positive inside.

    A voxel inside has the distance to the nearest voxel outside and the other way round, so the
    voxels on the two sides of a border have +1 and -1 (in units of their spacing) and 0 never
    occurs.

    Parameters
    ----------
    mask : array-like of bool, (*spatial)
        The structure, in 2D or 3D.
    spacing : sequence of float, optional
        Voxel size in mm; without it the distance is counted in voxels.

    Returns
    -------
    numpy.ndarray of float64, (*spatial)
        Voxels or mm; ``-inf`` everywhere for an empty mask, ``+inf`` for one that fills the image.

    Raises
    ------
    SpacingError
        If the spacing does not fit.
    """
    mask = np.asarray(mask, dtype=bool)
    sampling = None if spacing is None else check_spacing(spacing, mask.ndim)
    if not mask.any():
        return np.full(mask.shape, -np.inf)
    if mask.all():
        return np.full(mask.shape, np.inf)
    inside = ndimage.distance_transform_edt(mask, sampling)
    outside = ndimage.distance_transform_edt(~mask, sampling)
    return inside - outside


def variance_map(labels, num_classes: int, spacing=None) -> np.ndarray:
    """Variance across raters of the sigmoid of the signed distance, per foreground class.

    roshanzamir2022, section 3.2.1: each class is binarised, turned into a signed distance, put
    through a sigmoid, and the variance over the raters taken pixel by pixel. Here the variance is
    the population's (divided by R), as the raters at hand are all there are. A rater who marks
    nothing of a class has the distance ``-inf``, so a soft label of 0.

    Parameters
    ----------
    labels : array-like of int, (R, *spatial)
        One label map per rater who rated; ``(R, H, W)`` or ``(R, D, H, W)``, in which distances
        are taken in three dimensions.
    num_classes : int
        Classes including background.
    spacing : sequence of float, optional
        Voxel size in mm, one number per spatial axis. With it distances are in mm, so the
        sigmoid is about 1 mm wide; without it, as published, in pixels. Give it for volumes whose
        slices are thicker than their pixels.

    Returns
    -------
    numpy.ndarray of float32, (C - 1, *spatial)
        From 0 to 0.25; 0 everywhere with one rater, whose map says nothing about agreement.

    Raises
    ------
    ShapeError, LabelError, SpacingError
        If labels or spacing do not fit.
    """
    labels = check_labels(labels, num_classes)
    ndim = labels.ndim - 1
    steps = (1.0,) * ndim if spacing is None else check_spacing(spacing, ndim)
    margin = [int(np.ceil(_REACH / step)) for step in steps]
    result = np.zeros((max(num_classes - 1, 0), *labels.shape[1:]), dtype=np.float32)
    if len(labels) == 1:
        return result
    boxes = ndimage.find_objects(labels.astype(np.int32, copy=False), num_classes - 1)
    for c, box in enumerate(boxes, start=1):
        if box is None:
            continue
        box = tuple(  # the raters' common box, widened
            slice(max(0, side.start - more), side.stop + more)
            for side, more in zip(box[1:], margin, strict=True)
        )
        near = labels[(slice(None), *box)] == c
        soft = np.stack([expit(signed_distance(mask, spacing)) for mask in near])
        same = (soft == soft[:1]).all(axis=0)  # whose mean, and so variance, may be off by rounding
        result[(c - 1, *box)] = np.where(same, 0, soft.var(axis=0))
    return result
