"""Correlations over images, with intervals that resample subjects."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import stats

from . import sums
from .bootstrap import cluster_weights
from .estimate import NAN, Estimate, check_vectors
from .options import options

__all__ = ["pearson", "spearman"]

#: Numbers that the ranks of a chunk of resamples may hold at a time.
_BUDGET = 1 << 21


def pearson(
    x,
    y,
    groups=None,
    resamples: int | None = None,
    seed: int | None = None,
    *,
    confidence: float | None = None,
) -> Estimate:
    """Pearson correlation with a cluster-bootstrap interval.

    Parameters
    ----------
    x, y : array-like of float, (n,)
        One value per image; pairs with a NaN are left out.
    groups : array-like, (n,), optional
        Subject of each image. Whole subjects are resampled, since their slices are not
        independent; without it each image is resampled on its own, as published.
    resamples, seed, confidence : optional
        Of the percentile interval; `defaults` without them.

    Returns
    -------
    Estimate
        `value` is over all images. `p` tests r = 0, two-sided: without `groups` by Student's t
        with n - 2 degrees of freedom; with `groups` by the share of resamples on the other side
        of 0 (`bootstrap.bootstrap_p`), whose smallest value is 2 / (resamples + 1), or 2^(1 - k)
        with k subjects where that is larger. Everything is
        NaN for fewer than 3 images, or if x or y is constant (`sums.CONSTANT`); interval and p are
        NaN for fewer than 2 subjects.

    Raises
    ------
    ShapeError, SettingsError
        If lengths differ, a value is infinite or an option makes no sense.
    """
    arrays, codes = check_vectors(groups, x=x, y=y)
    x, y = arrays["x"], arrays["y"]
    return _correlate(x, y, codes, groups is None, options(resamples, confidence, seed))


def spearman(
    x,
    y,
    groups=None,
    resamples: int | None = None,
    seed: int | None = None,
    *,
    confidence: float | None = None,
) -> Estimate:
    """Spearman rank correlation with a cluster-bootstrap interval.

    Ties share their mean rank. Each resample is ranked anew, weights and all, so the interval is
    that of the rank correlation itself and not of the first ranks' linear correlation. Parameters,
    p-value, NaN and errors are as for `pearson`.
    """
    arrays, codes = check_vectors(groups, x=x, y=y)
    x, y = arrays["x"], arrays["y"]
    chosen = options(resamples, confidence, seed)
    return _correlate(x, y, codes, groups is None, chosen, ranked=True)


def _correlate(x, y, codes, by_image, chosen, ranked=False) -> Estimate:
    resamples, confidence, seed = chosen
    both = np.stack([x, y], axis=1)
    draws = cluster_weights(codes, resamples, seed, values=both)
    drawn = sums.correlation(sums.moments(draws, both))
    if np.isnan(drawn[0]):
        return Estimate(NAN)
    if ranked:
        groups = len(draws.labels)
        weights = np.concatenate([np.ones((1, groups), dtype=int), draws.weights])
        known, step = len(drawn) if groups > 1 else 1, max(1, _BUDGET // len(x))
        for b in range(0, known, step):
            chosen = slice(b, min(b + step, known))
            drawn[chosen] = _ranked(x, y, weights[chosen, codes])
    found = sums.estimate(drawn, confidence=confidence, null=0.0, clusters=len(draws.labels))
    return replace(found, p=_student_p(found.value, len(x))) if by_image else found


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


def _student_p(r: float, n: int) -> float:
    """Two-sided p of r = 0 by the exact distribution of r for a normal sample."""
    half = n / 2 - 1
    return float(2 * stats.beta.cdf(-abs(r), half, half, loc=-1, scale=2))
