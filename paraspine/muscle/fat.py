"""Fat fraction of a muscle, and its Goutallier class."""

from __future__ import annotations

import numpy as np

from ..arrays import SettingsError, check_same_shape

__all__ = ["fat_fraction", "goutallier", "goutallier_agreement"]


def fat_fraction(fat, muscle, *, axis=None) -> float | np.ndarray:
    """Share of a muscle's area that is fat (baur2021).

    Parameters
    ----------
    fat : array-like of bool, (*spatial)
        Fatty tissue. Only what lies inside the muscle counts, so a model that draws fat
        elsewhere can't push the share above 1.
    muscle : array-like of bool, (*spatial)
        The whole muscle inside its fascia: muscle tissue and fat together.
    axis : int or tuple of int, optional
        Axes to count over; ``(1, 2)`` gives one number per slice of a volume. All if left out.

    Returns
    -------
    float, or numpy.ndarray of float64 where `axis` is given
        From 0 to 1; NaN where there is no muscle.

    Raises
    ------
    ShapeError
        If the shapes differ.
    """
    fat, muscle = np.asarray(fat, dtype=bool), np.asarray(muscle, dtype=bool)
    check_same_shape(fat, muscle, names=("fat", "muscle"))
    inside = np.asarray(np.count_nonzero(fat & muscle, axis=axis), float)
    whole = np.asarray(np.count_nonzero(muscle, axis=axis), float)
    share = np.divide(inside, whole, out=np.full(whole.shape, np.nan), where=whole > 0)
    return float(share) if share.ndim == 0 else share


def goutallier(fraction) -> int | np.ndarray:
    """Simplified Goutallier class of a fat fraction (Slabaugh 2012, as in baur2021).

    Class 1 (normal or mild) below 10 %, 2 (moderate) from 10 % to 50 %, both included, 3 (severe)
    above 50 %. A patient's class is that of the mean fraction over the slices.

    Parameters
    ----------
    fraction : float or array-like of float
        From 0 to 1.

    Returns
    -------
    int, or numpy.ndarray of float64 for an array
        1, 2 or 3; in an array NaN where the fraction is NaN.

    Raises
    ------
    SettingsError
        If a fraction isn't between 0 and 1, or a single one is NaN: it has no class.
    """
    fraction = np.asarray(fraction, dtype=float)
    unknown = np.isnan(fraction)
    if not ((fraction >= 0) & (fraction <= 1) | unknown).all():
        raise SettingsError(
            f"fraction: expected 0 to 1, got {np.nanmin(fraction):g} to {np.nanmax(fraction):g}; "
            "divide percent by 100."
        )
    classes = 1.0 + (fraction >= 0.1) + (fraction > 0.5)
    if fraction.ndim:
        return np.where(unknown, np.nan, classes)
    if unknown:
        raise SettingsError("fraction: expected 0 to 1, got NaN; without muscle there's no class.")
    return int(classes)


def goutallier_agreement(prediction, reference) -> tuple[float, np.ndarray]:
    """Share of patients whose class is right, and the table of classes.

    Parameters
    ----------
    prediction, reference : array-like of float, (N,)
        Fat fractions of the same patients, from 0 to 1. A patient who is NaN in either is left
        out.

    Returns
    -------
    tuple of float and numpy.ndarray of int64, (3, 3)
        The share (NaN without any patient) and how many patients of each class of the reference
        (rows) were given each class (columns).

    Raises
    ------
    ShapeError, SettingsError
        If the shapes differ or values are no fractions.
    """
    prediction, reference = (
        goutallier(np.atleast_1d(prediction)),
        goutallier(np.atleast_1d(reference)),
    )
    check_same_shape(prediction, reference, names=("prediction", "reference"))
    known = ~(np.isnan(prediction) | np.isnan(reference))
    table = np.zeros((3, 3), np.int64)
    rows, columns = (a[known].astype(int) - 1 for a in (reference, prediction))
    np.add.at(table, (rows, columns), 1)
    return (float(np.trace(table) / table.sum()) if table.sum() else np.nan), table
