"""Temperature scaling: one number that makes a network's probabilities sharper or softer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import logsumexp, softmax

from ..arrays import (
    SettingsError,
    ShapeError,
    check_label_map,
    check_probabilities,
    check_same_shape,
)

__all__ = ["Temperature", "apply_temperature", "fit_temperature"]

#: Probabilities below this count as this: half the step of float32 below 1. What a network gives
#: as 0 (a rounded softmax, a normalised ReLU) would stay 0 at any temperature.
FLOOR = 2.0**-24
#: Temperatures searched.
LOWEST, HIGHEST = 0.01, 100.0


@dataclass(frozen=True)
class Temperature:
    """A fitted temperature; goes wherever a number does (``float(found)``).

    Attributes
    ----------
    value : float
        Above 1 the probabilities were over-confident and are made softer, below 1 sharper. NaN
        without any voxel to fit to.
    before, after : float
        Mean negative log-likelihood at temperature 1 and at this one, nats per voxel.
    voxels : int
        Voxels fitted to.
    bounded : bool
        Whether the value is an end of the searched range, 0.01 to 100, because the likelihood
        still grew there: predictions without an error, or as good as guessing.
    """

    value: float
    before: float
    after: float
    voxels: int
    bounded: bool

    def __float__(self) -> float:
        return self.value


def fit_temperature(probabilities, reference, *, axis: int = 0) -> Temperature:
    """Find the temperature at which the reference is most likely (Guo 2017, section 4.2).

    ``P(T) = softmax(log P / T)``, which for a softmax network is its logits divided by ``T``. The
    mean negative log-likelihood is convex in ``1 / T``; its minimum is where its derivative
    crosses zero. Fit on validation images, then use `apply_temperature` on test images.

    Parameters
    ----------
    probabilities : array-like of float, (C, *spatial)
        Predictions, also of several images at once. Voxels that are NaN in any class (unseen) are
        left out. Probabilities below 6e-8 count as 6e-8.
    reference : array-like of int, (*spatial), or of float, (C, *spatial)
        What is right: a label map, or a soft label, whose cross-entropy is then minimised. Has
        the shape of `probabilities`, for label maps without the class axis.
    axis : int
        The class axis: 1 for images ``(N, C, *spatial)``.

    Returns
    -------
    Temperature

    Raises
    ------
    ShapeError, LabelError, ProbabilityError
        If probabilities or reference don't fit.
    """
    z, soft = _log_probabilities(probabilities, reference, axis)
    voxels = z.shape[1]
    if not voxels:
        return Temperature(np.nan, np.nan, np.nan, 0, False)
    right = float((soft * z).sum()) / voxels

    def loss(inverse: float) -> float:
        return float(logsumexp(inverse * z, axis=0).mean()) - inverse * right

    def slope(log_temperature: float) -> float:
        """Derivative of the loss by ``1 / T``: mean expected ``log P`` minus the right one's."""
        weights = softmax(np.exp(-log_temperature) * z, axis=0)
        return float((weights * z).sum()) / voxels - right

    ends = np.log([LOWEST, HIGHEST])
    low, high = (slope(end) for end in ends)
    if max(abs(low), abs(high)) < 1e-12:  # all classes equally probable: nothing to scale
        value, bounded = 1.0, False
    elif low <= 0:  # still better when sharper
        value, bounded = LOWEST, True
    elif high >= 0:  # still better when softer
        value, bounded = HIGHEST, True
    else:
        value, bounded = float(np.exp(brentq(slope, *ends, xtol=1e-9, rtol=1e-12))), False
    return Temperature(value, loss(1.0), loss(1 / value), voxels, bounded)


def apply_temperature(probabilities, temperature, *, axis: int = 0) -> np.ndarray:
    """Probabilities at another temperature: ``softmax(log P / T)``.

    Parameters
    ----------
    probabilities : array-like of float, (C, *spatial)
        Predictions; NaN (unseen) stays NaN. Probabilities below 6e-8 count as 6e-8, as in
        `fit_temperature`.
    temperature : float or Temperature
        Above 0; 1 leaves the probabilities as they are.
    axis : int
        The class axis.

    Returns
    -------
    numpy.ndarray, (C, *spatial)
        Sums to 1 over the classes; the most probable class stays the most probable. float32 for
        float32 input, else float64.

    Raises
    ------
    ProbabilityError
        If values are no probabilities.
    SettingsError
        If the temperature isn't a positive number.
    """
    number = float(temperature)
    if not (np.isfinite(number) and number > 0):
        raise SettingsError(f"temperature: expected a number above 0, got {number!r}.")
    probabilities = check_probabilities(probabilities, axis)
    z = np.log(np.maximum(probabilities, FLOOR, dtype=np.float64))
    kind = np.float32 if probabilities.dtype == np.float32 else np.float64
    return softmax(z / number, axis=axis).astype(kind)


def _log_probabilities(probabilities, reference, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Log probabilities and soft labels of the voxels that were seen, ``(C, voxels)`` each."""
    probabilities = np.moveaxis(check_probabilities(probabilities, axis), axis, 0)
    classes = len(probabilities)
    reference = np.asarray(reference)
    if reference.ndim == probabilities.ndim:
        soft = np.moveaxis(check_probabilities(reference, axis, name="reference"), axis, 0)
        check_same_shape(probabilities, soft, names=("probabilities", "reference"))
    elif reference.ndim == probabilities.ndim - 1:
        labels = check_label_map(reference, classes, name="reference")
        check_same_shape(
            probabilities[0], labels, names=("probabilities of one class", "reference")
        )
        soft = labels == np.arange(classes).reshape(-1, *[1] * labels.ndim)
    else:
        raise ShapeError(
            f"reference: expected a label map {probabilities.shape[1:]} or a soft label with a "
            f"class axis beside it, got shape {reference.shape}."
        )
    z = probabilities.reshape(classes, -1).astype(np.float64)
    soft = soft.reshape(classes, -1).astype(np.float64)
    seen = ~(np.isnan(z) | np.isnan(soft)).any(axis=0)
    z, soft = z[:, seen], soft[:, seen]
    return np.log(np.maximum(z, FLOOR)), soft
