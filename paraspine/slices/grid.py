"""Common grid of a cohort's images."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

from paraspine import volumes
from paraspine.arrays import SettingsError, ShapeError, check_spacing, check_whole

__all__ = ["check_one_grid", "common_grid", "middle_of", "pair", "resampled"]

#: Spacings that differ by less, relatively, are the same.
SAME = 1e-3


def pair(values, name: str) -> tuple | None:
    """Return two numbers ``(rows, columns)``, or None where nothing was given."""
    if values is None:
        return None
    if isinstance(values, str) or not isinstance(values, (Sequence, np.ndarray)):
        raise SettingsError(f"{name}: expected two numbers (rows, columns), got {values!r}.")
    if len(values) != 2:
        raise SettingsError(f"{name}: expected two numbers (rows, columns), got {values!r}.")
    return tuple(v.item() if isinstance(v, np.generic) else v for v in values)


def check_size(size) -> tuple[int, int] | None:
    """Return a grid's ``(H, W)``, or None; `SettingsError` unless whole numbers above 0."""
    size = pair(size, "size")
    if size is not None and not all(isinstance(n, int) and n > 0 for n in size):
        raise SettingsError(f"size: expected two whole numbers above 0, got {size}.")
    return size


def common_grid(cohort, max_size: int, *, multiple: int = 16) -> dict:
    """Choose one grid for all images of a cohort.

    The grid that the manifest asks for (``"grid"`` in its JSON) is taken. Otherwise it has the
    images' median spacing and room for the largest image, so nothing is cut off. Either is made
    coarser, evenly along both axes, where a side would exceed `max_size`, and rounded up to whole
    multiples.

    Parameters
    ----------
    cohort : manifest.Cohort
        Its images are read for their size and spacing.
    max_size : int
        Longest side in pixels.
    multiple : int
        What the sides must be multiples of, as networks need it.

    Returns
    -------
    dict
        ``size`` (H, W), ``spacing`` (mm) and ``center`` (mm from the image's centre, or None): the
        arguments of `load`.

    Raises
    ------
    SettingsError
        If `max_size` is below `multiple`, or the manifest's grid is not one.
    """
    for name, value in (("max_size", max_size), ("multiple", multiple)):
        check_whole(name, value)
    if max_size < multiple:
        raise SettingsError(f"max_size: expected at least {multiple}, got {max_size}.")
    asked = cohort.metadata.get("grid") or {}
    if unknown := set(asked) - {"size", "spacing", "center"}:
        raise SettingsError(
            "grid: expected size, spacing and center in the manifest's JSON, "
            f"got {sorted(unknown)}."
        )
    size, spacing = check_size(asked.get("size")), pair(asked.get("spacing"), "spacing")
    center = pair(asked.get("center"), "center")
    if size is None or spacing is None:
        fields, steps = [], []
        for row in cohort.table.index:
            volume = volumes.read(cohort.image_path(row))
            steps.append(volume.spacing[1:])
            fields.append(np.multiply(volume.array.shape[1:], volume.spacing[1:]))
        if spacing is None:
            spacing = np.median(np.array(steps), axis=0)
        if size is None:
            # A thousandth of a pixel is rounding, not a pixel that must have room.
            size = np.ceil(np.max(fields, axis=0) / spacing - SAME).astype(int)
    spacing = np.array(check_spacing(spacing, 2))
    largest = max_size // multiple * multiple
    coarser = max(1.0, max(size) / largest)
    sides = [math.ceil(n / coarser / multiple - 1e-9) * multiple for n in size]
    return {
        "size": tuple(int(n) for n in sides),
        "spacing": tuple(float(s) for s in spacing * coarser),
        "center": None if center is None else tuple(float(c) for c in center),
    }


def resampled(volume, size, spacing, center, num_classes: int | None = None):
    """Bring an image (or label map, with `num_classes`) onto ``(H, W)`` pixels of a spacing.

    An image is smoothed before it is made coarser (sigma ``(factor - 1) / 2`` pixels, as
    scikit-image's ``resize`` does), so that noise and texture don't turn into false patterns.
    """
    if size is None and spacing is None and center is None:
        return volume
    middle = middle_of(volume, center)
    if num_classes is not None:
        return volumes.resample_labels(volume, size, spacing, num_classes, center=middle)
    if spacing is not None:
        from scipy.ndimage import gaussian_filter

        factors = np.array(spacing) / volume.spacing[1:]
        sigma = np.maximum(0, (factors - 1) / 2)
        if (sigma > SAME).any():
            smooth = gaussian_filter(volume.array, (0, *sigma), mode="nearest")
            volume = volumes.Volume(smooth, volume.spacing, volume.affine)
    return volumes.resample(volume, size, spacing, center=middle)


def middle_of(volume, center) -> tuple[float, float] | None:
    """Array index of a grid's centre, given in mm from the middle of an image; None stays None."""
    if center is None:
        return None
    shape, step = np.array(volume.array.shape[1:]), np.array(volume.spacing[1:])
    return tuple((shape - 1) / 2 + np.array(center, dtype=float) / step)


def check_one_grid(shapes: list, spacings: list, names: list[str]) -> tuple[float, float]:
    """Return the common spacing ``(rows, columns)``; `ShapeError` where images differ.

    Parameters
    ----------
    shapes : list of (int, int)
        Of each image.
    spacings : list of (float, float)
        mm.
    names : list of str
        Which image it is.
    """
    advice = (
        "Pass size=(H, W) in pixels and spacing=(rows, columns) in mm to bring all to one grid; "
        "slices.common_grid(cohort, max_size) chooses both."
    )
    if len(set(shapes)) > 1:
        found = _listed([f"{h} x {w}" for h, w in shapes], names)
        raise ShapeError(f"images: expected one size for all, got {found}. {advice}")
    first = np.array(spacings[0])
    if not all(np.allclose(s, first, rtol=SAME, atol=0) for s in spacings):
        found = _listed([f"{a:.4g} x {b:.4g} mm" for a, b in spacings], names)
        raise ShapeError(f"images: expected one pixel spacing for all, got {found}. {advice}")
    return tuple(float(s) for s in first)


def _listed(kinds: list[str], names: list[str], most: int = 4) -> str:
    counts = Counter(kinds).most_common()
    words = [
        f"{kind} ({count} image{'s' if count > 1 else ''}, such as {names[kinds.index(kind)]})"
        for kind, count in counts[:most]
    ]
    more = f" and {len(counts) - most} others" if len(counts) > most else ""
    return ", ".join(words) + more
