"""Volumes, their grids, checksums of voxels, and comparison of grids."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from paraspine.arrays import GeometryError, ShapeError, check_spacing

__all__ = ["Grid", "Volume", "checksum", "from_array", "geometry_difference"]


@dataclass(frozen=True)
class Grid:
    """Where voxels lie.

    Parameters
    ----------
    shape : tuple of 3 int
        ``(D, H, W)``.
    affine : numpy.ndarray, ``(4, 4)``
        Maps an array index ``(k, j, i, 1)`` to world millimetres, RAS+ (as NIfTI has it).
    """

    shape: tuple[int, int, int]
    affine: np.ndarray

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Voxel spacing (mm) in array order: the lengths of the affine's columns."""
        return tuple(float(s) for s in np.linalg.norm(self.affine[:3, :3], axis=0))


@dataclass(frozen=True)
class Volume:
    """An image or a label map with its place in the world.

    Parameters
    ----------
    array : numpy.ndarray, ``(D, H, W)``
        Voxel values in LPS order.
    spacing : tuple of 3 float
        Voxel spacing (mm) in array order ``(D, H, W)``.
    affine : numpy.ndarray, ``(4, 4)``
        Maps an array index ``(k, j, i, 1)`` to world millimetres, RAS+.

    Raises
    ------
    ShapeError
        If the array has not three axes.
    SpacingError
        If a spacing is not positive.
    GeometryError
        If the affine is singular or its columns are not as long as the spacing says.
    """

    array: np.ndarray
    spacing: tuple[float, float, float]
    affine: np.ndarray

    def __post_init__(self):
        if np.ndim(self.array) != 3:
            raise ShapeError(
                f"volume: expected (D, H, W), got shape {np.shape(self.array)}; a single slice "
                "needs a leading axis: array[None]."
            )
        spacing = check_spacing(self.spacing, 3)
        affine = np.asarray(self.affine, dtype=np.float64)
        if affine.shape != (4, 4) or not np.isfinite(affine).all():
            raise GeometryError(f"affine: expected 4 x 4 finite numbers, got shape {affine.shape}.")
        lengths = np.linalg.norm(affine[:3, :3], axis=0)
        if not np.allclose(lengths, spacing, rtol=1e-3):
            raise GeometryError(
                f"affine: its columns are {np.round(lengths, 4).tolist()} mm long, but the spacing "
                f"is {list(spacing)}; use volumes.from_array, which makes one from the other."
            )
        if abs(np.linalg.det(affine[:3, :3] / lengths)) < 1e-3:
            raise GeometryError("affine: two axes point the same way, so voxels have no place.")
        object.__setattr__(self, "spacing", spacing)
        object.__setattr__(self, "affine", affine)

    @property
    def grid(self) -> Grid:
        """Where the voxels lie."""
        return Grid(tuple(self.array.shape), self.affine)


def from_array(array, spacing, affine=None) -> Volume:
    """Make a volume from an array, for images whose file says nothing of their place.

    Parameters
    ----------
    array : array-like, ``(H, W)`` or ``(D, H, W)``
        Values in LPS order (row 0 anterior, column 0 the patient's right, slice 0 inferior).
    spacing : sequence of 2 or 3 float
        Spacing (mm) in array order; with two, slices are 1 mm apart.
    affine : array-like, ``(4, 4)``, optional
        Array index to world RAS+; without it, axes along the world's and the first voxel at 0.

    Returns
    -------
    Volume
    """
    array = np.asarray(array)
    if array.ndim == 2:
        array = array[None]
    spacing = tuple(np.atleast_1d(np.asarray(spacing, dtype=float)))
    spacing = check_spacing((1.0, *spacing) if len(spacing) == 2 else spacing, 3)
    if affine is None:
        depth, height, width = spacing
        affine = np.zeros((4, 4))
        affine[2, 0], affine[1, 1], affine[0, 2], affine[3, 3] = depth, -height, -width, 1
    return Volume(array, spacing, affine)


def checksum(volume: Volume) -> str:
    """SHA-256 of the voxels alone: shape and values as float32, whatever the file's format.

    Two files with the same picture have the same checksum even where compression, headers or the
    order of axes on disk differ.
    """
    digest = hashlib.sha256(repr(tuple(int(n) for n in volume.array.shape)).encode())
    values = np.asarray(volume.array, dtype="<f4") + np.float32(0)  # -0.0 and 0.0 are the same
    digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()


def geometry_difference(first, second, tolerance: float = 1e-2) -> str | None:
    """Say how the grids of two volumes differ, or None where they are the same.

    Parameters
    ----------
    first, second : Volume or Grid
        What to compare.
    tolerance : float
        How far apart a corner of the two grids may lie, as a fraction of the smallest voxel side.
        A hundredth forgives what file formats round off, and no more.

    Returns
    -------
    str or None
        One sentence for a person, the first of shape, spacing, direction or place that differs.
    """
    first, second = (getattr(v, "grid", v) for v in (first, second))
    if tuple(first.shape) != tuple(second.shape):
        return f"shape {_times(first.shape)} against {_times(second.shape)} (D x H x W)"
    corners = np.array(
        [[k, j, i, 1] for k in (0, 1) for j in (0, 1) for i in (0, 1)], dtype=float
    ) * [*(max(n - 1, 1) for n in first.shape), 1]
    apart = corners @ (first.affine - second.affine).T
    worst = float(np.linalg.norm(apart[:, :3], axis=1).max())
    side = min(*first.spacing, *second.spacing)
    if worst <= tolerance * side:
        return None
    extent = np.array([max(n - 1, 1) for n in first.shape])
    a, b = np.array(first.spacing), np.array(second.spacing)
    if (np.abs(a - b) * extent > tolerance * side).any() and not np.allclose(a, b, rtol=1e-4):
        return f"spacing {_times(a, 4)} mm against {_times(b, 4)} mm (D x H x W)"
    cosines = ((first.affine[:3, :3] / a) * (second.affine[:3, :3] / b)).sum(axis=0)
    angle = float(np.degrees(np.arccos(np.clip(cosines.min(), -1, 1))))
    if angle > 0.01:
        return f"affine: the axes are turned by {angle:.2f} degrees against each other"
    shift = float(np.linalg.norm(apart[0, :3]))
    return f"affine: the first voxels lie {shift:.3g} mm apart (corners up to {worst:.3g} mm)"


def _times(numbers, digits: int | None = None) -> str:
    return " x ".join(f"{n:.{digits}g}" if digits else str(int(n)) for n in numbers)
