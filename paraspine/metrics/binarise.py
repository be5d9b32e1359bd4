"""The threshold at which one class's probability becomes a mask, searched on validation images."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ..arrays import (
    SettingsError,
    ShapeError,
    check_label_map,
    check_probabilities,
    check_same_shape,
)

__all__ = ["ThresholdSearch", "binarise", "search_threshold"]


@dataclass(frozen=True, eq=False)
class ThresholdSearch:
    """Dice at each threshold; goes wherever a number does (``float(found)``).

    Attributes
    ----------
    value : float
        The threshold with the highest mean Dice; of several, the one nearest to 0.5, then the
        lower. 0.5 where no Dice is defined, as there is nothing to choose by.
    thresholds : numpy.ndarray of float64, (K,)
        Those that were tried.
    dice : numpy.ndarray of float64, (K,)
        Mean over images of the Dice at each threshold, NaN where it is undefined in all.
    images : int
        Images searched over.
    """

    value: float
    thresholds: np.ndarray
    dice: np.ndarray
    images: int

    def __float__(self) -> float:
        return self.value


def search_threshold(
    probabilities: Iterable, references: Iterable, *, step: float = 0.05
) -> ThresholdSearch:
    """The threshold of the foreground's probability with the highest mean Dice (lemay2022, 2.3.4).

    For tasks of one class beside background; with several, the most probable class is taken.
    Search on validation images: on test images the search would flatter what it measures.

    Parameters
    ----------
    probabilities : iterable of array-like, (2, *spatial) each
        Predictions, image by image; ``(N, 2, *spatial)`` is one. Voxels that are NaN (unseen) are
        left out.
    references : iterable of array-like of int, (*spatial) each
        Label maps of the same images.
    step : float
        Distance of the thresholds, which run from 0 to 1.

    Returns
    -------
    ThresholdSearch
        Dice at the threshold ``t`` is that of `binarise`. An image in which reference and
        prediction are empty has no Dice at that threshold and is left out of its mean.

    Raises
    ------
    ShapeError, LabelError, ProbabilityError
        If predictions and references don't fit.
    SettingsError
        If there is more than one class beside background, or `step` doesn't divide 1.
    """
    count = round(1 / step) if 0 < step <= 1 else 0
    if not count or abs(count * step - 1) > 1e-9:
        raise SettingsError(f"step: expected a number that divides 1, such as 0.05, got {step!r}.")
    thresholds = np.arange(count + 1) / count
    total, defined = np.zeros(count + 1), np.zeros(count + 1, np.int64)
    images = 0
    for image, reference in _together(probabilities, references):
        dice = _dice(_foreground(image), reference, thresholds)
        known = ~np.isnan(dice)
        total[known] += dice[known]
        defined += known
        images += 1
    mean = np.divide(total, defined, out=np.full(count + 1, np.nan), where=defined > 0)
    return ThresholdSearch(_best(thresholds, mean), thresholds, mean, images)


def binarise(probabilities, threshold) -> np.ndarray:
    """Foreground where its probability is above a threshold.

    Parameters
    ----------
    probabilities : array-like of float, (2, *spatial)
        Of background and the one class.
    threshold : float or ThresholdSearch
        From 0 to 1; 0.5 gives the most probable class, background where both are the same.

    Returns
    -------
    numpy.ndarray of uint8, (*spatial)
        Label map; 0 where the probabilities are NaN (unseen).

    Raises
    ------
    ProbabilityError
        If values are no probabilities.
    SettingsError
        If there is more than one class beside background, or the threshold is out of range.
    """
    number = float(threshold)
    if not 0 <= number <= 1:
        raise SettingsError(f"threshold: expected a number from 0 to 1, got {number!r}.")
    foreground = _foreground(probabilities)
    return (foreground > foreground.dtype.type(number)).astype(np.uint8)


def _foreground(probabilities) -> np.ndarray:
    probabilities = check_probabilities(probabilities)
    if len(probabilities) != 2:
        raise SettingsError(
            f"probabilities: expected background and one class, got {len(probabilities)} classes; "
            "with several, take the most probable one."
        )
    return probabilities[1]


def _together(probabilities, references):
    try:
        yield from zip(probabilities, references, strict=True)
    except ValueError as error:
        if "zip()" not in str(error):
            raise
        raise ShapeError(
            "probabilities and references: expected as many images in both."
        ) from error


def _dice(foreground: np.ndarray, reference, thresholds: np.ndarray) -> np.ndarray:
    """Dice of one image at each threshold: ``(K,)``."""
    reference = check_label_map(reference, 2, name="reference")
    check_same_shape(foreground, reference, names=("probabilities of one class", "reference"))
    seen = ~np.isnan(foreground)
    values, right = foreground[seen], reference[seen] == 1
    # How many thresholds lie below a voxel's probability, in its precision: 0 to K.
    below = np.searchsorted(thresholds.astype(foreground.dtype), values, side="left")
    size = len(thresholds) + 1
    predicted = np.bincount(below, minlength=size)[::-1].cumsum()[::-1][1:]
    hit = np.bincount(below[right], minlength=size)[::-1].cumsum()[::-1][1:]
    both = predicted + int(right.sum())
    return np.divide(2.0 * hit, both, out=np.full(len(thresholds), np.nan), where=both > 0)


def _best(thresholds: np.ndarray, dice: np.ndarray) -> float:
    if np.isnan(dice).all():
        return 0.5
    best = thresholds[dice >= np.nanmax(dice) - 1e-12]
    return float(best[np.abs(best - 0.5).round(9).argmin()])
