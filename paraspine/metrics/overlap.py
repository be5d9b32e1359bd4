"""Measures of overlap and of size between two label maps, all from one table of counts.

Per class, with the class against everything else: ``TP`` voxels that both maps give to it, ``FP``
those that only the prediction gives, ``FN`` those that only the reference gives, ``TN`` the rest.
A ratio that is 0 / 0 is NaN: it is undefined, to be left out of means and counted. So both masks
empty gives NaN everywhere but in `true_negative_rate`; one empty gives Dice and IoU 0.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..arrays import LabelError, ShapeError, check_label_map, check_same_shape

__all__ = [
    "OVERLAP_MEASURES",
    "absolute_volume_difference",
    "conformity",
    "confusion",
    "dice",
    "iou",
    "overlap_measures",
    "precision",
    "recall",
    "relative_volume_difference",
    "true_negative_rate",
    "volume_ratio",
]

#: Voxels counted at a time, so that counting needs little memory.
_CHUNK = 1 << 18


def confusion(prediction, reference, num_classes: int) -> np.ndarray:
    """Count how often each class of the reference was predicted as each class.

    Parameters
    ----------
    prediction, reference : array-like of int, (*spatial)
        Two label maps of the same shape.
    num_classes : int
        Classes including background.

    Returns
    -------
    numpy.ndarray of int64, (C, C)
        ``confusion[reference class, predicted class]``.

    Raises
    ------
    LabelError
        If a value is no class.
    ShapeError
        If the shapes differ.
    """
    prediction = check_label_map(prediction, num_classes, name="prediction")
    reference = check_label_map(reference, num_classes, name="reference")
    check_same_shape(prediction, reference, names=("prediction", "reference"))
    return _confusion(prediction.ravel(), reference.ravel(), int(num_classes))


def _confusion(prediction: np.ndarray, reference: np.ndarray, classes: int) -> np.ndarray:
    cells = classes * classes
    dtype = np.uint8 if cells <= 1 << 8 else np.uint16 if cells <= 1 << 16 else np.int64
    table = np.zeros(cells, np.int64)
    for start in range(0, prediction.size, _CHUNK):
        key = reference[start : start + _CHUNK].astype(dtype)
        key *= dtype(classes)
        key += prediction[start : start + _CHUNK].astype(dtype, copy=False)
        table += np.bincount(key, minlength=cells)
    return table.reshape(classes, classes)


def overlap_measures(table) -> dict[str, np.ndarray]:
    """All measures of this module from tables of counts.

    Parameters
    ----------
    table : array-like of int, (..., C, C)
        ``confusion[reference class, predicted class]``, of one image or of many.

    Returns
    -------
    dict of str to numpy.ndarray of float64, (..., C - 1)
        One entry for each name in `OVERLAP_MEASURES`, background left out.

    Raises
    ------
    ShapeError
        If the last two axes aren't the same length, or hold background only.
    LabelError
        If a count is negative or no whole number.
    """
    parts = _parts(table)
    return {name: measure(*parts) for name, measure in OVERLAP_MEASURES.items()}


def _parts(table) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """TP, FP, FN, TN of each class but background, as floats: ``(..., C - 1)``."""
    table = np.asarray(table)
    if table.ndim < 2 or table.shape[-1] != table.shape[-2] or table.shape[-1] < 2:
        raise ShapeError(
            f"confusion: expected (..., C, C) with background and at least one class, got shape "
            f"{table.shape}."
        )
    if table.dtype.kind not in "biu" or (table.size and table.min() < 0):
        raise LabelError("confusion: expected counts, whole numbers of at least 0.")
    table = table.astype(np.float64)
    true = np.diagonal(table, axis1=-2, axis2=-1)
    false_positive = table.sum(axis=-2) - true
    false_negative = table.sum(axis=-1) - true
    rest = table.sum(axis=(-2, -1))[..., None] - true - false_positive - false_negative
    return tuple(a[..., 1:] for a in (true, false_positive, false_negative, rest))


def _ratio(numerator, denominator) -> np.ndarray:
    """NaN for 0 / 0, an infinity of the numerator's sign for x / 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.divide(numerator, denominator)


def _dice(tp, fp, fn, tn):
    return _ratio(2 * tp, 2 * tp + fp + fn)


def _iou(tp, fp, fn, tn):
    return _ratio(tp, tp + fp + fn)


def _precision(tp, fp, fn, tn):
    return _ratio(tp, tp + fp)


def _recall(tp, fp, fn, tn):
    return _ratio(tp, tp + fn)


def _conformity(tp, fp, fn, tn):
    return 1 - _ratio(fp + fn, tp)


def _true_negative_rate(tp, fp, fn, tn):
    return _ratio(tn, tn + fp)


def _volume_ratio(tp, fp, fn, tn):
    return _ratio(tp + fp, tp + fn)


def _relative_volume_difference(tp, fp, fn, tn):
    return _ratio(fn - fp, tp + fn)


def _absolute_volume_difference(tp, fp, fn, tn):
    return np.abs(_relative_volume_difference(tp, fp, fn, tn))


#: Name to function of ``(TP, FP, FN, TN)``.
OVERLAP_MEASURES: dict[str, Callable[..., np.ndarray]] = {
    "dice": _dice,
    "iou": _iou,
    "precision": _precision,
    "recall": _recall,
    "conformity": _conformity,
    "true_negative_rate": _true_negative_rate,
    "volume_ratio": _volume_ratio,
    "relative_volume_difference": _relative_volume_difference,
    "absolute_volume_difference": _absolute_volume_difference,
}

_PARAMETERS = """

    Parameters
    ----------
    prediction, reference : array-like of int, (*spatial)
        Two label maps of the same shape, in any number of dimensions.
    num_classes : int
        Classes including background.

    Returns
    -------
    numpy.ndarray of float64, (C - 1,)
        One number for each class but background. {undefined}

    Raises
    ------
    LabelError
        If a value is no class.
    ShapeError
        If the shapes differ, or there is no class beside background.
    """


def _public(name: str, summary: str, undefined: str) -> Callable[..., np.ndarray]:
    formula = OVERLAP_MEASURES[f"{name}"]

    def measure(prediction, reference, num_classes: int) -> np.ndarray:
        return formula(*_parts(confusion(prediction, reference, num_classes)))

    measure.__name__ = measure.__qualname__ = name
    measure.__doc__ = summary + _PARAMETERS.format(undefined=undefined)
    return measure


dice = _public(
    "dice",
    "Dice coefficient, ``2 TP / (2 TP + FP + FN)``, from 0 to 1.",
    "NaN where both masks are empty, 0 where one is.",
)
iou = _public(
    "iou",
    "Intersection over union (Jaccard index), ``TP / (TP + FP + FN)``, from 0 to 1.",
    "NaN where both masks are empty, 0 where one is.",
)
precision = _public(
    "precision",
    "Share of the predicted voxels that are right, ``TP / (TP + FP)``, from 0 to 1.",
    "NaN where nothing was predicted, so that precision says nothing; recall is 0 there.",
)
recall = _public(
    "recall",
    "Share of the reference that was found (true positive rate), ``TP / (TP + FN)``, 0 to 1.",
    "NaN where the reference is empty.",
)
conformity = _public(
    "conformity",
    "Conformity coefficient, ``1 - (FP + FN) / TP``, at most 1 (wesselink2022, Table 2).",
    "NaN where both masks are empty, ``-inf`` where they are not and have no voxel in common.",
)
true_negative_rate = _public(
    "true_negative_rate",
    "Share of the voxels outside the reference left outside, ``TN / (TN + FP)``, from 0 to 1.",
    "NaN where the reference fills the image.",
)
volume_ratio = _public(
    "volume_ratio",
    "Volume of the prediction over that of the reference, at least 0 (wesselink2022, Table 2).",
    "NaN where both masks are empty, ``inf`` where only the reference is.",
)
relative_volume_difference = _public(
    "relative_volume_difference",
    """Volume of the reference minus that of the prediction, over the reference's, at most 1.

    Positive says that the prediction is too small. This is the sign of lemay2022: its Table 3a has
    positive values beside a low recall and a high precision. Others subtract the other way round.
    """.rstrip(),
    "NaN where both masks are empty, ``-inf`` where only the reference is.",
)
absolute_volume_difference = _public(
    "absolute_volume_difference",
    "Absolute value of `relative_volume_difference` (AVD of lemay2022), at least 0.",
    "NaN where both masks are empty, ``inf`` where only the reference is.",
)
