"""Samples of a prediction made into maps: mean, entropy, expected entropy, mutual information.

Natural logarithms throughout (nats), ``0 log 0 = 0``. A voxel that a sample did not see is NaN
over that sample's classes; it is left out of that voxel's mean, and a voxel that no sample saw is
NaN in every map.
"""

from __future__ import annotations

import numpy as np
from scipy.special import entr

from .arrays import ShapeError, check_probabilities, check_same_shape

__all__ = [
    "entropy",
    "expected_entropy",
    "mutual_information",
    "mutual_information_from_moments",
]


def entropy(probabilities, axis: int = 0) -> np.ndarray:
    """Entropy over the classes, ``-sum_c P_c log P_c``.

    Of the mean over samples this is the predictive entropy, the papers' uncertainty; of the
    raters' soft label it is the ground-truth entropy.

    Parameters
    ----------
    probabilities : array-like of float, (C, *spatial) for ``axis=0``
        Sums to 1 over the class axis; NaN where unseen.
    axis : int
        The class axis.

    Returns
    -------
    numpy.ndarray
        `probabilities` without its class axis, in nats, of the same float dtype; from 0 to
        ``log C``. NaN where any class is NaN. Values outside [0, 1] by rounding count as 0 or 1.

    Raises
    ------
    ShapeError, ProbabilityError
        If there is no such axis, or values are no probabilities.
    """
    return _entropy(check_probabilities(probabilities, axis), axis)


def expected_entropy(samples) -> np.ndarray:
    """Mean over samples of each sample's entropy: the part that more samples do not remove.

    Parameters
    ----------
    samples : array-like of float, (T, C, *spatial)
        Probabilities; NaN where a sample did not see the voxel.

    Returns
    -------
    numpy.ndarray of float64, (*spatial)
        In nats; NaN where no sample saw the voxel.

    Raises
    ------
    ShapeError, ProbabilityError
        If the array is no stack of probabilities.
    """
    return _expected(_check_samples(samples))


def mutual_information(samples) -> np.ndarray:
    """Entropy of the mean minus mean entropy: how much the samples contradict each other.

    Parameters
    ----------
    samples : array-like of float, (T, C, *spatial)
        Probabilities; NaN where a sample did not see the voxel.

    Returns
    -------
    numpy.ndarray of float64, (*spatial)
        In nats, at least 0: it cannot be negative for probabilities (Jensen's inequality), so a
        negative difference is rounding and becomes 0. NaN where no sample saw the voxel.

    Raises
    ------
    ShapeError, ProbabilityError
        If the array is no stack of probabilities.
    """
    samples = _check_samples(samples)
    return np.maximum(_entropy(_mean_seen(samples), 0) - _expected(samples), 0.0)


def mutual_information_from_moments(mean, expected, axis: int = 0) -> np.ndarray:
    """`mutual_information` from what is kept of the samples: their mean and expected entropy.

    Parameters
    ----------
    mean : array-like of float
        Mean probabilities, ``(C, *spatial)`` for ``axis=0`` or ``(N, C, *spatial)`` for ``axis=1``.
    expected : array-like of float
        Expected entropy in nats, the shape of `mean` without its class axis.
    axis : int
        The class axis of `mean`.

    Returns
    -------
    numpy.ndarray
        In nats, at least 0 (see `mutual_information`); NaN where unseen.

    Raises
    ------
    ShapeError, ProbabilityError
        If the two do not fit, or `mean` is no probability map.
    """
    predictive = entropy(mean, axis)
    check_same_shape(predictive, expected, names=("mean without its class axis", "expected"))
    return np.maximum(predictive - np.asarray(expected), 0.0)


def _check_samples(samples) -> np.ndarray:
    samples = np.asarray(samples)
    if samples.ndim < 2 or samples.shape[0] < 1:
        raise ShapeError(
            f"samples: expected (samples, classes, *spatial) with at least one sample, got shape "
            f"{samples.shape}; a single probability map needs a leading axis: probabilities[None]."
        )
    return check_probabilities(samples, axis=1, name="samples")


def _entropy(probabilities: np.ndarray, axis: int) -> np.ndarray:
    return entr(np.clip(probabilities, 0.0, 1.0)).sum(axis=axis)


def _expected(samples: np.ndarray) -> np.ndarray:
    entropies = np.stack([_entropy(s.astype(np.float64), 0) for s in samples])
    return _mean_seen(entropies)


def _mean_seen(values: np.ndarray) -> np.ndarray:
    """Mean over the first axis of what is not NaN; NaN where nothing is."""
    seen = ~np.isnan(values)
    count = seen.sum(axis=0)
    total = np.where(seen, values, 0.0).sum(axis=0, dtype=np.float64)
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
