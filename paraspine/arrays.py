"""Checks on arrays and the project's exception types.

Arrays are channel-first throughout: ``labels`` is ``(R, *spatial)`` integers, ``probabilities``
``(C, *spatial)``, ``samples`` ``(T, C, *spatial)``; class 0 is background. Every error is a
`ValueError` and its message says what was expected, what was found and what to do.
"""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral

import numpy as np

__all__ = [
    "GeometryError",
    "ImageError",
    "LabelError",
    "ManifestError",
    "ModelError",
    "ParaspineError",
    "ProbabilityError",
    "RunError",
    "SettingsError",
    "ShapeError",
    "SpacingError",
    "check_label_map",
    "check_labels",
    "check_probabilities",
    "check_same_shape",
    "check_spacing",
    "check_whole",
]


class ParaspineError(ValueError):
    """Base of every error that paraspine raises on purpose."""


class ShapeError(ParaspineError):
    """An array has the wrong number of axes or does not match its partner."""


class LabelError(ParaspineError):
    """A label map holds values that are not classes."""


class ProbabilityError(ParaspineError):
    """An array that should hold probabilities does not."""


class SpacingError(ParaspineError):
    """A voxel spacing is missing, not positive or of the wrong length."""


class ImageError(ParaspineError):
    """An image file is missing, unreadable or holds values that cannot be used."""


class GeometryError(ParaspineError):
    """Two images that should share a grid do not."""


class ManifestError(ParaspineError):
    """A manifest has problems; all of them are in ``problems`` and in the message."""

    def __init__(self, message: str, problems: Sequence[object] = ()):
        super().__init__(message)
        self.problems = tuple(problems)


class SettingsError(ParaspineError):
    """A parameter is unknown, of the wrong type or out of range."""


class ModelError(ParaspineError):
    """A network cannot do what is asked of it."""


class RunError(ParaspineError):
    """A run folder is missing, incomplete, stale or damaged."""


def check_label_map(labels, num_classes: int, *, name: str = "label map") -> np.ndarray:
    """Return one label map as an integer array after checking its values.

    Parameters
    ----------
    labels : array-like, ``(*spatial)``
        Class numbers; booleans and floats that hold whole numbers are taken too.
    num_classes : int
        Number of classes including background; values must lie in ``0 .. num_classes - 1``.
    name : str
        How the message calls the array.

    Returns
    -------
    numpy.ndarray
        The same values; integer dtypes are kept, others become ``int64``.

    Raises
    ------
    LabelError
        If the values are not whole numbers or not classes.
    """
    if int(num_classes) != num_classes or num_classes < 1:
        raise LabelError(
            f"num_classes: expected a whole number of at least 1, got {num_classes!r}."
        )
    array = np.asarray(labels)
    if array.dtype.kind not in "biuf":
        raise LabelError(f"{name}: expected whole numbers, got dtype {array.dtype}.")
    if array.dtype.kind == "f":
        if array.size and not (np.isfinite(array).all() and (array == np.rint(array)).all()):
            raise LabelError(
                f"{name}: expected whole numbers, got fractions or NaN; a label map that was "
                "interpolated must be resampled per class instead."
            )
        array = array.astype(np.int64)
    elif array.dtype.kind == "b":
        array = array.astype(np.uint8)
    if array.size:
        low, high = int(array.min()), int(array.max())
        if low < 0 or high >= num_classes:
            raise LabelError(
                f"{name}: expected classes 0 to {num_classes - 1}, got values from {low} to {high}."
            )
    return array


def check_labels(labels, num_classes: int, *, name: str = "labels") -> np.ndarray:
    """Return the label maps of several raters, ``(R, *spatial)``, after checking them.

    Parameters
    ----------
    labels : array-like, ``(R, *spatial)``
        One label map per rater.
    num_classes : int
        Number of classes including background.
    name : str
        How the message calls the array.

    Raises
    ------
    ShapeError
        If there is no rater axis, no rater or no voxel axis.
    LabelError
        As `check_label_map`.
    """
    array = np.asarray(labels)
    if array.ndim < 2 or array.shape[0] < 1:
        raise ShapeError(
            f"{name}: expected (raters, *spatial) with at least one rater, got shape "
            f"{array.shape}; a single label map needs a leading rater axis: labels[None]."
        )
    return check_label_map(array, num_classes, name=name)


def check_probabilities(
    probabilities, axis: int = 0, *, tolerance: float = 1e-3, name: str = "probabilities"
) -> np.ndarray:
    """Return probabilities as a float array after checking range and sum over the class axis.

    NaN along the whole class axis means "not seen" and passes.

    Parameters
    ----------
    probabilities : array-like
        Values in [0, 1] that sum to 1 over `axis`.
    axis : int
        The class axis.
    tolerance : float
        Allowed deviation of the sum from 1 and of a value from [0, 1].
    name : str
        How the message calls the array.

    Raises
    ------
    ProbabilityError
        If values are out of range, or sums differ from 1 by more than `tolerance`.
    """
    array = np.asarray(probabilities)
    if array.dtype.kind != "f":
        array = array.astype(np.float64)
    if array.ndim < 1 or not -array.ndim <= axis < array.ndim:
        raise ShapeError(f"{name}: expected a class axis {axis}, got shape {array.shape}.")
    if array.size:
        # fmin and fmax leave NaN out, also where there is nothing else, without a warning
        low = float(np.fmin.reduce(array, axis=None))
        high = float(np.fmax.reduce(array, axis=None))
        if low < -tolerance or high > 1 + tolerance:
            raise ProbabilityError(
                f"{name}: expected values in [0, 1], got {low:.6g} to {high:.6g}; logits must go "
                "through softmax first."
            )
        sums = array.sum(axis=axis, dtype=np.float64)
        worst = float(np.fmax.reduce(np.abs(sums - 1), axis=None))
        if worst > tolerance:
            raise ProbabilityError(
                f"{name}: expected a sum of 1 over axis {axis}, got a deviation of {worst:.3g}; "
                "background must be one of the classes."
            )
    return array


def check_same_shape(first, second, *, names: tuple[str, str]) -> None:
    """Raise `ShapeError` unless two arrays have the same shape."""
    a, b = np.shape(first), np.shape(second)
    if a != b:
        raise ShapeError(f"{names[0]} and {names[1]}: expected the same shape, got {a} and {b}.")


def check_spacing(spacing, ndim: int, *, name: str = "spacing") -> tuple[float, ...]:
    """Return the voxel spacing in mm, one positive number per spatial axis, as floats.

    Raises
    ------
    SpacingError
        If the length differs from `ndim` or a number is not positive and finite.
    """
    values = tuple(float(s) for s in np.atleast_1d(np.asarray(spacing, dtype=float)))
    if len(values) != ndim:
        raise SpacingError(
            f"{name}: expected {ndim} numbers in array order (mm), got {len(values)}: {values}."
        )
    if not all(np.isfinite(s) and s > 0 for s in values):
        raise SpacingError(f"{name}: expected positive numbers (mm), got {values}.")
    return values


def check_whole(name: str, value, least: int = 1, most: int | None = None) -> int:
    """Return a setting that is a whole number, NumPy's included, as an int.

    Raises
    ------
    SettingsError
        If it is something else (also a truth value or 2.0), below `least` or above `most`.
    """
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    if not whole or value < least or (most is not None and value > most):
        limits = f"of at least {least}" if most is None else f"from {least} to {most}"
        raise SettingsError(f"{name}: expected a whole number {limits}, got {value!r}.")
    return int(value)
