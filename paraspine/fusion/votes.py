"""Votes counted: majority, soft labels, ties, and the entropy of the raters' votes."""

from __future__ import annotations

import numpy as np

from ..arrays import SettingsError, check_labels
from .em import expectation_maximisation, prior_of, winners
from .patterns import Patterns, look_up, look_up_classes, rated_groups, vote_patterns

__all__ = [
    "ground_truth_entropy",
    "majority_vote",
    "majority_vote_many",
    "soft_labels",
    "tie_rate",
]


def majority_vote(labels, num_classes: int) -> np.ndarray:
    """Class with most votes; ties are broken by STAPLE's posterior, then by class number.

    Of the classes tied at a voxel, the one with the highest STAPLE posterior wins, its mean taken
    over the image's voxels that have the same votes. As that posterior depends on the votes
    alone, the mean is the posterior at the voxel itself. (A mean over the whole image would be
    the largest for background nearly always, so it would say nothing about the raters.)
    Posteriors within 1e-9 of each other count as equal and go to the lower class number. STAPLE
    runs with its defaults, on the whole image, and only where a tie occurs. `tie_rate` says how
    often that is.

    Parameters
    ----------
    labels : array-like of int, (R, *spatial)
        One label map per rater who rated the image.
    num_classes : int
        Classes including background.

    Returns
    -------
    numpy.ndarray of unsigned int, (*spatial)
        The smallest dtype that holds the classes.

    Raises
    ------
    ShapeError, LabelError
        If the labels do not fit.
    """
    return _majority(vote_patterns(check_labels(labels, num_classes)[:, None], num_classes))[0]


def majority_vote_many(labels, num_classes: int, rated=None) -> np.ndarray:
    """`majority_vote` for each image of a batch.

    Parameters
    ----------
    labels : array-like of int, (N, R, *spatial)
        Label maps of N images of one size.
    num_classes : int
        Classes including background.
    rated : array-like of bool, (N, R), optional
        Who rated which image; who did not has no vote there.

    Returns
    -------
    numpy.ndarray of unsigned int, (N, *spatial)
        Equal to `majority_vote` of each image's raters.

    Raises
    ------
    ShapeError, LabelError
        As `majority_vote`, and if an image was rated by nobody.
    """
    labels = np.asarray(labels)
    voted = np.zeros((len(labels), *labels.shape[2:]), np.min_scalar_type(num_classes - 1))
    for images, group in rated_groups(labels, num_classes, rated):
        voted[images] = _majority(vote_patterns(group, num_classes))
    return voted


def soft_labels(labels, num_classes: int) -> np.ndarray:
    """Mean of the raters' one-hot maps, the share of raters who gave each class.

    Parameters
    ----------
    labels : array-like of int, (R, *spatial)
        One label map per rater who rated the image.
    num_classes : int
        Classes including background.

    Returns
    -------
    numpy.ndarray of float32, (C, *spatial)
        Sums to 1 over the classes.

    Raises
    ------
    ShapeError, LabelError
        If the labels do not fit.
    """
    patterns = vote_patterns(check_labels(labels, num_classes), num_classes)
    return look_up_classes(patterns.class_shares().astype(np.float32), patterns.codes)


def ground_truth_entropy(labels, num_classes: int) -> np.ndarray:
    """Entropy of the raters' votes at each voxel: ``H(S)`` of the soft label, in nats.

    Parameters
    ----------
    labels : array-like of int, (R, *spatial)
        One label map per rater who rated the image.
    num_classes : int
        Classes including background.

    Returns
    -------
    numpy.ndarray of float32, (*spatial)
        From 0 (all raters agree) to ``log(min(R, C))``. With one rater it is 0 everywhere, which
        says nothing about agreement: leave it out there.

    Raises
    ------
    ShapeError, LabelError
        If the labels do not fit.
    """
    labels = check_labels(labels, num_classes)
    result = np.zeros(labels.shape[1:], dtype=np.float32)
    split = labels[0] != labels[-1]
    for said in labels[1:-1]:
        split |= said != labels[0]
    where = np.flatnonzero(split)  # elsewhere all agree, so the entropy is 0
    patterns = vote_patterns(
        np.stack([said.reshape(-1).take(where) for said in labels]), num_classes
    )
    result.reshape(-1)[where] = patterns.entropies().take(patterns.codes)
    return result


def tie_rate(labels, num_classes: int, extent: str = "image") -> float:
    """Share of voxels at which several classes have the most votes.

    Parameters
    ----------
    labels : array-like of int, (R, *spatial)
        One label map per rater who rated the image.
    num_classes : int
        Classes including background.
    extent : {"image", "foreground"}
        Of which voxels it is the share: all, or those that some rater calls foreground.

    Returns
    -------
    float
        NaN where there is no voxel to count.

    Raises
    ------
    ShapeError, LabelError, SettingsError
        If the labels or the option do not fit.
    """
    if extent not in ("image", "foreground"):
        raise SettingsError(f"extent: expected 'image' or 'foreground', got {extent!r}.")
    patterns = vote_patterns(check_labels(labels, num_classes), num_classes)
    counts = patterns.counts()
    if extent == "foreground":
        counts[0] = 0
    _, tied = _most(patterns)
    return float(counts[tied].sum() / counts.sum()) if counts.any() else float("nan")


def _most(patterns: Patterns) -> tuple[np.ndarray, np.ndarray]:
    """Classes with most votes ``(P, C)``, and patterns in which these are several ``(P,)``."""
    votes = patterns.class_counts()
    most = votes == votes.max(axis=1, keepdims=True)
    return most, most.sum(axis=1) > 1


def _majority(patterns: Patterns) -> np.ndarray:
    """Majority vote of images that the same raters rated; codes and result ``(N, *spatial)``."""
    most, tied = _most(patterns)
    dtype = np.min_scalar_type(patterns.num_classes - 1)
    winner = most.argmax(axis=1).astype(dtype)
    voted = look_up(winner, patterns.codes)
    if not tied.any():
        return voted
    counts = patterns.counts_by_image()
    keep = counts.any(axis=0)
    torn = np.flatnonzero((counts[:, tied] > 0).any(axis=1))
    class_counts = patterns.class_counts()[keep]
    for image in torn:
        count = counts[image : image + 1, keep]
        prior = prior_of("frequency", count, class_counts)
        posterior = expectation_maximisation(
            patterns.votes[keep], count, patterns.num_classes, prior, 1e-5, 1000
        )[0]
        choice, _ = winners(np.where(most[keep], posterior[0], -1.0))
        own = winner.copy()
        own[keep] = np.where(tied[keep], choice, winner[keep])
        voted[image] = look_up(own, patterns.codes[image])
    return voted
