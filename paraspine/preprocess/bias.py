"""Bias field correction by N4."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import contextmanager

import numpy as np

from paraspine.arrays import check_spacing
from paraspine.preprocess.intensity import check_image, foreground

__all__ = ["bias_field", "correct_bias"]

#: Side in pixels below which an image is not shrunk further for N4.
SMALLEST = 32

_lock = threading.Lock()
_callers = {"inside": 0, "threads": 0}


@contextmanager
def _one_thread():
    """Let ITK use one thread: N4's sums depend on the number of threads (by about 1e-5).

    ITK takes the number from a global default, whatever is set on the filter itself. The first of
    several callers keeps the number that was set before, the last one puts it back.
    """
    import SimpleITK as sitk

    process = sitk.ProcessObject
    with _lock:
        if not _callers["inside"]:
            _callers["threads"] = process.GetGlobalDefaultNumberOfThreads()
            process.SetGlobalDefaultNumberOfThreads(1)
        _callers["inside"] += 1
    try:
        yield
    finally:
        with _lock:
            _callers["inside"] -= 1
            if not _callers["inside"]:
                process.SetGlobalDefaultNumberOfThreads(_callers["threads"])


def _shrink_factors(shape: Sequence[int], spacing: Sequence[float], shrink: int) -> list[int]:
    """Return factors that bring voxels towards the same side, at most `shrink` along any axis."""
    finest = min(spacing[1:])
    factors = []
    for axis, (n, step) in enumerate(zip(shape, spacing, strict=True)):
        wanted = max(1, min(shrink, round(shrink * finest / step)))
        least = SMALLEST if axis else 4
        factors.append(max(1, min(wanted, n // least)))
    return factors


def bias_field(
    array,
    spacing: Sequence[float],
    *,
    shrink: int = 2,
    iterations: Sequence[int] = (50, 50, 50, 50),
) -> np.ndarray:
    """Estimate the multiplicative bias field with N4 (Tustison 2010), at full resolution.

    The field is fitted to a shrunk image and evaluated on the original grid, so that no detail of
    the image is lost. A single slice is fitted in two dimensions, a volume in three. The object is
    what lies above Otsu's threshold.

    Parameters
    ----------
    array : array-like, ``(D, H, W)``
        Intensities with a true zero.
    spacing : sequence of 3 float
        mm, ``(D, H, W)``.
    shrink : int
        Largest shrink factor; thick slices are shrunk less, and no side below 32 pixels.
    iterations : sequence of int
        Most iterations at each fitting level; the mesh doubles from level to level.

    Returns
    -------
    numpy.ndarray, ``(D, H, W)``, float32
        Positive, with mean logarithm 0 over the object; divide the image by it. All ones where
        the image has no object (a constant image).
    """
    import SimpleITK as sitk

    array, spacing = check_image(array), check_spacing(spacing, 3)
    mask = foreground(array)
    if not mask.any():
        return np.ones_like(array)
    factors = _shrink_factors(array.shape, spacing, shrink)
    flat = len(array) == 1
    cut = 1 if flat else 0

    def image(values: np.ndarray):
        made = sitk.GetImageFromArray(values[0] if flat else values)
        made.SetSpacing([float(s) for s in spacing[cut:][::-1]])
        return made

    full, object_ = image(array), image(mask.astype(np.uint8))
    by = [int(f) for f in factors[cut:][::-1]]
    with _one_thread():
        n4 = sitk.N4BiasFieldCorrectionImageFilter()
        n4.SetMaximumNumberOfIterations([int(i) for i in iterations])
        n4.Execute(sitk.Shrink(full, by), sitk.Shrink(object_, by))
        log_field = sitk.GetArrayFromImage(n4.GetLogBiasFieldAsImage(full))
    log_field = log_field.reshape(array.shape)
    return np.exp(log_field - log_field[mask].mean(dtype=np.float64)).astype(np.float32)


def correct_bias(array, spacing: Sequence[float], **options) -> np.ndarray:
    """Divide an image by its `bias_field`; parameters as there."""
    return check_image(array) / bias_field(array, spacing, **options)
