"""Resample volumes onto another grid, labels through class probabilities."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from paraspine.arrays import SettingsError, ShapeError, check_label_map, check_spacing
from paraspine.volumes.grid import Grid, Volume, geometry_difference

__all__ = [
    "labels_onto",
    "probabilities_onto",
    "resample",
    "resample_grid",
    "resample_labels",
    "resample_onto",
]

_TIE = 1e-5  # two class probabilities closer than this are a tie


def resample_grid(grid, size=None, spacing=None, *, center=None) -> Grid:
    """Make the grid that `resample` brings an image onto.

    Parameters
    ----------
    grid : Grid or Volume
        The grid to start from; the new one keeps its directions.
    size : sequence of 2 or 3 int or None, optional
        Voxels ``(H, W)`` or ``(D, H, W)``. None, in place of all or of one number, keeps the field
        of view at the new spacing: the old number of voxels where the spacing stays.
    spacing : sequence of 2 or 3 float or None, optional
        Spacing (mm) ``(H, W)`` or ``(D, H, W)``; None keeps it.
    center : sequence of 2 or 3 float, optional
        Array index in the old grid, ``(H, W)`` or ``(D, H, W)``, on which the new grid is centred;
        the middle of the image if left out.

    Returns
    -------
    Grid

    Raises
    ------
    SettingsError
        If a size is not a whole number above 0 or a sequence has not 2 or 3 entries.
    SpacingError
        If a spacing is not positive.
    """
    grid = getattr(grid, "grid", grid)
    sizes, steps = _three(size, "size"), _three(spacing, "spacing")
    steps = check_spacing(
        [old if new is None else new for old, new in zip(grid.spacing, steps, strict=True)], 3
    )
    extent = np.array(grid.shape) * grid.spacing
    shape = []
    for given, length, step in zip(sizes, extent, steps, strict=True):
        if given is None:
            given = max(1, round(float(length / step)))
        if int(given) != given or given < 1:
            raise SettingsError(f"size: expected whole numbers above 0, got {tuple(sizes)}.")
        shape.append(int(given))
    middle = [
        (n - 1) / 2 if c is None else float(c)
        for n, c in zip(grid.shape, _three(center, "center"), strict=True)
    ]
    scale = np.array(steps) / grid.spacing
    change = np.diag([*scale, 1.0])
    change[:3, 3] = middle - scale * (np.array(shape) - 1) / 2
    return Grid(tuple(shape), grid.affine @ change)


def resample(
    volume: Volume, size=None, spacing=None, *, center=None, fill=None, interpolation="linear"
) -> Volume:
    """Resample an image onto a grid of the given size and spacing, centred on the image's middle.

    By default the slice axis stays as it is. Size alone crops or pads, spacing alone keeps the
    field of view, both give a common grid. Parameters of the grid as in `resample_grid`.

    Parameters
    ----------
    volume : Volume
        The image, ``(D, H, W)``.
    fill : float, optional
        Value outside the image; its minimum if left out (air in CT, background in MR).
    interpolation : {"linear", "nearest", "bspline"}
        How to interpolate.

    Returns
    -------
    Volume
        float32. The volume itself where nothing changes.
    """
    grid = resample_grid(volume, size, spacing, center=center)
    return resample_onto(volume, grid, fill=fill, interpolation=interpolation)


def resample_labels(
    volume: Volume, size=None, spacing=None, num_classes: int | None = None, *, center=None
) -> Volume:
    """Resample a label map: each class linearly as a probability, then the most probable class.

    Parameters as in `resample`; outside the image lies background. Ties go to the lower class.

    Parameters
    ----------
    num_classes : int, optional
        Number of classes including background; the highest label plus one if left out.

    Returns
    -------
    Volume
        Integers of the dtype that came in.

    Raises
    ------
    LabelError
        If values are not classes.
    """
    return labels_onto(volume, resample_grid(volume, size, spacing, center=center), num_classes)


def resample_onto(volume: Volume, grid, *, fill=None, interpolation="linear") -> Volume:
    """Resample an image onto any other grid, however it lies; the way back of `resample`.

    Parameters
    ----------
    volume : Volume
        The image.
    grid : Grid or Volume
        Where the result lies.
    fill, interpolation
        As in `resample`.

    Returns
    -------
    Volume
        float32 on `grid`.
    """
    grid = getattr(grid, "grid", grid)
    array = np.asarray(volume.array, dtype=np.float32)
    if geometry_difference(volume, grid, tolerance=1e-6) is None:
        return Volume(array, grid.spacing, grid.affine)
    fill = float(np.nanmin(array)) if fill is None else float(fill)
    array = _sample(array, volume.affine, grid, fill, interpolation)
    return Volume(array, grid.spacing, grid.affine)


def labels_onto(volume: Volume, grid, num_classes: int | None = None) -> Volume:
    """Resample a label map onto any other grid, as `resample_labels` does."""
    grid = getattr(grid, "grid", grid)
    labels = np.asarray(volume.array)
    if num_classes is None:
        num_classes = max(1, int(labels.max(initial=0)) + 1)
    labels = check_label_map(labels, num_classes)
    if geometry_difference(volume, grid, tolerance=1e-6) is None:
        return Volume(labels, grid.spacing, grid.affine)
    result = np.zeros(grid.shape, dtype=labels.dtype)
    best = None
    for number in np.flatnonzero(np.bincount(labels.ravel(), minlength=1)).tolist():
        mask = (labels == number).astype(np.float32)
        share = _sample(mask, volume.affine, grid, float(number == 0), "linear")
        if best is None:  # background lies outside, whether or not it occurs inside
            best = share if number == 0 else _outside(labels.shape, volume.affine, grid)
        if number:
            better = share > best + _TIE
            result[better] = number
            np.copyto(best, share, where=better)
    return Volume(result, grid.spacing, grid.affine)


def probabilities_onto(probabilities, source, grid) -> np.ndarray:
    """Bring class probabilities from one grid onto another, such as back to the original image.

    Parameters
    ----------
    probabilities : array-like, ``(C, D, H, W)``
        On the grid of `source`.
    source, grid : Grid or Volume
        Where they lie, and where the result lies.

    Returns
    -------
    numpy.ndarray, ``(C, *grid.shape)`` float32
        Outside the source, background has probability 1. NaN stays NaN.

    Raises
    ------
    ShapeError
        If the probabilities do not lie on `source`.
    """
    source, grid = (getattr(g, "grid", g) for g in (source, grid))
    array = np.asarray(probabilities, dtype=np.float32)
    if array.ndim != 4 or array.shape[1:] != tuple(source.shape):
        raise ShapeError(
            f"probabilities: expected (C, {', '.join(map(str, source.shape))}), the shape of the "
            f"grid they lie on, got {array.shape}."
        )
    if geometry_difference(source, grid, tolerance=1e-6) is None:
        return array.copy()
    return np.stack(
        [_sample(p, source.affine, grid, float(c == 0), "linear") for c, p in enumerate(array)]
    )


def _outside(shape, affine: np.ndarray, grid: Grid) -> np.ndarray:
    """1 where the grid's voxels lie outside an image, else 0: its background's probability."""
    return _sample(np.zeros(shape, np.float32), affine, grid, 1.0, "nearest")


def _sample(
    array: np.ndarray, affine: np.ndarray, grid: Grid, fill: float, interpolation: str
) -> np.ndarray:
    """Values at the voxels of a grid. Works on array indices, so that any affine will do."""
    import SimpleITK as sitk

    kinds = {
        "linear": sitk.sitkLinear,
        "nearest": sitk.sitkNearestNeighbor,
        "bspline": sitk.sitkBSpline,
    }
    if interpolation not in kinds:
        raise SettingsError(
            f"interpolation: expected one of {', '.join(kinds)}, got {interpolation!r}."
        )
    change = np.linalg.solve(affine, grid.affine)  # new index -> old index, (k, j, i)
    change = np.round(change, 9)
    matrix, shift = change[:3, :3][::-1, ::-1], change[:3, 3][::-1]
    transform = sitk.AffineTransform(3)
    transform.SetMatrix(tuple(float(m) for m in matrix.ravel()))
    transform.SetTranslation(tuple(float(s) for s in shift))
    image = sitk.GetImageFromArray(np.ascontiguousarray(array, dtype=np.float32))
    result = sitk.Resample(
        image,
        [int(n) for n in grid.shape[::-1]],
        transform,
        kinds[interpolation],
        (0.0, 0.0, 0.0),
        (1.0, 1.0, 1.0),
        (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0),
        fill,
        sitk.sitkFloat32,
    )
    return sitk.GetArrayFromImage(result)


def _three(values, name: str) -> Sequence:
    """(D, H, W) from None, (H, W) or (D, H, W); None where nothing is said."""
    if values is None:
        return (None, None, None)
    values = tuple(values) if np.ndim(values) or isinstance(values, tuple | list) else (values,)
    if len(values) not in (2, 3):
        raise SettingsError(f"{name}: expected (H, W) or (D, H, W), got {values}.")
    return (None, *values) if len(values) == 2 else values
