"""Reliability of two or more measurements of the same things."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from ..arrays import SettingsError, ShapeError
from .estimate import NAN, Estimate, check_vectors
from .options import options

__all__ = ["BlandAltman", "bland_altman", "icc21"]


@dataclass(frozen=True)
class BlandAltman:
    """Bias of one measurement against another and its limits of agreement.

    Attributes
    ----------
    bias : float
        Mean difference ``a - b``, in the unit of the measurements.
    low, high : float
        Limits of agreement, ``bias -+ 1.96 sd`` for 95 %.
    sd : float
        Standard deviation of the differences (divided by n - 1).
    n : int
        Pairs that took part.
    bias_interval, low_interval, high_interval : tuple of float
        Confidence intervals of bias and limits (Bland and Altman 1999, section 2.2).

    NaN where undefined.
    """

    bias: float
    low: float
    high: float
    sd: float
    n: int
    bias_interval: tuple[float, float] = (NAN, NAN)
    low_interval: tuple[float, float] = (NAN, NAN)
    high_interval: tuple[float, float] = (NAN, NAN)


def bland_altman(a, b, *, confidence: float | None = None) -> BlandAltman:
    """Bias and limits of agreement of two measurements.

    Parameters
    ----------
    a, b : array-like of float, (n,)
        Two measurements of the same things, in one unit; pairs with a NaN are left out.
    confidence : float, optional
        Share of differences between the limits, and confidence of the intervals; `defaults`
        without it.

    Returns
    -------
    BlandAltman
        Limits are NaN with fewer than 2 pairs, the bias with none. The differences are taken as
        independent; several slices of a subject make the intervals too narrow.

    Raises
    ------
    ShapeError, SettingsError
        If lengths differ or a value is infinite.
    """
    _, confidence, _ = options(None, confidence)
    arrays, _ = check_vectors(a=a, b=b)
    difference = arrays["a"] - arrays["b"]
    n = len(difference)
    if n == 0:
        return BlandAltman(NAN, NAN, NAN, NAN, 0)
    bias = float(difference.mean())
    if n < 2:
        return BlandAltman(bias, NAN, NAN, NAN, n)
    sd = float(difference.std(ddof=1))
    z = float(stats.norm.ppf(0.5 + confidence / 2))
    t = float(stats.t.ppf(0.5 + confidence / 2, n - 1))
    of_bias = t * sd / np.sqrt(n)
    of_limit = t * sd * np.sqrt(1 / n + z**2 / (2 * (n - 1)))

    def around(value: float, width: float) -> tuple[float, float]:
        return float(value - width), float(value + width)

    low, high = around(bias, z * sd)
    return BlandAltman(
        bias, low, high, sd, n, around(bias, of_bias), around(low, of_limit), around(high, of_limit)
    )


def icc21(ratings, *, confidence: float | None = None) -> Estimate:
    """Intraclass correlation ICC(2,1): two-way random effects, absolute agreement, one rater.

    Shrout and Fleiss 1979; the interval is that of McGraw and Wong 1996 for ICC(A,1).

    Parameters
    ----------
    ratings : array-like of float, (n, k)
        n things (rows) measured by k raters or methods (columns); rows with a NaN are left out.
    confidence : float, optional
        Of the interval; `defaults` without it.

    Returns
    -------
    Estimate
        `p` is that of the F test between things (ICC = 0). NaN with fewer than 2 rows or columns
        or without any variance; with perfect agreement value and interval are 1. The interval's
        approximate degrees of freedom can vanish with very few rows: where its limits then miss
        the value, they are NaN.

    Raises
    ------
    ShapeError, SettingsError
        If the array has no two axes or holds infinite values.
    """
    _, confidence, _ = options(None, confidence)
    ratings = np.asarray(ratings, dtype=np.float64)
    if ratings.ndim != 2:
        raise ShapeError(
            f"ratings: expected (things, raters), got shape {ratings.shape}; a tidy frame becomes "
            "that by frame.pivot."
        )
    if np.isinf(ratings).any():
        raise SettingsError("ratings: hold infinite values; replace them by NaN to leave them out.")
    ratings = ratings[~np.isnan(ratings).any(axis=1)]
    n, k = ratings.shape
    if n < 2 or k < 2:
        return Estimate(NAN)
    ratings = ratings - ratings.mean()
    total = (ratings**2).sum()
    rows, columns = ratings.mean(axis=1), ratings.mean(axis=0)
    things = k * (rows**2).sum() / (n - 1)
    raters = n * (columns**2).sum() / (k - 1)
    rest = ((ratings - rows[:, None] - columns) ** 2).sum() / ((n - 1) * (k - 1))
    if total <= 1e-24 * n * k or np.ptp(ratings) == 0:
        return Estimate(NAN)
    value = (things - rest) / (things + (k - 1) * rest + k * (raters - rest) / n)
    if rest <= 1e-26 * total and raters <= 1e-26 * total:
        return Estimate(1.0, 1.0, 1.0, 0.0)
    if rest <= 1e-26 * total:  # raters differ by a constant only
        return Estimate(float(value), NAN, NAN, 0.0)
    p = stats.f.sf(things / rest, n - 1, (n - 1) * (k - 1))
    ratio = raters / rest
    part = n * (1 + (k - 1) * value) - k * value
    freedom = (k - 1) * (n - 1) * (k * value * ratio + part) ** 2
    freedom /= (n - 1) * k**2 * value**2 * ratio**2 + part**2
    upper = stats.f.ppf(0.5 + confidence / 2, n - 1, freedom)
    lower = stats.f.ppf(0.5 + confidence / 2, freedom, n - 1)
    spread = k * raters + (k * n - k - n) * rest
    with np.errstate(invalid="ignore"):  # `upper` is infinite with next to no degrees of freedom
        low = n * (things - upper * rest) / (upper * spread + n * things)
    high = n * (lower * things - rest) / (spread + n * lower * things)
    if not low <= value <= high:  # there both limits run to one place beside the value
        low = high = NAN
    return Estimate(float(value), float(low), float(high), float(p))
