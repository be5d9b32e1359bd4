"""Calibration: reliability diagrams and expected calibration error.

Confidence is the largest probability of a voxel, the prediction the class that has it (the lower
class number on a tie). Bins are equally wide: bin ``k`` of ``B`` takes ``k / B < confidence <=
(k + 1) / B`` (Guo 2017), so confidence 1 lies in the last bin, and a confidence that is exactly an
edge in the lower one; 0, which no probability map can have, counts into the first. Edges are
rounded to the precision of the probabilities, so 0.8 in float32 lies on the edge 0.8.
"""

from __future__ import annotations

import numpy as np

from ..arrays import (
    ProbabilityError,
    SettingsError,
    ShapeError,
    check_label_map,
    check_same_shape,
)
from .diagram import CalibrationError, Reliability, calibration_error, divide

__all__ = ["Calibration", "expected_calibration_error", "reliability"]

#: Voxels worked on at a time: small enough for the processor's cache.
_CHUNK = 1 << 16
_TOLERANCE = 1e-3


def reliability(probabilities, reference, bins: int = 10, *, where=None) -> Reliability:
    """Confidence and accuracy by bin of confidence, of one image or of voxels taken together.

    Parameters
    ----------
    probabilities : array-like of float, (C, *spatial)
        The prediction. Voxels that are NaN in any class (unseen) are left out.
    reference : array-like of int, (*spatial)
        The label map that decides what is right: a majority vote or STAPLE.
    bins : int
        How many equal bins.
    where : array-like of bool, (*spatial), optional
        Voxels that count; all if left out.

    Returns
    -------
    Reliability

    Raises
    ------
    ShapeError, LabelError, ProbabilityError, SettingsError
        If probabilities, reference or bins don't fit.
    """
    return Calibration(bins).update(probabilities, reference, where=where).pooled()


def expected_calibration_error(probabilities, reference, bins: int = 10, *, where=None) -> float:
    """Expected calibration error, ``sum_k count_k / N |accuracy_k - confidence_k|``.

    lemay2022, equation 5 (Naeini 2015), with the parameters of `reliability`. Sums are float64 and
    counts integers: what adds up millions of float32 confidences in float32 is off by 5e-4.

    Returns
    -------
    float
        From 0 to 1; NaN if no voxel counts.
    """
    found = reliability(probabilities, reference, bins, where=where)
    return calibration_error(found).expected


class Calibration:
    """Calibration of any number of images, in memory that doesn't grow with them.

    Parameters
    ----------
    bins : int
        How many equal bins of confidence.

    Attributes
    ----------
    images : int
        Images taken in.
    left_out : int
        Voxels left out because a class was NaN (unseen).
    """

    def __init__(self, bins: int = 10):
        if isinstance(bins, bool) or int(bins) != bins or bins < 1:
            raise SettingsError(f"bins: expected a whole number of at least 1, got {bins!r}.")
        self.bins = int(bins)
        self.images = 0
        self.left_out = 0
        self._count = np.zeros(self.bins, np.int64)
        self._correct = np.zeros(self.bins, np.int64)
        self._confidence = np.zeros(self.bins)
        self._filled = np.zeros(self.bins, np.int64)
        self._mean_confidence = np.zeros(self.bins)
        self._mean_accuracy = np.zeros(self.bins)

    def update(self, probabilities, reference, *, where=None) -> Calibration:
        """Take in one image; the parameters are those of `reliability`. Returns itself."""
        probabilities = np.asarray(probabilities)
        if probabilities.dtype.kind != "f":
            probabilities = probabilities.astype(np.float64)
        if probabilities.ndim < 2:
            raise ShapeError(
                "probabilities: expected (classes, *spatial) with at least one voxel axis, got "
                f"shape {probabilities.shape}."
            )
        classes = len(probabilities)
        reference = check_label_map(reference, classes, name="reference")
        check_same_shape(
            probabilities[0], reference, names=("probabilities of one class", "reference")
        )
        if where is not None:
            where = np.asarray(where, dtype=bool)
            check_same_shape(where, reference, names=("where", "reference"))
            probabilities, reference = probabilities[:, where], reference[where]
        count, correct, confidence, unseen = _sums(
            probabilities.reshape(classes, -1), reference.reshape(-1), self.bins
        )
        there = count > 0
        self.images += 1
        self.left_out += unseen
        self._count += count
        self._correct += correct
        self._confidence += confidence
        self._filled += there
        self._mean_confidence[there] += confidence[there] / count[there]
        self._mean_accuracy[there] += correct[there] / count[there]
        return self

    def update_batch(self, probabilities, references, *, where=None) -> Calibration:
        """Take in ``(N, C, *spatial)`` and ``(N, *spatial)``, image by image. Returns itself."""
        if len(probabilities) != len(references):
            raise ShapeError(
                f"probabilities and references: expected as many images in both, got "
                f"{len(probabilities)} and {len(references)}."
            )
        for i in range(len(probabilities)):
            self.update(probabilities[i], references[i], where=None if where is None else where[i])
        return self

    def merge(self, other: Calibration) -> Calibration:
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
        for name in vars(self).keys() - {"bins"}:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        return self

    def pooled(self) -> Reliability:
        """All voxels taken together (lemay2022): what the published ECE is computed from."""
        return Reliability(
            divide(self._confidence, self._count),
            divide(self._correct, self._count),
            self._count.copy(),
        )

    def per_image(self) -> Reliability:
        """Mean over images of each image's bins (roshanzamir2022); see `average_reliability`."""
        return Reliability(
            divide(self._mean_confidence, self._filled),
            divide(self._mean_accuracy, self._filled),
            self._count.copy(),
        )

    def error(self) -> CalibrationError:
        """`calibration_error` of all voxels taken together."""
        return calibration_error(self.pooled())


def _sums(probabilities: np.ndarray, reference: np.ndarray, bins: int):
    """Voxels, right ones and sum of confidences per bin, and the number of voxels left out."""
    count = np.zeros(2 * bins, np.int64)
    total = np.zeros(2 * bins)
    unseen = 0
    low_type = probabilities.dtype if probabilities.dtype.itemsize >= 4 else np.float32
    edges = (np.arange(1, bins) / bins).astype(low_type)
    last = edges[-1] if bins > 1 else -np.inf
    small = np.uint8 if len(probabilities) <= 256 else reference.dtype
    for start in range(0, reference.size, _CHUNK):
        chunk = probabilities[:, start : start + _CHUNK].astype(low_type, copy=False)
        truth = reference[start : start + _CHUNK].astype(small, copy=False)
        lowest = chunk.min()
        if np.isnan(lowest):
            seen = ~np.isnan(chunk).any(axis=0)
            unseen += int(np.count_nonzero(~seen))
            chunk, truth = chunk[:, seen], truth[seen]
            if not truth.size:
                continue
            lowest = chunk.min()
        _check(chunk, float(lowest))
        confidence = chunk.max(axis=0)
        right = np.zeros(truth.shape, bool)
        winners = 0
        for c, values in enumerate(chunk):
            wins = values == confidence
            winners += np.count_nonzero(wins)
            wins &= truth == c
            right |= wins
        if winners > truth.size:  # on a tie the lower class has it
            tied = (chunk == confidence).sum(axis=0) > 1
            right[tied] = chunk[:, tied].argmax(axis=0) == truth[tied]
        np.minimum(confidence, 1, out=confidence)
        # Most voxels are in the last bin, which is what all have less what the others have.
        others = np.flatnonzero(confidence <= last)
        low, low_right = confidence.take(others), right.take(others)
        key = _bins(low, edges[:-1])
        key += low_right * key.dtype.type(bins)
        count += np.bincount(key, minlength=2 * bins)
        total += np.bincount(key, weights=low, minlength=2 * bins)
        top_right = np.count_nonzero(right) - np.count_nonzero(low_right)
        count[-1] += top_right
        count[bins - 1] += right.size - low.size - top_right
        total[-1] += confidence.sum(dtype=np.float64) - low.sum(dtype=np.float64)
    return count[:bins] + count[bins:], count[bins:], total[:bins] + total[bins:], unseen


def _bins(confidence: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Number of edges below each confidence."""
    if len(edges) > 63:
        return np.searchsorted(edges, confidence, side="left")
    number = np.zeros(confidence.size, np.uint8)
    for edge in edges:
        number += confidence > edge
    return number


def _check(chunk: np.ndarray, low: float) -> None:
    sums = chunk.sum(axis=0)
    highest = float(sums.max())
    # Of values that are not negative none is larger than their sum.
    high = highest if low >= 0 and highest <= 1 + _TOLERANCE else float(chunk.max())
    if low < -_TOLERANCE or high > 1 + _TOLERANCE:
        raise ProbabilityError(
            f"probabilities: expected values in [0, 1], got {low:.6g} to {high:.6g}; logits must "
            "go through softmax first."
        )
    worst = max(1 - float(sums.min()), highest - 1)
    if worst > _TOLERANCE:
        raise ProbabilityError(
            f"probabilities: expected a sum of 1 over the classes, got a deviation of {worst:.3g}; "
            "background must be one of the classes."
        )
