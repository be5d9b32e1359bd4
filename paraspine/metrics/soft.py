"""Probabilities against the raters' soft labels: Brier score and entropy error."""

from __future__ import annotations

import numpy as np

from ..arrays import ShapeError, check_probabilities, check_same_shape

__all__ = ["brier", "entropy_error", "image_value"]


def brier(probabilities, soft) -> np.ndarray:
    """Brier score of one image against the raters' soft label, class by class.

    Mean over voxels of ``(S_c - P_c)²`` (roshanzamir2023, lemay2022 equation 2); the papers' value
    is the mean of this over images.

    Parameters
    ----------
    probabilities : array-like of float, (C, *spatial)
        The prediction; sums to 1 over the classes.
    soft : array-like of float, (C, *spatial)
        Mean of the raters' one-hot maps, or the one-hot map of a reference.

    Returns
    -------
    numpy.ndarray of float64, (C,)
        From 0 to 1, background first. Voxels that are NaN in either are left out; NaN where no
        voxel is left.

    Raises
    ------
    ShapeError
        If the shapes differ.
    ProbabilityError
        If values are no probabilities.
    """
    probabilities = check_probabilities(probabilities)
    soft = check_probabilities(soft, name="soft")
    check_same_shape(probabilities, soft, names=("probabilities", "soft"))
    squared = np.square(np.subtract(soft, probabilities, dtype=np.float64))
    squared = squared.reshape(len(squared), -1)
    return _mean(squared)


def image_value(image, *, total: bool = False) -> float:
    """One number for an image's uncertainty map: the mean over its voxels, or the sum.

    Parameters
    ----------
    image : array-like of float, (*spatial)
        An entropy map, for example; NaN where unseen.
    total : bool
        Sum instead of mean, as lemay2022 does.

    Returns
    -------
    float
        Voxels that are NaN are left out; NaN where no voxel is left.
    """
    values = np.asarray(image, dtype=np.float64).reshape(1, -1)
    mean = _mean(values)[0]
    return float(mean * np.count_nonzero(~np.isnan(values)) if total else mean)


def entropy_error(prediction, reference, *, total: bool = False) -> float:
    """Mean absolute error between images' entropies.

    Parameters
    ----------
    prediction, reference : array-like of float, (N,) or (N, *spatial)
        Entropies of the prediction and of the raters: one number per image, or maps from which
        `image_value` makes one.
    total : bool
        Make images' values by summing, as lemay2022 does; only with maps.

    Returns
    -------
    float
        In nats (nats x voxels where summed). Images that are NaN in either are left out; NaN
        where none is left.

    Raises
    ------
    ShapeError
        If the shapes differ, or there is no axis of images.
    """
    prediction, reference = np.asarray(prediction, float), np.asarray(reference, float)
    check_same_shape(prediction, reference, names=("prediction", "reference"))
    if prediction.ndim < 1:
        raise ShapeError("prediction: expected one value or one map per image, got one number.")
    if prediction.ndim > 1:
        unseen = np.isnan(prediction) | np.isnan(reference)
        prediction, reference = (
            np.array([image_value(v, total=total) for v in np.where(unseen, np.nan, a)])
            for a in (prediction, reference)
        )
    return float(_mean(np.abs(prediction - reference)[None])[0])


def _mean(values: np.ndarray) -> np.ndarray:
    """Mean of each row without its NaN, NaN where nothing is left."""
    seen = ~np.isnan(values)
    count = seen.sum(axis=1)
    sums = np.where(seen, values, 0.0).sum(axis=1)
    return np.divide(sums, count, out=np.full(len(values), np.nan), where=count > 0)
