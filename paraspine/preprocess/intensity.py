"""Intensity scaling to [0, 1], and the foreground mask."""

from __future__ import annotations

import numpy as np

from paraspine.arrays import ImageError, SettingsError, ShapeError

__all__ = ["check_image", "foreground", "scale"]


def check_image(array) -> np.ndarray:
    """Return ``(D, H, W)`` intensities as float32 after checking that they can be used."""
    array = np.asarray(array, dtype=np.float32)
    if array.ndim != 3 or not array.size:
        raise ShapeError(f"image: expected (D, H, W), got shape {array.shape}.")
    if not np.isfinite(array).all():
        raise ImageError(
            "image: expected finite intensities, got NaN or infinity; repair the image or leave "
            "it out of the manifest."
        )
    return array


def foreground(array: np.ndarray) -> np.ndarray:
    """Return where the object is: positive and above Otsu's threshold."""
    from skimage.filters import threshold_otsu

    if array.min() == array.max():
        return np.zeros(array.shape, dtype=bool)
    return (array > threshold_otsu(array.ravel())) & (array > 0)


def scale(
    array,
    intensity: str,
    *,
    window: tuple[float, float] | None = None,
    percentiles: tuple[float, float] = (0.5, 99.5),
) -> np.ndarray:
    """Bring intensities to [0, 1].

    Parameters
    ----------
    array : array-like, ``(D, H, W)``
        Intensities of one image; a volume's slices are scaled together.
    intensity : str
        ``minmax``: smallest to 0, largest to 1 (as roshanzamir2023's authors do).
        ``percentile``: the same with `percentiles`, clipped; outliers then don't decide.
        ``window``: `window` to [0, 1], clipped; for Hounsfield units.
        ``zscore``: mean and standard deviation of the object (above Otsu's threshold); -3 to 3
        standard deviations become 0 to 1, clipped.
    window : (float, float)
        Low and high.
    percentiles : (float, float)
        Between 0 and 100.

    Returns
    -------
    numpy.ndarray, ``(D, H, W)``, float32
        A constant image becomes 0 (0.5 with ``zscore``).
    """
    array = check_image(array)
    if intensity == "minmax":
        low, high = float(array.min()), float(array.max())
    elif intensity == "percentile":
        low, high = (float(v) for v in np.percentile(array, percentiles))
    elif intensity == "window":
        if window is None:
            raise SettingsError(
                'window: expected (low, high) for intensity="window", such as (-160, 240) in '
                'Hounsfield units; state it here or as "intensity": {"window": [low, high]} in '
                "data_manifest.json."
            )
        low, high = window
    elif intensity == "zscore":
        inside = foreground(array)
        values = (array[inside] if inside.any() else array).astype(np.float64)
        center, spread = float(values.mean()), float(values.std())
        if spread == 0:  # the object is one intensity: the whole image says how others differ
            center, spread = float(array.mean(dtype=np.float64)), float(array.std(dtype=np.float64))
        if spread == 0:
            return np.full_like(array, 0.5)
        low, high = center - 3 * spread, center + 3 * spread
    else:
        raise SettingsError(
            f"intensity: expected minmax, percentile, window or zscore, got {intensity!r}."
        )
    if high <= low:
        return np.zeros_like(array)
    scaled = (array.astype(np.float64) - low) / (high - low)
    return np.clip(scaled, 0, 1).astype(np.float32)
