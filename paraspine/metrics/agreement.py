"""Agreement of label maps: raters among themselves, samples with raters."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from scipy.optimize import linear_sum_assignment

from ..arrays import ShapeError, check_labels
from .overlap import confusion, overlap_measures

__all__ = ["generalised_energy_distance", "hungarian_iou", "pairwise_dice", "rater_pairs"]


def rater_pairs(raters: int) -> tuple[tuple[int, int], ...]:
    """The pairs of raters in the order of `pairwise_dice`: (0, 1), (0, 2), ..., (1, 2), ..."""
    return tuple(combinations(range(int(raters)), 2))


def pairwise_dice(labels, num_classes: int) -> np.ndarray:
    """Dice coefficient of every pair of raters.

    Parameters
    ----------
    labels : array-like of int, (R, *spatial)
        One label map per rater who rated.
    num_classes : int
        Classes including background.

    Returns
    -------
    numpy.ndarray of float64, (R (R - 1) / 2, C - 1)
        In the order of `rater_pairs`. NaN where neither rater of a pair marked the class, 0 where
        one did; no row at all for one rater, who agrees with nobody.

    Raises
    ------
    ShapeError, LabelError
        If labels don't fit.
    """
    labels = check_labels(labels, num_classes)
    tables = [confusion(labels[a], labels[b], num_classes) for a, b in rater_pairs(len(labels))]
    if not tables:
        return np.zeros((0, num_classes - 1))
    return overlap_measures(np.stack(tables))["dice"]


def generalised_energy_distance(samples, labels, num_classes: int) -> float:
    """Squared generalised energy distance between sampled segmentations and raters (Kohl 2018).

    ``2 E[d(S, Y)] - E[d(S, S')] - E[d(Y, Y')]`` with ``d = 1 - IoU``, over all pairs, each with
    itself among them: 0 where both sets are the same.

    Parameters
    ----------
    samples : array-like of int, (S, *spatial)
        Label maps drawn from a model.
    labels : array-like of int, (R, *spatial)
        One label map per rater who rated.
    num_classes : int
        Classes including background. With several, ``d`` is 1 minus the mean IoU over the classes
        that occur in either of the two maps; two maps without any have ``d = 0``.

    Returns
    -------
    float
        From 0 to 2; the lower the better. As an average over finite sets it depends on their
        sizes: compare models at the same S.

    Raises
    ------
    ShapeError, LabelError
        If samples or labels don't fit.
    """
    samples, labels = _check_both(samples, labels, num_classes)
    across = _distances(samples, labels, num_classes).mean()
    within = _distances(samples, samples, num_classes).mean()
    raters = _distances(labels, labels, num_classes).mean()
    return float(2 * across - within - raters)


def hungarian_iou(samples, labels, num_classes: int) -> float:
    """Mean IoU of samples and raters after the best one-to-one matching (Hungarian method).

    Each set is repeated up to the least common multiple of their sizes, so that all count alike
    (Kohl 2019).

    Parameters
    ----------
    samples : array-like of int, (S, *spatial)
        Label maps drawn from a model.
    labels : array-like of int, (R, *spatial)
        One label map per rater who rated.
    num_classes : int
        Classes including background; several as in `generalised_energy_distance`.

    Returns
    -------
    float
        From 0 to 1; two maps without any class count as 1.

    Raises
    ------
    ShapeError, LabelError
        If samples or labels don't fit.
    """
    samples, labels = _check_both(samples, labels, num_classes)
    similarity = 1 - _distances(samples, labels, num_classes)
    size = int(np.lcm(*similarity.shape))
    rows, columns = (np.arange(size) % n for n in similarity.shape)
    square = similarity[np.ix_(rows, columns)]
    return float(square[linear_sum_assignment(square, maximize=True)].mean())


def _check_both(samples, labels, num_classes: int) -> tuple[np.ndarray, np.ndarray]:
    samples = check_labels(samples, num_classes, name="samples")
    labels = check_labels(labels, num_classes)
    if samples.shape[1:] != labels.shape[1:]:
        raise ShapeError(
            f"samples and labels: expected the same image size, got {samples.shape[1:]} and "
            f"{labels.shape[1:]}."
        )
    return samples, labels


def _distances(first: np.ndarray, second: np.ndarray, num_classes: int) -> np.ndarray:
    """``1 - IoU``, each with each: ``(len(first), len(second))``."""
    tables = np.stack([[confusion(a, b, num_classes) for b in second] for a in first])
    iou = overlap_measures(tables)["iou"]
    defined = ~np.isnan(iou)
    count = defined.sum(axis=-1)
    total = np.where(defined, iou, 0.0).sum(axis=-1)
    return 1 - np.divide(total, count, out=np.ones(total.shape), where=count > 0)
