"""Error detection by uncertainty: average precision, AUROC, curves over pooled voxels.

Positive is a misclassified voxel, the score its uncertainty (Mobiny 2021, as in roshanzamir2023).
Voxels with the same score form one threshold.

Up to about a million voxels are kept and sorted. Beyond that `ErrorDetection` counts them in bins
(`paraspine.metrics.bins`), which is far faster and takes the same memory however many there are.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..arrays import LabelError, SettingsError, check_same_shape
from .bins import BinCounts, Bins, bins_of
from .thresholds import Thresholds, sorted_thresholds

__all__ = ["ErrorDetection", "average_precision"]

#: Up to this many voxels are kept as they are, so that small cohorts get exact values.
_KEPT = 1 << 20
#: Voxels counted at a time.
_CHUNK = 1 << 16


def average_precision(uncertainty, error) -> float:
    """Average precision of uncertainty as a detector of errors (AUC-PR).

    ``sum_k (recall_k - recall_{k-1}) precision_k`` over the thresholds ``k`` from the highest
    score down, without interpolation, as in scikit-learn.

    Parameters
    ----------
    uncertainty : array-like of float, any shape
        The higher, the likelier an error. NaN (unseen) is left out. Compared in float32.
    error : array-like of bool, the same shape
        True where the voxel is misclassified.

    Returns
    -------
    float
        From 0 to 1; chance level is the share of errors. NaN without any error. Exact up to
        1,048,576 voxels; beyond that see `ErrorDetection`.

    Raises
    ------
    ShapeError
        If the shapes differ.
    LabelError
        If `error` is not made of true and false.
    """
    return ErrorDetection().update(uncertainty, error).average_precision()


class ErrorDetection:
    """Detection of errors by uncertainty over any number of images, in bounded memory.

    Scores may have any value, of both signs and infinite too; they are compared in float32. The
    order in which images come makes no difference, and merged accumulators equal one that saw
    everything.

    With more than 1,048,576 voxels, scores of the same sixteenth of a bin can't be told apart.
    Where scores spread over several doublings, as entropies do, average precision over millions of
    voxels is right to about 1e-6; where they lie within a few per cent of each other it isn't:
    `bounds` gives the two values between which it lies for sure.

    Parameters
    ----------
    bins : int
        Bins for each doubling of the score once there are more than 1,048,576 voxels, a power of
        two from 16 to 16,384. Each takes 4 kB for scores up to 4, as entropies are (8 MiB in all
        at the default of 2,048), 8 kB for scores of any size, and as much again for negative ones.

    Attributes
    ----------
    left_out : int
        Voxels left out because their score was NaN (unseen).
    """

    def __init__(self, bins: int = 2048):
        if isinstance(bins, bool) or bins not in {1 << k for k in range(4, 15)}:
            raise SettingsError(
                f"bins: expected a power of two from 16 to 16384 (bins per doubling of the "
                f"score), got {bins!r}."
            )
        self.bins = int(bins)
        self.left_out = 0
        self._kept: list[tuple[np.ndarray, np.ndarray]] = []
        self._counts: BinCounts | None = None
        self._found: Thresholds | None = None

    def update(self, uncertainty, error, *, where=None) -> ErrorDetection:
        """Take in voxels; returns itself.

        Parameters
        ----------
        uncertainty : array-like of float, any shape
            The higher, the likelier an error. NaN (unseen) is left out and counted.
        error : array-like of bool, the same shape
            True where the voxel is misclassified.
        where : array-like of bool, the same shape, optional
            Voxels that count; all if left out.

        Raises
        ------
        ShapeError
            If the shapes differ.
        LabelError
            If `error` is not made of true and false.
        """
        uncertainty, error = _check(uncertainty, error)
        if where is not None:
            where = np.asarray(where, dtype=bool)
            check_same_shape(where, error, names=("where", "error"))
            uncertainty, error = uncertainty[where], error[where]
        uncertainty, error = uncertainty.reshape(-1), error.reshape(-1)
        for start in range(0, error.size, _CHUNK):
            with np.errstate(over="ignore"):
                scores = uncertainty[start : start + _CHUNK].astype(np.float32)
            self._take(scores, error[start : start + _CHUNK])
        return self

    def _take(self, scores: np.ndarray, error: np.ndarray) -> None:
        unseen = np.isnan(scores)
        if unseen.any():
            self.left_out += int(np.count_nonzero(unseen))
            scores, error = scores[~unseen], error[~unseen]
        self._found = None
        if self._counts is None:
            self._kept.append((scores, error.copy()))
            if sum(len(kept) for kept, _ in self._kept) > _KEPT:
                self._start_counting()
        else:
            self._counts.count(scores, error)

    def _start_counting(self) -> None:
        self._counts = BinCounts(self.bins)
        for scores, error in self._kept:
            self._counts.count(scores, error)
        self._kept = []

    def merge(self, other: ErrorDetection) -> ErrorDetection:
        """Take in what another one has counted. Returns itself.

        Raises
        ------
        SettingsError
            If the numbers of bins differ.
        """
        if other.bins != self.bins:
            raise SettingsError(
                f"bins: expected {self.bins} in both to merge them, got {other.bins}."
            )
        self.left_out += other.left_out
        self._found = None
        if other._counts is None:
            for scores, error in list(other._kept):
                self._take(scores, error)
            return self
        if self._counts is None:
            self._start_counting()
        self._counts.add(other._counts)
        return self

    def binned(self) -> Bins:
        """Errors and correct voxels in the occupied bins, from the highest score down."""
        return (
            bins_of(*self._together(), self.bins) if self._counts is None else self._counts.read()
        )

    def thresholds(self) -> Thresholds:
        """Errors and correct voxels at each threshold, from the highest score down."""
        if self._found is None:
            if self._counts is None:
                self._found = sorted_thresholds(*self._together())
            else:
                bins = self._counts.read()
                self._found = Thresholds(bins.errors, bins.correct, bins.parts)
        return self._found

    def _together(self) -> tuple[np.ndarray, np.ndarray]:
        """The voxels kept so far, lowest score first and correct before error."""
        if not self._kept:
            return np.zeros(0, np.float32), np.zeros(0, bool)
        scores, error = (np.concatenate(a) for a in zip(*self._kept, strict=True))
        order = np.lexsort((error, scores))
        self._kept = [(scores[order], error[order])]
        return self._kept[0]

    def prevalence(self) -> float:
        """Share of errors, the chance level of average precision; NaN without any voxel."""
        return self.thresholds().prevalence()

    def average_precision(self) -> float:
        """Average precision of the voxels so far (see the function of that name)."""
        return self.thresholds().average_precision()

    def bounds(self) -> tuple[float, float]:
        """Lowest and highest average precision that the counted voxels allow.

        The order of voxels within a bin is unknown, but for that of zeros: correct ones first, or
        errors first. Both are the exact value up to 1,048,576 voxels.
        """
        tied = True if self._counts is None else self._counts.read().place == 0
        return self.thresholds().bounds(tied)

    def auroc(self) -> float:
        """Chance that an error has a higher score than a correct voxel, ties counted half.

        NaN without any error or without any correct voxel.
        """
        return self.thresholds().auroc()

    def precision_recall(self, points: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Recall and precision, one point a threshold, from the highest score down.

        Parameters
        ----------
        points : int, optional
            Keep about this many, evenly over recall, the ends among them.

        Returns
        -------
        tuple of two numpy.ndarray of float64
            Recall, never falling, and precision. Empty without any error.
        """
        return self.thresholds().precision_recall(points)

    def accuracy_retention(self, points: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Accuracy of the least uncertain voxels over the share of voxels kept.

        Parameters
        ----------
        points : int, optional
            Keep about this many, evenly over the share, the ends among them.

        Returns
        -------
        tuple of two numpy.ndarray of float64
            Share kept, rising to 1, and accuracy of what is kept. Empty without any voxel.
        """
        return self.thresholds().accuracy_retention(points)

    def to_arrays(self) -> dict[str, np.ndarray]:
        """All that was seen as arrays for an ``.npz`` file: voxels, or occupied bins."""
        arrays = {"bins": np.array(self.bins), "left_out": np.array(self.left_out)}
        if self._counts is None:
            scores, error = self._together()
            return arrays | {"scores": scores, "error": np.packbits(error)}
        bins = self._counts.read()
        return arrays | {
            "place": bins.place.astype(np.int32),
            "errors": _small(bins.errors),
            "correct": _small(bins.correct),
            "occupied": bins.occupied,
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> ErrorDetection:
        """Read what `to_arrays` gave."""
        found = cls(int(arrays["bins"]))
        found.left_out = int(arrays["left_out"])
        if "scores" in arrays:
            scores = np.asarray(arrays["scores"])
            error = np.unpackbits(np.asarray(arrays["error"]), count=len(scores)).astype(bool)
            found._kept = [(scores, error)]
        else:
            found._counts = BinCounts(found.bins)
            found._counts.put(
                Bins(*(arrays[k] for k in ("place", "errors", "correct", "occupied")))
            )
        return found


def _small(counts: np.ndarray) -> np.ndarray:
    return counts.astype(np.min_scalar_type(int(counts.max(initial=0))))


def _check(uncertainty, error) -> tuple[np.ndarray, np.ndarray]:
    uncertainty, error = np.asarray(uncertainty), np.asarray(error)
    check_same_shape(uncertainty, error, names=("uncertainty", "error"))
    if error.dtype.kind != "b":
        if error.dtype.kind not in "iuf" or not np.isin(error, (0, 1)).all():
            raise LabelError("error: expected true or false for every voxel.")
        error = error.astype(bool)
    return uncertainty, error
