"""Error detection when images or subjects are drawn again, without seeing the voxels again."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..arrays import SettingsError, ShapeError
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
        Within about 1e-5 of the measure over the voxels drawn, far below the spread between
        resamples. NaN for a resample in which the measure is undefined.

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
    errors, correct, spread = _grouped(parts, groups)
    found = np.full(len(weights), np.nan)
    step = max(1, _CHUNK // max(1, errors.shape[1]))
    for start in range(0, len(weights), step):
        rows = slice(start, start + step)
        drawn = weights[rows].astype(np.float64)
        wrong, right = drawn @ errors, drawn @ correct
        if measure == "average_precision":
            found[rows] = precision_area(wrong, right, spread)
        elif measure == "auroc":
            found[rows] = roc_area(wrong, right)
        else:
            total = (wrong + right).sum(axis=1)
            found[rows] = np.divide(
                wrong.sum(axis=1), total, out=np.full(len(total), np.nan), where=total > 0
            )
    return found


def _grouped(parts: Sequence[ErrorDetection], groups: int):
    """Errors and correct voxels ``(units, groups)``, highest score first; parts ``(groups,)``."""
    pooled = ErrorDetection(parts[0].bins)
    for part in parts:
        pooled.merge(part)
    places, errors, correct, spread = _table(pooled)
    # Even shares of voxels, of errors and of log rank, as precision moves fast at the first ranks.
    rank = np.cumsum(errors + correct)
    scales = [rank, np.cumsum(errors), np.log1p(rank)]
    scale = sum(v / max(v[-1], 1e-9) for v in scales) / 3 if len(rank) else np.zeros(0)
    mass = np.diff(scale, prepend=0)
    share = np.floor(groups * (scale - mass))
    alone = mass >= 1 / groups  # a bin that fills a group, many ties for example, keeps it
    new = np.diff(share, prepend=-1) > 0
    new |= alone
    new[1:] |= alone[:-1]
    first = np.flatnonzero(new)
    group = np.cumsum(new) - 1
    tables = np.zeros((2, len(parts), len(first)))
    for i, part in enumerate(parts):
        own, wrong, right, _ = _table(part)
        column = group[np.searchsorted(-places, -own)]
        tables[0, i] = np.bincount(column, wrong, minlength=len(first))
        tables[1, i] = np.bincount(column, right, minlength=len(first))
    spread = np.add.reduceat(spread, first) if len(first) else spread
    return tables[0], tables[1], np.minimum(spread, _PARTS)


def _table(detection: ErrorDetection):
    """Occupied bins from the highest score down: number, errors, correct voxels, parts."""
    arrays = detection.to_arrays()
    columns = []
    for side in ("above", "below"):
        place = arrays[f"{side}_bin"].astype(np.int64)
        bits = np.unpackbits(arrays[f"{side}_parts"], axis=1).sum(axis=1, dtype=np.int64)
        counts = (arrays[f"{side}_errors"], arrays[f"{side}_correct"])
        if side == "above":
            columns.append([a[::-1] for a in (place, *counts, bits)])
        else:
            columns.append([-1 - place, *counts, bits])
    return tuple(np.concatenate(pair) for pair in zip(*columns, strict=True))
