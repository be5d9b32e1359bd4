"""How much of the raters' disagreement each kind of uncertainty explains."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from .bootstrap import cluster_sums, draw_weights, percentile_interval
from .estimate import NAN, check_options, check_vectors

__all__ = ["VariancePartition", "variance_partition", "variance_partition_table"]

_PARTS = (
    "epistemic",
    "aleatoric",
    "joint",
    "unique_epistemic",
    "unique_aleatoric",
    "shared",
)


@dataclass(frozen=True)
class VariancePartition:
    """Fractions of a variance (1 = all of it) that two predictors explain.

    Attributes
    ----------
    epistemic, aleatoric : float
        R² of the regression on that predictor alone. These, times 100, are the columns of
        roshanzamir2023's Table 5.
    joint : float
        R² of the regression on both.
    unique_epistemic, unique_aleatoric : float
        What the predictor adds to the other: ``joint`` minus the other's R².
    shared : float
        ``epistemic + aleatoric - joint``: what either explains as well as the other. Negative
        where one predictor sharpens the other (suppression).

    NaN where undefined.
    """

    epistemic: float
    aleatoric: float
    joint: float
    unique_epistemic: float
    unique_aleatoric: float
    shared: float


def variance_partition(y, epistemic, aleatoric) -> VariancePartition:
    """Partition the variance of `y` by ordinary least squares on one and on both predictors.

    Parameters
    ----------
    y : array-like of float, (n,)
        What is to be explained: the images' GT entropy. Entries with a NaN anywhere are left out.
    epistemic, aleatoric : array-like of float, (n,)
        The images' uncertainties.

    Returns
    -------
    VariancePartition
        All NaN for fewer than 4 entries or a constant `y`. A constant predictor explains 0, and
        of two predictors on one line the second adds nothing.

    Raises
    ------
    ShapeError, SettingsError
        If lengths differ or a value is infinite.
    """
    arrays, _ = check_vectors(y=y, epistemic=epistemic, aleatoric=aleatoric)
    fractions = _fractions(_products(arrays).sum(axis=0))
    return VariancePartition(*(float(f) for f in fractions))


def variance_partition_table(
    y,
    epistemic,
    aleatoric,
    groups=None,
    resamples: int = 2000,
    seed: int = 0,
    *,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """`variance_partition` with percentile intervals from resampling subjects.

    An R² cannot fall below 0, so that of a resample leans upwards and an interval near 0 leaves 0
    out even where nothing is explained: whether a predictor explains anything is for the interval
    of its correlation to say.

    Parameters
    ----------
    y, epistemic, aleatoric : array-like of float, (n,)
        As for `variance_partition`.
    groups : array-like, (n,), optional
        Subject of each image; without it images are resampled.
    resamples, seed, confidence
        As for `pearson`.

    Returns
    -------
    pandas.DataFrame
        One row per part (the attributes of `VariancePartition`, in order): ``part``, ``value``,
        ``low``, ``high``, as fractions.

    Raises
    ------
    ShapeError, SettingsError
        As `variance_partition`, and if an option makes no sense.
    """
    check_options(resamples, confidence)
    arrays, codes = check_vectors(groups, y=y, epistemic=epistemic, aleatoric=aleatoric)
    products = _products(arrays)
    values = asdict(VariancePartition(*(float(f) for f in _fractions(products.sum(axis=0)))))
    clusters = int(codes.max()) + 1 if len(codes) else 0
    intervals = [(NAN, NAN)] * len(_PARTS)
    if clusters >= 2:
        sums = cluster_sums(codes, clusters, products.T)
        replicates = _fractions(draw_weights(clusters, resamples, seed) @ sums)
        intervals = [percentile_interval(r, confidence) for r in replicates]
    return pd.DataFrame(
        {
            "part": _PARTS,
            "value": [values[part] for part in _PARTS],
            "low": [low for low, _ in intervals],
            "high": [high for _, high in intervals],
        }
    )


def _products(arrays) -> np.ndarray:
    """Per entry: 1, the three variables (centred, scaled) and their products, ``(n, 10)``."""
    columns = []
    for values in arrays.values():
        centred = values - values.mean() if len(values) else values
        largest = np.abs(centred).max(initial=0.0)
        level = np.abs(values).max(initial=0.0)
        columns.append(centred / largest if largest > 1e-13 * level else np.zeros(len(values)))
    y, e, a = columns
    ones = np.ones(len(y))
    return np.stack([ones, y, e, a, y * y, e * e, a * a, y * e, y * a, e * a], axis=1)


def _fractions(sums) -> tuple[np.ndarray, ...]:
    """The six fractions from sums of `_products` along the last axis."""
    n, y, e, a, yy, ee, aa, ye, ya, ea = np.moveaxis(np.asarray(sums, dtype=np.float64), -1, 0)
    safe = np.where(n > 0, n, 1.0)
    yy, ee, aa = yy - y * y / safe, ee - e * e / safe, aa - a * a / safe
    ye, ya, ea = ye - y * e / safe, ya - y * a / safe, ea - e * a / safe
    floor = 1e-12 * safe
    r_e = _ratio(ye, np.sqrt(np.maximum(yy * ee, 0)), (ee > floor) & (yy > floor))
    r_a = _ratio(ya, np.sqrt(np.maximum(yy * aa, 0)), (aa > floor) & (yy > floor))
    r_ea = _ratio(ea, np.sqrt(np.maximum(ee * aa, 0)), (ee > floor) & (aa > floor))
    one, other = r_e**2, r_a**2
    apart = 1 - r_ea**2
    joint = _ratio(one + other - 2 * r_e * r_a * r_ea, apart, apart > 1e-10)
    joint = np.where(apart > 1e-10, joint, np.maximum(one, other))
    joint = np.clip(joint, np.maximum(one, other), 1.0)
    parts = one, other, joint, joint - other, joint - one, one + other - joint
    defined = (n >= 4) & (yy > floor)
    return tuple(np.where(defined, part, NAN) for part in parts)


def _ratio(a, b, where) -> np.ndarray:
    return np.divide(a, b, out=np.zeros(np.shape(a)), where=where)
