"""Does uncertainty find the errors? Average precision, AUROC and curves over pooled voxels.

Positive is a misclassified voxel, the score its uncertainty (Mobiny 2021, as in roshanzamir2023).
Voxels with the same score form one threshold.

`ErrorDetection` counts instead of sorting. A score's bin is the upper bits of its float32 pattern,
which grow with the score and give every doubling of it the same number of bins, so that scores
piled up near zero, as entropies are, are told apart as well as large ones. Which sixteenths of a
bin occur is kept too (one bit each): a bin with one occupied sixteenth is one threshold, so that
true ties stay ties, and a bin with several is taken for as many thresholds over which errors are
spread evenly.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..arrays import LabelError, SettingsError, check_same_shape
from .thresholds import Thresholds, sorted_thresholds

__all__ = ["ErrorDetection", "average_precision"]

#: Voxels counted at a time.
_CHUNK = 1 << 16
#: Up to this many voxels, sorting costs nothing and is exact.
_SORTED = 1 << 18
_PARTS = 16
_INFINITY = 0x7F800000


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
        262,144 voxels; beyond that counted in bins (`ErrorDetection`), within 1e-5.

    Raises
    ------
    ShapeError
        If the shapes differ.
    LabelError
        If `error` is not made of true and false.
    """
    uncertainty, error = _check(uncertainty, error)
    if uncertainty.size > _SORTED:
        return ErrorDetection().update(uncertainty, error).average_precision()
    with np.errstate(over="ignore"):
        scores = uncertainty.ravel().astype(np.float32)
    seen = ~np.isnan(scores)
    return sorted_thresholds(scores[seen], error.ravel()[seen]).average_precision()


class ErrorDetection:
    """Detection of errors by uncertainty over any number of images, in bounded memory.

    Scores may have any finite value or be infinite; they are compared in float32. The order in
    which images come makes no difference, and merged accumulators equal one that saw it all.

    Parameters
    ----------
    bins : int
        Bins for each doubling of the score, a power of two from 16 to 16,384. Each takes 4 kB for
        scores up to 4, as entropies are (8 MiB in all at the default of 2,048, with which average
        precision on scores piled up near zero is right to about 1e-7), 8 kB for scores of any
        size, and as much again for negative ones.

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
        self._above, self._below = _Table(), _Table()

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
                chunk = np.ascontiguousarray(uncertainty[start : start + _CHUNK], dtype=np.float32)
            self._count(chunk, error[start : start + _CHUNK])
        return self

    def _count(self, scores: np.ndarray, error: np.ndarray) -> None:
        bits = scores.view(np.uint32)
        if bits.max() > _INFINITY:  # a sign, or NaN
            seen = ~np.isnan(scores)
            self.left_out += int(np.count_nonzero(~seen))
            scores, error = scores[seen] + np.float32(0), error[seen]  # -0 + 0 = 0
            negative = scores < 0
            below = np.abs(scores[negative]).view(np.uint32)
            self._below.count(below, error[negative], self._shift)
            bits, error = scores[~negative].view(np.uint32), error[~negative]
        self._above.count(bits, error, self._shift)

    @property
    def _shift(self) -> int:
        return 23 - (self.bins.bit_length() - 1)

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
        self._above.add(other._above)
        self._below.add(other._below)
        return self

    def thresholds(self) -> Thresholds:
        """Errors and correct voxels at each occupied bin, from the highest score down."""
        above, below = self._above.occupied(), self._below.occupied()
        wrong, right, parts = (
            np.concatenate([a[::-1], b]) for a, b in zip(above[1:], below[1:], strict=True)
        )
        return Thresholds(wrong, right, parts)

    def prevalence(self) -> float:
        """Share of errors, the chance level of average precision; NaN without any voxel."""
        return self.thresholds().prevalence()

    def average_precision(self) -> float:
        """Average precision of the voxels so far (see the function of that name)."""
        return self.thresholds().average_precision()

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
        """What has been counted, as a few arrays (occupied bins only) for an ``.npz`` file."""
        arrays = {"bins": np.array(self.bins), "left_out": np.array(self.left_out)}
        for side, table in (("above", self._above), ("below", self._below)):
            place, wrong, right, _ = table.occupied()
            arrays |= {
                f"{side}_bin": place.astype(np.uint32),
                f"{side}_errors": wrong,
                f"{side}_correct": right,
                f"{side}_parts": np.packbits(table.parts.reshape(-1, _PARTS)[place], axis=1),
            }
        return arrays

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> ErrorDetection:
        """Read what `to_arrays` gave."""
        found = cls(int(arrays["bins"]))
        found.left_out = int(arrays["left_out"])
        for side, table in (("above", found._above), ("below", found._below)):
            place = np.asarray(arrays[f"{side}_bin"], np.int64)
            table.grow(int(place.max()) + 1 if place.size else 0)
            table.counts[place, 0] = arrays[f"{side}_correct"]
            table.counts[place, 1] = arrays[f"{side}_errors"]
            bits = np.unpackbits(np.asarray(arrays[f"{side}_parts"], np.uint8), axis=1)
            table.parts.reshape(-1, _PARTS)[place] = bits.astype(bool)
        return found


class _Table:
    """Counts by the upper bits of magnitudes; it grows with the largest one seen."""

    def __init__(self):
        self.counts = np.zeros((0, 2), np.int64)  # correct, errors
        self.parts = np.zeros(0, bool)

    def grow(self, length: int) -> None:
        missing = length - len(self.counts)
        if missing > 0:
            self.counts = np.concatenate([self.counts, np.zeros((missing, 2), np.int64)])
            self.parts = np.concatenate([self.parts, np.zeros(missing * _PARTS, bool)])

    def count(self, bits: np.ndarray, error: np.ndarray, shift: int) -> None:
        if not bits.size:
            return
        self.grow((int(bits.max()) >> shift) + 1)
        key = (bits >> np.uint32(shift - 4)).astype(np.intp)
        self.parts[key] = True
        key >>= 4
        key <<= 1
        key += error.view(np.uint8)
        np.add.at(self.counts.reshape(-1), key, 1)

    def add(self, other: _Table) -> None:
        self.grow(len(other.counts))
        self.counts[: len(other.counts)] += other.counts
        self.parts[: len(other.parts)] |= other.parts

    def occupied(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Bins with voxels in rising order: place, errors, correct voxels, occupied parts."""
        place = np.flatnonzero(self.counts.any(axis=1))
        right, wrong = self.counts[place].T
        parts = self.parts.reshape(-1, _PARTS)[place].sum(axis=1)
        return place, wrong, right, parts


def _check(uncertainty, error) -> tuple[np.ndarray, np.ndarray]:
    uncertainty, error = np.asarray(uncertainty), np.asarray(error)
    check_same_shape(uncertainty, error, names=("uncertainty", "error"))
    if error.dtype.kind != "b":
        if error.dtype.kind not in "iuf" or not np.isin(error, (0, 1)).all():
            raise LabelError("error: expected true or false for every voxel.")
        error = error.astype(bool)
    return uncertainty, error
