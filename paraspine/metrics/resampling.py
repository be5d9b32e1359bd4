"""Error detection when images or subjects are drawn again, without seeing the voxels again."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..arrays import SettingsError, ShapeError
from .bins import Bins, count_parts
from .errors import ErrorDetection
from .thresholds import precision_area, roc_area

__all__ = ["resample_detection"]

#: Numbers worked on at a time.
_CHUNK = 1 << 18
#: A group counts for at most this many thresholds; more would cost time and change nothing.
_PARTS = 4


def resample_detection(
    parts: Sequence[ErrorDetection],
    weights,
    measure: str = "average_precision",
    *,
    groups: int = 4096,
) -> np.ndarray:
    """A measure of error detection for each of many resamples, of subjects for example.

    Parameters
    ----------
    parts : sequence of ErrorDetection
        One per unit that is drawn: a subject with all its images.
    weights : array-like of int, (B, len(parts))
        How often each unit was drawn in each resample; a row of ones gives the pooled value.
    measure : {"average_precision", "auroc", "prevalence"}
        What to compute.
    groups : int
        Neighbouring bins are joined into about this many groups of equal share of voxels, errors
        and log rank, inside which errors are taken to be spread evenly.

    Returns
    -------
    numpy.ndarray of float64, (B,)
        Within about 3e-4 of the measure over the voxels drawn (8 subjects of 3,000 voxels; 8e-5
        with 60,000), below the spread between resamples. NaN for a resample in which the measure
        is undefined.

    Raises
    ------
    ShapeError
        If weights don't fit.
    SettingsError
        If the measure is unknown, or the units have different numbers of bins.
    """
    if measure not in {"average_precision", "auroc", "prevalence"}:
        raise SettingsError(
            f"measure: expected average_precision, auroc or prevalence, got {measure!r}."
        )
    weights = np.asarray(weights)
    if weights.ndim != 2 or weights.shape[1] != len(parts) or not len(parts):
        raise ShapeError(
            f"weights: expected (resamples, {len(parts)}), one column per unit and at least one "
            f"unit, got shape {weights.shape}."
        )
    if weights.dtype.kind not in "iu" or (weights.size and weights.min() < 0):
        raise ShapeError("weights: expected whole numbers of at least 0.")
    if bins := {part.bins for part in parts} - {parts[0].bins}:
        raise SettingsError(f"bins: expected {parts[0].bins} in all units, got {sorted(bins)} too.")
    errors, correct, spread = _grouped([part.binned() for part in parts], groups)
    found = np.full(len(weights), np.nan)
    step = max(1, _CHUNK // max(1, errors.shape[1]))
    for start in range(0, len(weights), step):
        rows = slice(start, start + step)
        drawn = weights[rows].astype(np.float64)
        wrong, right = drawn @ errors, drawn @ correct
        if measure == "average_precision":
            copies = drawn**2 @ errors
            copies = np.divide(copies, wrong, out=np.ones(wrong.shape), where=wrong > 0)
            found[rows] = precision_area(wrong, right, spread, copies=copies)
        elif measure == "auroc":
            found[rows] = roc_area(wrong, right)
        else:
            total = (wrong + right).sum(axis=1)
            found[rows] = np.divide(
                wrong.sum(axis=1), total, out=np.full(len(total), np.nan), where=total > 0
            )
    return found


def _grouped(units: Sequence[Bins], groups: int):
    """Errors and correct voxels ``(units, groups)``, highest score first; parts ``(groups,)``."""
    below = np.concatenate([-unit.place for unit in units])
    below, place = np.unique(below, return_inverse=True)
    errors = np.bincount(place, np.concatenate([u.errors for u in units]), len(below))
    correct = np.bincount(place, np.concatenate([u.correct for u in units]), len(below))
    occupied = np.zeros(len(below), np.uint16)
    np.bitwise_or.at(occupied, place, np.concatenate([u.occupied for u in units]))
    group, first = _groups(errors, errors + correct, groups)
    tables = np.zeros((2, len(units), len(first)))
    ends = np.cumsum([len(unit.place) for unit in units])[:-1]
    for i, (unit, own) in enumerate(zip(units, np.split(place, ends), strict=True)):
        tables[0, i] = np.bincount(group[own], unit.errors, len(first))
        tables[1, i] = np.bincount(group[own], unit.correct, len(first))
    parts = count_parts(occupied)
    parts = np.add.reduceat(parts, first) if len(first) else parts
    return tables[0], tables[1], np.minimum(parts, _PARTS)


def _groups(errors: np.ndarray, voxels: np.ndarray, groups: int):
    """Join neighbouring bins: the group of each bin, and the first bin of each group."""
    if not len(voxels):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    # Even shares of voxels, of errors and of log rank, as precision moves fast at the first ranks.
    rank = np.cumsum(voxels)
    scales = [rank, np.cumsum(errors), np.log1p(rank)]
    scale = sum(v / max(v[-1], 1) for v in scales) / 3
    mass = np.diff(scale, prepend=0)
    # By the middle of a bin: by its start, a bin with an error would always end its group.
    new = np.diff(np.floor(groups * (scale - mass / 2)), prepend=-1) > 0
    alone = mass >= 1 / groups  # a bin that fills a group, many ties for example, keeps it
    new |= alone
    new[1:] |= alone[:-1]
    return np.cumsum(new) - 1, np.flatnonzero(new)
