"""Curves and areas from errors and correct voxels counted at each threshold of a score."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import digamma

from ..arrays import SettingsError

__all__ = ["Thresholds", "precision_area", "roc_area", "sorted_thresholds"]


@dataclass(frozen=True)
class Thresholds:
    """Voxels at each threshold, from the highest score down.

    Attributes
    ----------
    errors, correct : numpy.ndarray of int64, (K,)
        Misclassified and correct voxels whose score lies at this threshold; never both 0.
    parts : numpy.ndarray of int, (K,)
        How many thresholds this one stands for, with its voxels spread evenly over them; 1 where
        all have the same score.
    """

    errors: np.ndarray
    correct: np.ndarray
    parts: np.ndarray

    def prevalence(self) -> float:
        """Share of errors; NaN without any voxel."""
        total = self.errors.sum() + self.correct.sum()
        return float(self.errors.sum() / total) if total else np.nan

    def average_precision(self) -> float:
        """``sum_k (recall_k - recall_{k-1}) precision_k``; NaN without any error."""
        kept = self.errors > 0  # only these add to the area
        rank = np.cumsum(self.errors + self.correct)[kept]
        return float(precision_area(self.errors[kept], self.correct[kept], self.parts[kept], rank))

    def bounds(self, tied=False) -> tuple[float, float]:
        """Lowest and highest average precision in any order within thresholds that aren't `tied`.

        Lowest with correct voxels first and each error a threshold of its own; highest with all
        errors first, as one.
        """
        errors, correct = self.errors.astype(float), self.correct.astype(float)
        above, before = np.cumsum(errors + correct), np.cumsum(errors) - errors
        total, start = errors.sum(), above - errors - correct
        equal = errors * (before + errors) / above
        if not total:
            return np.nan, np.nan
        late = start + correct
        # the sum of (before + i) / (late + i) over i = 1 ... errors
        lowest = errors - (late - before) * (digamma(late + errors + 1) - digamma(late + 1))
        highest = errors * (before + errors) / np.maximum(start + errors, 1)
        ends = (np.where(tied, equal, end) for end in (lowest, highest))
        low, high = (float(end.sum() / total) for end in ends)
        return low, high

    def auroc(self) -> float:
        """Area under the ROC curve; NaN without any error or any correct voxel."""
        return float(roc_area(self.errors, self.correct))

    def precision_recall(self, points: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Recall and precision at each threshold; see `ErrorDetection.precision_recall`."""
        found = np.cumsum(self.errors)
        if not len(found) or not found[-1]:
            return np.zeros(0), np.zeros(0)
        recall = found / found[-1]
        return _thin(recall, found / np.cumsum(self.errors + self.correct), points)

    def accuracy_retention(self, points: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Share kept and accuracy; see `ErrorDetection.accuracy_retention`."""
        if not len(self.errors):
            return np.zeros(0), np.zeros(0)
        right = np.cumsum(self.correct[::-1])
        kept = np.cumsum((self.errors + self.correct)[::-1])
        return _thin(kept / kept[-1], right / kept, points)


def precision_area(errors, correct, parts, rank=None, copies=1.0) -> np.ndarray:
    """Average precision from counts by threshold, highest score first: ``(..., K)`` to ``(...)``.

    A threshold with ``J`` parts holds ``e`` errors among ``v`` voxels, in an order that isn't
    known. An error in its part ``j`` has ``v j / J`` of its voxels down to the end of that part;
    one is the error itself, and the others are errors with chance ``(e - 1) / (v - 1)``. That
    gives the expected precision at this error, exact for ties (``J = 1``) and for voxels in random
    order (``J = v``). Where voxels were drawn several times, `copies` ``(..., K)`` is how often an
    error stands in its place on average, instead of 1. `parts` is ``(K,)``; `rank` the voxels down
    to each threshold, its own among them, if thresholds without errors were left out.
    """
    errors, correct = np.asarray(errors, np.float64), np.asarray(correct, np.float64)
    voxels = errors + correct
    rank = (np.cumsum(voxels, axis=-1) if rank is None else rank) - voxels
    before = np.cumsum(errors, axis=-1) - errors
    total = errors.sum(axis=-1)
    copies = np.broadcast_to(copies, errors.shape)
    spare = voxels - copies
    others = np.divide(errors - copies, spare, out=np.zeros(spare.shape), where=spare > 0)
    order = np.argsort(-parts, kind="stable")
    if (np.diff(parts) != 0).any():
        parts = parts[order]
        errors, voxels, rank, before, others, copies = (
            a[..., order] for a in (errors, voxels, rank, before, others, copies)
        )
    area = np.zeros(total.shape)
    for part in range(1, int(parts.max(initial=0)) + 1):
        n = np.count_nonzero(parts >= part)
        passed = np.maximum(voxels[..., :n] * (part / parts[:n]), copies[..., :n])
        precision = before[..., :n] + copies[..., :n] + others[..., :n] * (passed - copies[..., :n])
        precision /= rank[..., :n] + passed
        area += (precision * (errors[..., :n] / parts[:n])).sum(axis=-1)
    return np.divide(area, total, out=np.full(total.shape, np.nan), where=total > 0)


def roc_area(errors, correct) -> np.ndarray:
    """AUROC from counts by threshold, highest score first: ``(..., K)`` to ``(...)``."""
    errors, correct = np.asarray(errors, np.float64), np.asarray(correct, np.float64)
    wrong, right = errors.sum(axis=-1), correct.sum(axis=-1)
    lower = right[..., None] - np.cumsum(correct, axis=-1)
    pairs = (errors * (lower + correct / 2)).sum(axis=-1)
    full = wrong * right
    return np.divide(pairs, full, out=np.full(full.shape, np.nan), where=full > 0)


def _thin(x: np.ndarray, y: np.ndarray, points: int | None) -> tuple[np.ndarray, np.ndarray]:
    if points is None or len(x) <= points:
        return x, y
    if points < 2:
        raise SettingsError(f"points: expected at least 2, got {points!r}.")
    places = np.searchsorted(x, np.linspace(x[0], x[-1], points - 1)).clip(0, len(x) - 1)
    places = np.unique(np.append(places, [0, len(x) - 1]))
    return x[places], y[places]


def sorted_thresholds(scores: np.ndarray, error: np.ndarray) -> Thresholds:
    """Exact thresholds of scores that rise, ``(voxels,)`` each, without NaN."""
    first = np.flatnonzero(scores[1:] != scores[:-1]) + 1
    first = np.concatenate([[0], first]) if len(scores) else first
    wrong = np.add.reduceat(error, first, dtype=np.int64) if len(first) else first
    voxels = np.diff(first, append=len(scores))
    return Thresholds(wrong[::-1], (voxels - wrong)[::-1], np.ones(len(first), np.int64))
