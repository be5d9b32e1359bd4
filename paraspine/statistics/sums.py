"""Means, ratios, correlations, R² and calibration error under shared resamples of subjects.

All of these are made of sums over images. Summed within each subject once, the sums of a resample
are a product of its draws with those of the subjects, without touching an image again.

Functions take draws (`cluster_weights`, of which each row of values has its subject) and return
``(1 + B, ...)`` numbers: first that of all data, then those of the B resamples (NaN where one is
undefined, and all with fewer than two subjects). What comes from the same draws is resampled
together, so a difference of two results has an interval of its own:

>>> import numpy as np
>>> from paraspine.statistics import cluster_weights, sums
>>> draws = cluster_weights(["a", "a", "b", "c", "c", "c"], resamples=200)
>>> x, y = np.array([1.0, 2, 4, 5, 5, 6]), np.array([1.0, 1, 3, 4, 4, 4])
>>> f"{sums.estimate(sums.mean(draws, x) - sums.mean(draws, y)):.2f}"
'1.00 (95 % CI 0.50 to 1.33)'
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .bootstrap import ClusterWeights, bootstrap_p, cluster_weights, percentile_interval
from .estimate import NAN, Estimate, check_vectors
from .options import options

__all__ = [
    "Moments",
    "correlation",
    "difference_interval",
    "ece",
    "estimate",
    "mean",
    "mean_interval",
    "moments",
    "r_squared",
    "shares",
    "ratio",
    "total",
]

#: Least variance of a column that isn't constant, as a share of its mean square about the median of
#: all data. Sums of such squares err by about 1e-16 of it, so that a variance above this has at
#: least three correct digits, and r and R² with it.
CONSTANT = 1e-12
#: Least share of a predictor's variance that another one leaves over; below it, the two are one
#: line, and R² of both is that of the better one.
COLLINEAR = 1e-10
#: Spread of values that is rounding alone, as a share of the largest.
ROUNDING = 1e-13


def estimate(
    drawn,
    *,
    confidence: float | None = None,
    null: float | None = None,
    clusters: int | None = None,
) -> Estimate:
    """Estimate with its percentile interval.

    Parameters
    ----------
    drawn : array-like of float, (1 + B,)
        Statistic of all data, then of each resample.
    confidence : float, optional
        Of the interval; `defaults` without it.
    null : float, optional
        Value against which the two-sided p is taken (`bootstrap_p`); without it p is NaN.
    clusters : int, optional
        Number of subjects drawn from, below which p can't fall.

    Returns
    -------
    Estimate
        All NaN where the statistic of all data is.
    """
    drawn = np.asarray(drawn, dtype=np.float64)
    if np.isnan(drawn[0]):
        return Estimate(NAN)
    p = NAN if null is None else bootstrap_p(drawn[1:], null, clusters)
    return Estimate(float(drawn[0]), *percentile_interval(drawn[1:], confidence), p)


def total(draws: ClusterWeights, values) -> np.ndarray:
    """Sums ``(1 + B, ...)`` of values ``(n, ...)`` without NaN."""
    values = np.asarray(values, dtype=np.float64)
    groups = len(draws.labels)
    flat = values.reshape(len(values), -1) if values.size else np.zeros((0, 1))
    columns = [np.bincount(draws.codes, column, minlength=groups) for column in flat.T]
    sums = np.reshape(np.stack(columns, axis=1), (groups, *values.shape[1:]))
    drawn = np.tensordot(draws.weights.astype(np.float64), sums, axes=1)
    if groups < 2:
        drawn = np.full_like(drawn, NAN)
    return np.concatenate([values.sum(axis=0, keepdims=True), drawn])


def mean(draws: ClusterWeights, values) -> np.ndarray:
    """Mean of values ``(n,)``.

    NaN is left out. An infinite value (such as the Hausdorff distance to an empty mask) makes the
    mean and every resample that holds it infinite.
    """
    values = np.asarray(values, dtype=np.float64)
    known, finite = ~np.isnan(values), np.isfinite(values)
    centre = values[finite].mean() if finite.any() else 0.0
    rest = np.where(finite, values - centre, 0.0) if finite.any() else np.zeros(len(values))
    columns = [known, rest, values == np.inf, values == -np.inf]
    count, summed, above, below = total(draws, np.stack(columns, axis=1)).T
    result = centre + _divided(summed, count)
    result = np.where(above > 0, np.inf, result)
    result = np.where(below > 0, -np.inf, result)
    return np.where((above > 0) & (below > 0), NAN, result)


def ratio(draws: ClusterWeights, top, bottom) -> np.ndarray:
    """Sum of one column over that of another, images with a NaN left out.

    NaN where the sum of `bottom` is not above 0.
    """
    both = np.stack([np.asarray(top, float), np.asarray(bottom, float)], axis=1)
    both[np.isnan(both).any(axis=1)] = 0.0
    above, below = total(draws, both).T
    return _divided(above, below)


def ece(draws: ClusterWeights, bins, count, confidence, correct) -> np.ndarray:
    """Expected calibration error with its over- and underconfident parts.

    Parameters
    ----------
    draws : ClusterWeights
        Of the rows below.
    bins : array-like of int, (n,)
        Bin of confidence that a row is about.
    count, confidence, correct : array-like of float, (n,)
        Its voxels, the sum of their confidence, and how many of them are right.

    Returns
    -------
    numpy.ndarray, (3, 1 + B)
        ECE; its part from bins in which confidence exceeds accuracy; the other part. NaN without
        voxels.
    """
    bins = np.asarray(bins)
    gaps = np.zeros((len(bins), int(bins.max(initial=0)) + 1))
    gaps[np.arange(len(bins)), bins] = np.asarray(confidence, float) - np.asarray(correct, float)
    gap = _divided(total(draws, gaps), total(draws, count)[:, None])
    over, under = np.clip(gap, 0, None).sum(axis=1), np.clip(-gap, 0, None).sum(axis=1)
    return np.stack([over + under, over, under])


@dataclass(frozen=True)
class Moments:
    """Counts, means and covariances of K columns.

    Attributes
    ----------
    count : numpy.ndarray, (1 + B,)
        Images.
    mean : numpy.ndarray, (1 + B, K)
        In the columns' units.
    covariance : numpy.ndarray, (1 + B, K, K)
        Divided by the count; 0 where a column is constant (`CONSTANT`, `ROUNDING`).
    """

    count: np.ndarray
    mean: np.ndarray
    covariance: np.ndarray

    def columns(self, *chosen: int) -> Moments:
        """Moments of some of the columns, in this order."""
        part = self.covariance[:, chosen][:, :, chosen]
        return Moments(self.count, self.mean[:, chosen], part)


def moments(draws: ClusterWeights, values) -> Moments:
    """Moments of the columns of values ``(n, K)``; rows with a NaN are left out."""
    values = np.asarray(values, dtype=np.float64)
    known = ~np.isnan(values).any(axis=1)
    kept = values[known] if known.any() else np.zeros((1, values.shape[1]))
    centre = np.median(kept, axis=0)  # not the mean, which one huge value moves far from the rest
    scale = np.abs(kept - centre).max(axis=0)
    noise = ROUNDING * np.abs(kept).max(axis=0)
    scale = np.where(scale > noise, scale, 0.0)
    z = np.ones((len(values), 1 + values.shape[1]))
    z[:, 1:] = np.divide(values - centre, scale, out=np.zeros(values.shape), where=scale > 0)
    z[~known] = 0.0
    drawn = total(draws, z[:, :, None] * z[:, None, :])
    count = drawn[:, 0, 0]
    drawn = _divided(drawn, count[:, None, None])
    middle = drawn[:, 0, 1:]
    spread = drawn[:, 1:, 1:] - middle[:, :, None] * middle[:, None, :]
    square = np.diagonal(drawn, axis1=1, axis2=2)[:, 1:]
    noise = np.divide(noise, scale, out=np.ones_like(scale), where=scale > 0)
    least = CONSTANT * square + noise**2
    with np.errstate(invalid="ignore"):
        varies = ~(np.diagonal(spread, axis1=1, axis2=2) <= least)
    spread = np.where(varies[:, :, None] & varies[:, None, :], spread, 0.0)
    return Moments(count, centre + scale * middle, spread * scale[:, None] * scale)


def correlation(found: Moments, first: int = 0, second: int = 1) -> np.ndarray:
    """Pearson's r of two columns ``(1 + B,)``.

    NaN for fewer than 3 images or where a column is constant.
    """
    defined = (found.count >= 3) & (_deviation(found, first) > 0) & (_deviation(found, second) > 0)
    return np.where(defined, _r(found, first, second), NAN)


def r_squared(found: Moments, y: int, *x: int) -> np.ndarray:
    """Share of a column's variance that one or two others explain ``(1 + B,)``.

    A constant predictor explains 0; of two on one line (`COLLINEAR`) the second adds nothing. NaN
    for fewer than 4 images or where `y` is constant.
    """
    squares = [_r(found, y, column) ** 2 for column in x]
    best = np.max(squares, axis=0)
    if len(x) == 2:
        between = _r(found, *x)
        apart = 1 - between**2
        both = squares[0] + squares[1] - 2 * _r(found, y, x[0]) * _r(found, y, x[1]) * between
        with np.errstate(invalid="ignore"):
            joint = np.divide(both, apart, out=best.copy(), where=apart > COLLINEAR)
        best = np.clip(joint, best, 1.0)
    return np.where((found.count >= 4) & (_deviation(found, y) > 0), best, NAN)


def shares(draws: ClusterWeights, values) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Share of the variance of the first of three columns that the others explain.

    Parameters
    ----------
    draws : ClusterWeights
        Of the rows of `values`.
    values : array-like of float, (n, 3)
        What is to be explained and two predictors; rows with a NaN are left out.

    Returns
    -------
    tuple of numpy.ndarray, (1 + B,)
        R² of the second column, of the third, and of both. What the third adds is worked out from
        its residual on the second, so that two predictors that are almost one line lose no digits;
        NaN as `r_squared`.
    """
    values = np.asarray(values, dtype=np.float64)
    rest = _residual(values[:, 2], values[:, 1])
    found = moments(draws, np.column_stack([values, rest]))
    one, other, joint = (r_squared(found, 0, *x) for x in ((1,), (2,), (1, 3)))
    return one, other, np.fmax(joint, other)


def _residual(values: np.ndarray, on: np.ndarray) -> np.ndarray:
    """What a line through another column leaves of one; 0 where it is rounding alone."""
    known = ~(np.isnan(values) | np.isnan(on))
    y, x = values[known], on[known]
    if not len(y):
        return values
    y, x = y - y.mean(), x - x.mean()
    square = x @ x
    rest = y - x * (x @ y / square) if square > 0 else y
    if np.abs(rest).max() <= ROUNDING * np.abs(values[known]).max():
        rest = np.zeros_like(rest)
    found = np.full(len(values), NAN)
    found[known] = rest
    return found


def mean_interval(
    values,
    groups=None,
    resamples: int | None = None,
    seed: int | None = None,
    *,
    confidence: float | None = None,
    null: float | None = None,
) -> Estimate:
    """Mean over images with an interval from resampling clusters of them.

    Parameters
    ----------
    values : array-like of float, (n,)
        NaN is left out; infinite values as in `mean`.
    groups : array-like, (n,), optional
        Cluster of each value, such as its subject; without it each value is its own.
    resamples, seed, confidence : optional
        As for `cluster_weights` and `estimate`; `defaults` without them.
    null : float, optional
        As for `estimate`.

    Returns
    -------
    Estimate
        NaN value with nothing to average; NaN interval with fewer than 2 values or clusters.

    Raises
    ------
    SettingsError, ShapeError
        If options, values or groups do not fit.
    """
    resamples, confidence, seed = options(resamples, confidence, seed)
    values = np.asarray(values, dtype=np.float64)
    _, codes = check_vectors(groups, values=np.where(np.isinf(values), 0.0, values))
    known = values[~np.isnan(values)]
    draws = cluster_weights(codes, resamples, seed, values=known)
    drawn = mean(draws, known)
    return estimate(drawn, confidence=confidence, null=null, clusters=len(draws.labels))


def difference_interval(
    a,
    b,
    groups=None,
    resamples: int | None = None,
    seed: int | None = None,
    *,
    confidence: float | None = None,
) -> Estimate:
    """Mean paired difference ``a - b`` with its interval, resampling clusters of pairs.

    Parameters
    ----------
    a, b : array-like of float, (n,)
        Two conditions of the same images; pairs with a NaN are left out.
    groups, resamples, seed, confidence
        As for `mean_interval`.

    Returns
    -------
    Estimate
        p tests a mean difference of 0 (`bootstrap_p`).

    Raises
    ------
    SettingsError, ShapeError
        If options or arrays do not fit, or a value is infinite.
    """
    arrays, codes = check_vectors(groups, a=a, b=b)
    return mean_interval(
        arrays["a"] - arrays["b"], codes, resamples, seed, confidence=confidence, null=0.0
    )


def _deviation(found: Moments, column: int) -> np.ndarray:
    return np.sqrt(found.covariance[:, column, column])


def _r(found: Moments, first: int, second: int) -> np.ndarray:
    """Pearson's r, 0 where a column is constant."""
    below = _deviation(found, first) * _deviation(found, second)
    r = _divided(found.covariance[:, first, second], below, 0.0)
    return np.clip(r, -1.0, 1.0)


def _divided(above, below, otherwise: float = NAN) -> np.ndarray:
    """Quotient, and `otherwise` where the divisor is not above 0."""
    above, below = np.broadcast_arrays(above, below)
    out = np.where(np.isnan(below), NAN, otherwise)
    return np.divide(above, below, out=out, where=below > 0)
