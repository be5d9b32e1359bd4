"""Variance partition: shares of the raters' disagreement that uncertainties explain."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import pandas as pd

from . import sums
from .bootstrap import cluster_weights
from .estimate import check_vectors
from .options import options

__all__ = ["VariancePartition", "variance_partition", "variance_partition_table"]


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
        All NaN for fewer than 4 entries or a constant `y`; constant and collinear predictors as in
        `sums.r_squared`.

    Raises
    ------
    ShapeError, SettingsError
        If lengths differ or a value is infinite.
    """
    table = variance_partition_table(y, epistemic, aleatoric, resamples=1)
    return VariancePartition(*table["value"])


def variance_partition_table(
    y,
    epistemic,
    aleatoric,
    groups=None,
    resamples: int | None = None,
    seed: int | None = None,
    *,
    confidence: float | None = None,
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
    resamples, confidence, seed = options(resamples, confidence, seed)
    arrays, codes = check_vectors(groups, y=y, epistemic=epistemic, aleatoric=aleatoric)
    columns = np.stack(list(arrays.values()), axis=1)
    draws = cluster_weights(codes, resamples, seed, values=columns)
    one, other, joint = sums.shares(draws, columns)
    parts = one, other, joint, joint - other, joint - one, one + other - joint
    found = [sums.estimate(part, confidence=confidence) for part in parts]
    return pd.DataFrame(
        {
            "part": [field.name for field in fields(VariancePartition)],
            "value": [part.value for part in found],
            "low": [part.low for part in found],
            "high": [part.high for part in found],
        }
    )
