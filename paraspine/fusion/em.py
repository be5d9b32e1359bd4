"""The estimation behind STAPLE: expectation maximisation over a table of vote patterns."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment

from ..arrays import SettingsError

__all__ = ["TIE", "expectation_maximisation", "is_inverted", "prior_of", "winners"]

#: Posteriors that differ by no more than this are equal: rounding must not decide a voxel.
TIE = 1e-9


def expectation_maximisation(votes, counts, num_classes, prior, tolerance, max_iterations):
    """Run the estimation for N images that share a table of vote patterns.

    Parameters
    ----------
    votes : numpy.ndarray, (P, R)
        Class that each rater gave, per pattern.
    counts : numpy.ndarray, (N, P)
        Voxels of each image that show the pattern.
    num_classes : int
        Classes including background.
    prior : numpy.ndarray, (N, C)
        Prior probabilities.
    tolerance, max_iterations
        As for `staple`.

    Returns
    -------
    posterior : numpy.ndarray, (N, P, C)
    confusion : numpy.ndarray, (N, R, C, C), 0 in the columns of classes without a voxel
    iterations : numpy.ndarray of int, (N,)
    change : numpy.ndarray, (N,)
    log_likelihood : numpy.ndarray, (N,)
    """
    raters = votes.shape[1]
    said = np.eye(num_classes)[votes].reshape(len(votes), raters * num_classes)
    weights = counts.astype(np.float64)
    share = said.reshape(len(votes), raters, num_classes).mean(axis=1)
    posterior = np.broadcast_to(share, (len(counts), *share.shape))
    confusion = _maximise(said, weights, posterior, raters)
    iterations = np.zeros(len(counts), dtype=np.int64)
    change = np.full(len(counts), np.inf)
    active = np.arange(len(counts))
    for _ in range(int(max_iterations)):
        posterior, _ = _expect(votes, prior[active], confusion[active])
        updated = _maximise(said, weights[active], posterior, raters)
        change[active] = np.abs(updated - confusion[active]).reshape(len(active), -1).max(axis=1)
        confusion[active] = updated
        iterations[active] += 1
        active = active[change[active] > tolerance]
        if not len(active):
            break
    posterior, evidence = _expect(votes, prior, confusion)
    likelihood = np.where(weights > 0, evidence, 0.0)
    return posterior, confusion, iterations, change, (weights * likelihood).sum(axis=1)


def _expect(votes, prior, confusion):
    """E step: posterior ``(N, P, C)`` of each pattern, and its log probability ``(N, P)``."""
    with np.errstate(divide="ignore"):
        log_confusion, log_prior = np.log(confusion), np.log(prior)
    score = np.repeat(log_prior[:, None], len(votes), axis=1)
    for rater in range(votes.shape[1]):
        score += log_confusion[:, rater][:, votes[:, rater]]
    peak = score.max(axis=2, keepdims=True)
    impossible = np.isneginf(peak)  # no class explains the votes: the prior is all that is known
    weight = np.exp(score - np.where(impossible, 0.0, peak))
    weight = np.where(impossible, prior[:, None], weight)
    total = weight.sum(axis=2, keepdims=True)
    evidence = np.where(impossible, -np.inf, peak + np.log(total))[..., 0]
    return weight / total, evidence


def _maximise(said, weights, posterior, raters):
    """M step: confusion ``(N, R, C, C)``; 0 in the column of a class without weight."""
    joint = said.T @ (weights[:, :, None] * posterior)
    joint = joint.reshape(len(joint), raters, -1, joint.shape[-1])
    total = joint.sum(axis=2, keepdims=True)
    return np.divide(joint, total, out=np.zeros_like(joint), where=total > 0)


def winners(posterior) -> tuple[np.ndarray, np.ndarray]:
    """Most probable class of ``(..., C)`` and whether several share that place (within `TIE`)."""
    best = posterior >= posterior.max(axis=-1, keepdims=True) - TIE
    return best.argmax(axis=-1), best.sum(axis=-1) > 1


def prior_of(option, counts, class_counts) -> np.ndarray:
    """Prior ``(N, C)`` by name or from numbers."""
    num_classes = class_counts.shape[1]
    if isinstance(option, str):
        if option == "uniform":
            return np.full((len(counts), num_classes), 1 / num_classes)
        if option != "frequency":
            raise SettingsError(
                f"prior: expected 'frequency', 'uniform' or {num_classes} numbers, got {option!r}."
            )
        mass = (counts @ class_counts).astype(np.float64)
        mass[mass.sum(axis=1) == 0, 0] = 1.0  # nothing to count: background is certain
        return mass / mass.sum(axis=1, keepdims=True)
    given = np.asarray(option, dtype=np.float64)
    if given.shape != (num_classes,) or not np.isfinite(given).all() or (given < 0).any():
        raise SettingsError(
            f"prior: expected {num_classes} numbers of at least 0, one per class including "
            f"background, got {option!r}."
        )
    if given.sum() <= 0:
        raise SettingsError("prior: expected at least one number above 0.")
    return np.tile(given / given.sum(), (len(counts), 1))


def is_inverted(confusion) -> bool:
    """Whether renaming the true classes would make the raters agree better with the truth.

    Takes confusion matrices ``(R, C, C)`` and compares the sum of the mean diagonal with that of
    the best permutation; for two classes: whether mean sensitivity + specificity is below 1.
    """
    mean = np.nan_to_num(np.asarray(confusion)).mean(axis=0)
    said, true = linear_sum_assignment(mean, maximize=True)
    return bool(mean[said, true].sum() > np.trace(mean) + TIE)
