"""Reliability diagrams: pooled or averaged over images, and the calibration error they give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..arrays import ShapeError

__all__ = ["CalibrationError", "Reliability", "average_reliability", "calibration_error"]


@dataclass(frozen=True)
class Reliability:
    """The points of a reliability diagram.

    Attributes
    ----------
    confidence : numpy.ndarray of float64, (bins,)
        Mean confidence of the voxels in each bin, NaN where it is empty.
    accuracy : numpy.ndarray of float64, (bins,)
        Share of them that is right, NaN where the bin is empty.
    count : numpy.ndarray of int64, (bins,)
        Voxels in each bin.
    """

    confidence: np.ndarray
    accuracy: np.ndarray
    count: np.ndarray

    @property
    def edges(self) -> np.ndarray:
        """Edges of the bins, ``(bins + 1,)``, from 0 to 1."""
        return np.arange(len(self.count) + 1) / len(self.count)

    @property
    def gap(self) -> np.ndarray:
        """Confidence minus accuracy, ``(bins,)``: positive is over-confident, NaN where empty."""
        return self.confidence - self.accuracy


@dataclass(frozen=True)
class CalibrationError:
    """The calibration error and what it is made of; NaN where there is no voxel.

    Attributes
    ----------
    expected : float
        Mean over voxels of their bin's ``|confidence - accuracy|`` (ECE); ``over + under``.
    over, under : float
        The parts of it from over-confident and from under-confident bins.
    maximum : float
        The largest ``|confidence - accuracy|`` of a bin (MCE).
    """

    expected: float
    over: float
    under: float
    maximum: float


def calibration_error(reliability: Reliability) -> CalibrationError:
    """Expected calibration error of a reliability diagram, and its two sides.

    Parameters
    ----------
    reliability : Reliability
        Of one image or pooled. For an `average_reliability` the weights are the pooled counts,
        which no paper defines: take `Calibration.pooled` for a published ECE.

    Returns
    -------
    CalibrationError
        NaN in every field where all bins are empty.
    """
    there = reliability.count > 0
    if not there.any():
        return CalibrationError(np.nan, np.nan, np.nan, np.nan)
    gap = reliability.gap[there]
    weight = reliability.count[there] / reliability.count.sum(dtype=np.float64)
    over = float((weight * np.maximum(gap, 0)).sum())
    under = float((weight * np.maximum(-gap, 0)).sum())
    return CalibrationError(over + under, over, under, float(np.abs(gap).max()))


def average_reliability(images: Sequence[Reliability]) -> Reliability:
    """Mean over images of each bin's confidence and accuracy (roshanzamir2022, Appendix A).

    Each image in which a bin isn't empty counts the same for it, however many voxels it has
    there.

    Parameters
    ----------
    images : sequence of Reliability
        One per image, with the same number of bins.

    Returns
    -------
    Reliability
        ``count`` is of voxels, of all images together. NaN where a bin is empty in all images.

    Raises
    ------
    ShapeError
        If there is no image or the numbers of bins differ.
    """
    lengths = {len(r.count) for r in images}
    if len(lengths) != 1:
        raise ShapeError(
            "images: expected at least one reliability, all with the same number of bins, got "
            f"{len(images)} with {sorted(lengths)} bins."
        )
    confidence, accuracy, count = (
        np.stack([getattr(r, k) for r in images]) for k in ("confidence", "accuracy", "count")
    )
    filled = (count > 0).sum(axis=0)
    return Reliability(
        divide(np.nan_to_num(confidence).sum(axis=0), filled),
        divide(np.nan_to_num(accuracy).sum(axis=0), filled),
        count.sum(axis=0),
    )


def divide(sums: np.ndarray, count: np.ndarray) -> np.ndarray:
    """``sums / count``, NaN where the count is 0."""
    return np.divide(sums, count, out=np.full(len(count), np.nan), where=count > 0)
