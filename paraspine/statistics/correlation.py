"""Correlations over images, with intervals that resample subjects."""

from __future__ import annotations

import numpy as np
from scipy import stats

from .bootstrap import bootstrap_p, cluster_sums, draw_weights, percentile_interval
from .estimate import NAN, Estimate, check_options, check_vectors

__all__ = ["pearson", "spearman"]

#: Numbers that the ranks of a chunk of resamples may hold at a time.
_BUDGET = 1 << 21


def pearson(
    x,
    y,
    groups=None,
    resamples: int = 2000,
    seed: int = 0,
    *,
    confidence: float = 0.95,
) -> Estimate:
    """Pearson correlation with a cluster-bootstrap interval.

    Parameters
    ----------
    x, y : array-like of float, (n,)
        One value per image; pairs with a NaN are left out.
    groups : array-like, (n,), optional
        Subject of each image. Whole subjects are resampled, since their slices are not
        independent; without it each image is resampled on its own, as published.
    resamples, seed
        Number of resamples and what makes them; the same seed gives the same interval.
    confidence : float
        Of the percentile interval.

    Returns
    -------
    Estimate
        `value` is over all images. `p` tests r = 0, two-sided: without `groups` by Student's t
        with n - 2 degrees of freedom; with `groups` by the share of resamples on the other side
        of 0 (`bootstrap.bootstrap_p`), whose smallest value is 2 / (resamples + 1), or 2^(1 - k)
        with k subjects where that is larger. Everything is
        NaN for fewer than 3 images, or if x or y is constant; interval and p are NaN for fewer
        than 2 subjects.

    Raises
    ------
    ShapeError, SettingsError
        If lengths differ, a value is infinite or an option makes no sense.
    """
    check_options(resamples, confidence)
    arrays, codes = check_vectors(groups, x=x, y=y)
    return _correlate(arrays["x"], arrays["y"], codes, groups is None, resamples, seed, confidence)


def spearman(
    x,
    y,
    groups=None,
    resamples: int = 2000,
    seed: int = 0,
    *,
    confidence: float = 0.95,
) -> Estimate:
    """Spearman rank correlation with a cluster-bootstrap interval.

    Ties share their mean rank. Each resample is ranked anew, weights and all, so the interval is
    that of the rank correlation itself and not of the first ranks' linear correlation. Parameters,
    p-value, NaN and errors are as for `pearson`.
    """
    check_options(resamples, confidence)
    arrays, codes = check_vectors(groups, x=x, y=y)
    x, y = arrays["x"], arrays["y"]
    ranks = stats.rankdata(x), stats.rankdata(y)
    return _correlate(*ranks, codes, groups is None, resamples, seed, confidence, (x, y))


def _correlate(x, y, codes, by_image, resamples, seed, confidence, to_rank=None) -> Estimate:
    """Pearson of x and y; with `to_rank` the resamples are ranked anew."""
    if len(x) < 3 or any(_constant(v) for v in (x, y, *(to_rank or ()))):
        return Estimate(NAN)
    x, y = _standard(x), _standard(y)
    clusters = int(codes.max()) + 1
    products = _products(x, y)
    value = float(_from_sums([column.sum() for column in products]))
    p = _student_p(value, len(x)) if by_image else NAN
    if clusters < 2:
        return Estimate(value, p=p)
    weights = draw_weights(clusters, resamples, seed)
    if to_rank is None:
        replicates = _from_sums(weights @ cluster_sums(codes, clusters, products))
    else:
        step = max(1, _BUDGET // len(x))
        replicates = np.concatenate(
            [_ranked(*to_rank, weights[b : b + step, codes]) for b in range(0, resamples, step)]
        )
    if not by_image:
        p = bootstrap_p(replicates, clusters=clusters)
    return Estimate(value, *percentile_interval(replicates, confidence), p)


def _ranked(x, y, weights) -> np.ndarray:
    """Spearman of each resample; `weights` (B, n) says how often each image was drawn."""
    return _weighted(_weighted_ranks(x, weights), _weighted_ranks(y, weights), weights)


def _weighted_ranks(values, weights) -> np.ndarray:
    """Mean ranks ``(B, n)`` of the entries of each resample, ties and repeats sharing theirs."""
    distinct, codes = np.unique(values, return_inverse=True)
    order = np.argsort(codes, kind="stable")
    starts = np.searchsorted(codes[order], np.arange(len(distinct)))
    tally = np.add.reduceat(weights[:, order], starts, axis=1)
    upto = np.cumsum(tally, axis=1)
    return (upto - (tally - 1) / 2)[:, codes]


def _weighted(x, y, weights) -> np.ndarray:
    """Weighted Pearson along the last axis, NaN where a resample is constant."""
    count = weights.sum(axis=1, keepdims=True)
    x = x - (weights * x).sum(axis=1, keepdims=True) / count
    y = y - (weights * y).sum(axis=1, keepdims=True) / count
    xx, yy, xy = ((weights * a * b).sum(axis=1) for a, b in ((x, x), (y, y), (x, y)))
    defined = (xx > 1e-9) & (yy > 1e-9)
    return np.divide(xy, np.sqrt(xx * yy), out=np.full(len(xy), NAN), where=defined)


def _products(x, y) -> list[np.ndarray]:
    return [np.ones(len(x)), x, y, x * x, y * y, x * y]


def _from_sums(sums) -> np.ndarray:
    """Pearson from the sums of `_products` along the last axis; NaN where a side is constant."""
    n, x, y, xx, yy, xy = np.moveaxis(np.asarray(sums, dtype=np.float64), -1, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        xx, yy, xy = xx - x * x / n, yy - y * y / n, xy - x * y / n
        r = xy / np.sqrt(xx * yy)
    defined = (n >= 3) & (xx > 1e-12 * n) & (yy > 1e-12 * n)
    return np.where(defined, np.clip(r, -1.0, 1.0), NAN)


def _standard(values) -> np.ndarray:
    """Centred and scaled, so that sums of squares lose no digits."""
    values = values - values.mean()
    return values / np.abs(values).max()


def _constant(values) -> bool:
    """Whether the values differ by no more than rounding."""
    spread = np.ptp(values)
    return bool(spread <= 1e-13 * np.abs(values).max())


def _student_p(r: float, n: int) -> float:
    """Two-sided p of r = 0 by the exact distribution of r for a normal sample."""
    half = n / 2 - 1
    return float(2 * stats.beta.cdf(-abs(r), half, half, loc=-1, scale=2))
