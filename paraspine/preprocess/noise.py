"""Noise estimation and non-local means."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from paraspine.arrays import ImageError, ShapeError
from paraspine.preprocess.intensity import check_image, foreground

__all__ = ["denoise", "noise_level"]


def noise_level(array) -> float:
    """Estimate the standard deviation of the noise from pseudo-residuals.

    Each pixel minus the mean of its four neighbours in the slice, times ``sqrt(4 / 5)``, has the
    noise's standard deviation where the image is locally flat (Gasser 1986; Coupé 2008 uses the
    same with six neighbours). Edges are outliers, so the median of the absolute values stands for
    the mean square. Only pixels of the object count (above Otsu's threshold): in air, a magnitude
    image's noise is not Gaussian, and often masked away. Where the object covers less than a
    hundredth of the image, all pixels count.

    Parameters
    ----------
    array : array-like, ``(D, H, W)``
        Intensities.

    Returns
    -------
    float
        In intensity units; 0 for a constant image.
    """
    array = check_image(array)
    if min(array.shape[1:]) < 3:
        raise ShapeError(
            f"image: expected slices of at least 3 x 3 pixels to estimate noise, got {array.shape}."
        )
    inner = array[:, 1:-1, 1:-1].astype(np.float64)
    neighbours = (
        array[:, :-2, 1:-1].astype(np.float64)
        + array[:, 2:, 1:-1]
        + array[:, 1:-1, :-2]
        + array[:, 1:-1, 2:]
    )
    residual = np.sqrt(0.8) * (inner - neighbours / 4)
    inside = foreground(array)[:, 1:-1, 1:-1]
    residual = residual[inside] if inside.mean() > 0.01 else residual.ravel()
    return float(1.4826 * np.median(np.abs(residual)))


@lru_cache(maxsize=1)
def _rician_mean() -> tuple[np.ndarray, np.ndarray]:
    """Mean of a Rician magnitude over its true amplitude, both in units of sigma."""
    from scipy.special import ive

    amplitude = np.concatenate([np.linspace(0, 20, 20001), np.linspace(20, 1000, 1001)[1:]])
    quarter = amplitude**2 / 4
    mean = np.sqrt(np.pi / 2) * (
        (1 + 2 * quarter) * ive(0, quarter) + 2 * quarter * ive(1, quarter)
    )
    return mean, amplitude


def remove_rician_bias(mean: np.ndarray, sigma: float) -> np.ndarray:
    """Return the amplitude whose Rician mean is `mean` (Koay and Basser 2006)."""
    if sigma <= 0:
        return mean
    table, amplitude = _rician_mean()
    ratio = mean / sigma
    found = np.interp(ratio, table, amplitude)
    # Far beyond the table's end the bias, sigma^2 / (2 amplitude), is below rounding.
    return np.where(ratio > table[-1], mean, found * sigma).astype(np.float32)


def denoise(
    array,
    *,
    sigma: float | None = None,
    strength: float = 0.8,
    patch: int = 5,
    search: int = 6,
    rician: bool = True,
    across_slices: bool = False,
) -> np.ndarray:
    """Denoise by non-local means (Buades 2005; for MR images Coupé 2008).

    scikit-image's fast version: averages of pixels whose surrounding patch looks alike. In MR
    magnitude images the noise is Rician, which lifts dark regions; the lift is removed after
    averaging by inverting the mean of the Rician distribution (Koay and Basser 2006), which serves
    the purpose of Coupé's and Manjón's averaging of squared intensities.

    Parameters
    ----------
    array : array-like, ``(D, H, W)``
        Intensities.
    sigma : float, optional
        Standard deviation of the noise in intensity units; estimated by `noise_level` if left out.
    strength : float
        Decay of the weights as a multiple of `sigma`: more removes more.
    patch, search : int
        Side of a patch, and how far similar ones are sought, in pixels.
    rician : bool
        Whether the image is an MR magnitude image.
    across_slices : bool
        Patches and search in three dimensions; by default each slice on its own, since slices are
        usually several times thicker than pixels are wide.

    Returns
    -------
    numpy.ndarray, ``(D, H, W)``, float32
    """
    from skimage.restoration import denoise_nl_means

    array = check_image(array)
    if rician and array.min() < 0:
        raise ImageError(
            f"image: the Rician correction expects MR magnitudes, got intensities down to "
            f"{array.min():.4g}; set rician=False for CT and for images with a shifted scale."
        )
    sigma = noise_level(array) if sigma is None else float(sigma)
    if sigma <= 0:
        return array.copy()
    options = {
        "patch_size": patch,
        "patch_distance": search,
        "h": strength * sigma,
        "sigma": sigma,
        "fast_mode": True,
    }
    if across_slices and len(array) > 1:
        smooth = denoise_nl_means(array, **options)
    else:
        smooth = np.stack([denoise_nl_means(s, **options) for s in array])
    smooth = smooth.astype(np.float32, copy=False)
    return remove_rician_bias(smooth, sigma) if rician else smooth
