"""Intervals by resampling clusters: whole subjects are drawn with replacement, never slices."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from ..arrays import SettingsError, ShapeError
from .estimate import NAN, Estimate, check_columns
from .options import options

__all__ = [
    "ClusterWeights",
    "bca_interval",
    "bootstrap_p",
    "cluster_bootstrap",
    "cluster_weights",
    "percentile_interval",
]


@dataclass(frozen=True)
class ClusterWeights:
    """Bootstrap draws: how often each cluster is in each resample.

    Attributes
    ----------
    labels : numpy.ndarray, (G,)
        The clusters, in the order of first appearance.
    codes : numpy.ndarray of int, (n,)
        Which cluster each entry belongs to.
    weights : numpy.ndarray of int, (B, G)
        Draws; each row sums to G.
    """

    labels: np.ndarray
    codes: np.ndarray
    weights: np.ndarray


def cluster_weights(
    groups, resamples: int | None = None, seed: int | None = None, *, values=None
) -> ClusterWeights:
    """Draw G of G clusters with replacement, `resamples` times.

    The same groups, values and seed give the same draws, so that statistics computed from them
    (`sums`) are resampled together.

    Parameters
    ----------
    groups : array-like, (n,)
        Which cluster each entry belongs to, such as the subject of a slice.
    resamples : int, optional
        Number of resamples B; `defaults` without it.
    seed : int, optional
        Makes the draws; `defaults` without it.
    values : array-like of float, (n,) or (n, K), optional
        What is resampled. The draws go to the clusters by how far their values are from the mean
        (`by_content`), so that neither names nor the order of the entries change an interval;
        without it, in the order of appearance.

    Raises
    ------
    SettingsError
        If `resamples` is not positive or a group is missing.
    """
    resamples, _, seed = options(resamples, None, seed)
    labels = np.asarray(groups)
    if labels.ndim != 1:
        raise ShapeError(f"groups: expected one dimension, got shape {labels.shape}.")
    if pd.isna(labels).any():
        raise SettingsError("groups: expected a group for every entry, got missing values.")
    codes, names = pd.factorize(labels)
    weights = np.zeros((resamples, 0), dtype=np.int64)
    if size := len(names):
        generator = np.random.default_rng(seed)
        weights = generator.multinomial(size, np.full(size, 1 / size), size=resamples)
        if values is not None:
            weights[:, by_content(codes, values)] = weights.copy()
    return ClusterWeights(np.asarray(names), codes, weights)


def by_content(codes: np.ndarray, values) -> np.ndarray:
    """Clusters (numbers) in the order of the sums of their values about the mean ``(G,)``.

    Their magnitudes, as shares of the largest, are added up over columns, so that units, signs and
    the order of columns make no difference. Ties follow squares about the mean, then how columns
    go together, then sums.
    """
    values = np.asarray(values, dtype=np.float64).reshape(len(codes), -1)
    finite = np.where(np.isfinite(values), values, 0.0)
    centred = finite - finite.mean(axis=0)
    sums, squares = (
        np.stack([np.bincount(codes, c) for c in v.T]) for v in (centred, np.square(centred))
    )
    keys = []
    for distance in (squares, np.abs(sums)):
        most = distance.max(axis=1, keepdims=True)
        shares = np.divide(distance, most, out=np.zeros_like(distance), where=most > 0)
        keys.append(shares.sum(axis=0).round(9))
    most = np.abs(centred).max(axis=0)
    mixed = np.divide(centred, most, out=np.zeros_like(centred), where=most > 0)
    mixed = np.square(mixed @ np.sqrt(2 + np.arange(len(sums))))  # tells pairs of values apart
    paired = np.bincount(codes, mixed).round(9)
    return np.lexsort([*sums[::-1], paired, *keys])


def percentile_interval(replicates, confidence: float | None = None) -> tuple[float, float]:
    """Percentile interval of bootstrap replicates.

    NaN replicates (a resample in which the statistic is undefined) are left out; if they are more
    than half, the interval is NaN. Infinite replicates take part.
    """
    _, confidence, _ = options(None, confidence)
    replicates = np.asarray(replicates, dtype=np.float64)
    kept = np.sort(replicates[~np.isnan(replicates)])
    if len(kept) == 0 or 2 * len(kept) < len(replicates):
        return NAN, NAN
    tail = (1 - confidence) / 2
    if np.isinf(kept).any():  # no interpolation between a number and infinity
        position = np.array([tail, 1 - tail]) * (len(kept) - 1)
        low, high = kept[int(np.floor(position[0]))], kept[int(np.ceil(position[1]))]
    else:
        low, high = np.quantile(kept, [tail, 1 - tail])
    return float(low), float(high)


def bca_interval(
    value: float, replicates, jackknife, confidence: float | None = None
) -> tuple[float, float]:
    """Bias-corrected and accelerated interval (BCa; Efron 1987).

    For statistics that a resample shifts, such as a mean over a standard deviation, which
    duplicates make too small: a percentile interval inherits the shift.

    Parameters
    ----------
    value : float
        The statistic of all the data.
    replicates : array-like of float, (B,)
        Of the resamples; NaN (undefined) is left out.
    jackknife : array-like of float, (G,)
        Of the data without each cluster in turn; NaN is left out.
    confidence : float, optional
        Of the interval; `defaults` without it.

    Returns
    -------
    low, high : float
        NaN if more than half of the replicates are undefined, if those that aren't are all the
        same, if `value` lies beyond all of them, or if fewer than two of `jackknife` are defined.
    """
    _, confidence, _ = options(None, confidence)
    replicates, jackknife = (np.asarray(v, dtype=np.float64) for v in (replicates, jackknife))
    kept = replicates[~np.isnan(replicates)]
    left = jackknife[~np.isnan(jackknife)]
    if 2 * len(kept) < len(replicates) or len(left) < 2 or np.ptp(kept) == 0:
        return NAN, NAN
    tied = np.isclose(kept, value, rtol=1e-9, atol=1e-12 * np.abs(kept).max())  # but for rounding
    below = ((kept < value) & ~tied).mean() + tied.mean() / 2
    if not 0 < below < 1:
        return NAN, NAN
    change = left.mean() - left
    spread = (change**2).sum() ** 1.5
    acceleration = (change**3).sum() / (6 * spread) if spread > 0 else 0.0
    bias = stats.norm.ppf(below)
    ends = bias + stats.norm.ppf([(1 - confidence) / 2, (1 + confidence) / 2])
    low, high = np.quantile(kept, stats.norm.cdf(bias + ends / (1 - acceleration * ends)))
    return float(low), float(high)


def bootstrap_p(replicates, null: float = 0.0, clusters: int | None = None) -> float:
    """Two-sided p-value: twice the share of replicates on the rarer side of `null`.

    Both counts are raised by one, so the smallest p is ``2 / (B + 1)``; it is below
    ``1 - confidence`` about when the percentile interval leaves `null` out. Resampling few
    clusters cannot show more than they hold: by chance all of k lie on one side of `null` in
    ``2 ** (1 - k)`` of all cases, and p is never below that where `clusters` is given.
    """
    replicates = np.asarray(replicates, dtype=np.float64)
    kept = replicates[~np.isnan(replicates)]
    if len(kept) == 0 or 2 * len(kept) < len(replicates):
        return NAN
    rarer = min((kept <= null).sum(), (kept >= null).sum())
    floor = 0.0 if clusters is None else 2.0 ** (1 - clusters)
    return float(min(1.0, max(floor, 2 * (rarer + 1) / (len(kept) + 1))))


def cluster_bootstrap(
    data,
    groups,
    statistic: Callable,
    resamples: int | None = None,
    seed: int | None = None,
    *,
    confidence: float | None = None,
    null: float | None = None,
) -> Estimate:
    """Percentile interval of any statistic, resampling clusters of rows.

    Parameters
    ----------
    data : pandas.DataFrame or array-like, (n, ...)
        The rows.
    groups : str or array-like, (n,), or None
        Cluster of each row: a column of the frame, or labels; None makes each row its own.
    statistic : callable
        Gets rows of the kind of `data` and returns a number; NaN means undefined. A cluster drawn
        twice stands in it twice.
    resamples, seed, confidence : optional
        As for `cluster_weights` and `percentile_interval`.
    null : float, optional
        Value against which the two-sided p is taken (`bootstrap_p`); without it p is NaN.

    Returns
    -------
    Estimate
        Value from all rows; NaN interval with fewer than 2 clusters or if more than half of the
        resamples are undefined.

    Raises
    ------
    SettingsError, ShapeError
        If options or groups do not fit.
    """
    resamples, confidence, seed = options(resamples, confidence, seed)
    frame = isinstance(data, pd.DataFrame)
    if isinstance(groups, str):
        check_columns(data, groups=groups)
        groups = data[groups].to_numpy()
    rows = data if frame else np.asarray(data)
    if groups is None:
        groups = np.arange(len(rows))
    if len(groups) != len(rows):
        raise ShapeError(f"groups: expected one per row, {len(rows)}, got {len(groups)}.")
    value = float(statistic(rows)) if len(rows) else NAN
    content = rows.select_dtypes("number") if frame else rows.reshape(len(rows), -1)
    draws = cluster_weights(groups, resamples, seed, values=content)
    if len(draws.labels) < 2:
        return Estimate(value)
    order = np.argsort(draws.codes, kind="stable")
    members = np.split(order, np.cumsum(np.bincount(draws.codes))[:-1])
    replicates = np.empty(resamples)
    for b, weights in enumerate(draws.weights):
        chosen = np.concatenate([members[g] for g in np.repeat(np.arange(len(weights)), weights)])
        replicates[b] = statistic(rows.iloc[chosen] if frame else rows[chosen])
    p = NAN if null is None else bootstrap_p(replicates, null, len(draws.labels))
    return Estimate(value, *percentile_interval(replicates, confidence), p)
