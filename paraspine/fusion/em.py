"""The estimation behind STAPLE: expectation maximisation over a table of vote patterns."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment

from ..arrays import SettingsError

__all__ = ["TIE", "expectation_maximisation", "is_inverted", "prior_of", "winners"]

#: Posteriors that differ by no more than this are equal: rounding must not decide a voxel.
TIE = 1e-9


#: Stand for log 0 in a confusion matrix and in the prior: finite, so that 0 times it is 0. Where
#: no class explains a pattern, the class that contradicts fewest raters is left, and never one
#: that the prior rules out.
_NEVER, _RULED_OUT = -1e6, -1e9

#: Confusion entries are rounded to 36 binary digits (11 decimal ones). Between raters whom nothing
#: tells apart the estimation stands on a saddle; without this the order in which sums were taken
#: would decide on which side it comes down.
_HALF, _KEEP = np.int64(1 << 15), np.int64(-1 << 16)


def expectation_maximisation(
    votes, counts, num_classes, prior, tolerance=1e-5, max_iterations=1000, start="shares"
):
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
    tolerance, max_iterations, start
        As for `staple`.

    Returns
    -------
    posterior : numpy.ndarray, (N, P, C)
    confusion : numpy.ndarray, (N, R, C, C), 0 in the columns of classes without a voxel
    iterations : numpy.ndarray of int, (N,)
    change : numpy.ndarray, (N,)
    log_likelihood : numpy.ndarray, (N,)
    """
    # Class-major throughout: (N, C, P) and (N, true, rater x said) keep the long axis last.
    raters = votes.shape[1]
    said = np.eye(num_classes)[votes]
    share = np.ascontiguousarray(said.mean(axis=1).T)
    said = said.reshape(len(votes), raters * num_classes)
    said_by = np.ascontiguousarray(said.T)
    weights = counts[:, None, :].astype(np.float64)
    log_prior = np.log(prior, out=np.full(prior.shape, _RULED_OUT), where=prior > 0)[:, :, None]
    if start == "shares":
        confusion = _maximise(said, weights * share)
    else:
        confusion = _simpleitk_start(said, weights, share, raters)
    iterations = np.zeros(len(counts), dtype=np.int64)
    change = np.full(len(counts), np.inf)
    active = np.arange(len(counts))
    weight, log_p, theta = weights, log_prior, confusion
    for step in range(1, int(max_iterations) + 1):
        mass = _expect(said_by, log_p, theta)[0]
        mass *= weight
        updated = _maximise(said, mass)
        theta -= updated
        moved = np.maximum.reduce(np.abs(theta, out=theta), axis=(1, 2))
        theta = updated
        going = moved > tolerance
        if step == max_iterations or not going.all():
            confusion[active], iterations[active], change[active] = theta, step, moved
            if step == max_iterations or not going.any():
                break
            active = active[going]
            weight, log_p, theta = weight[going], log_p[going], theta[going]
    posterior, evidence = _expect(said_by, log_prior, confusion)
    evidence[evidence < _NEVER / 2] = -np.inf
    evidence[counts == 0] = 0.0
    likelihood = (counts * evidence).sum(axis=1)
    confusion = confusion.reshape(len(counts), num_classes, raters, num_classes)
    return (
        posterior.transpose(0, 2, 1),
        confusion.transpose(0, 2, 3, 1),
        iterations,
        change,
        likelihood,
    )


def _expect(said_by, log_prior, confusion) -> tuple[np.ndarray, np.ndarray]:
    """E step: posterior ``(N, C, P)`` of each pattern, and its log probability ``(N, P)``."""
    with np.errstate(divide="ignore"):
        log_confusion = np.log(confusion)
    score = np.matmul(np.maximum(log_confusion, _NEVER, out=log_confusion), said_by)
    score += log_prior
    peak = np.maximum.reduce(score, axis=1, keepdims=True)
    score -= peak
    np.exp(score, out=score)
    total = np.add.reduce(score, axis=1, keepdims=True)
    score /= total
    return score, (peak + np.log(total))[:, 0]


def _maximise(said, mass) -> np.ndarray:
    """M step: confusion ``(N, C, R * C)`` from the expected voxels of each class and pattern."""
    joint = np.matmul(mass, said)
    total = np.add.reduce(mass, axis=2, keepdims=True)
    total[total == 0] = 1.0  # a class without a voxel keeps zeros
    joint /= total
    bits = joint.view(np.int64)
    bits += _HALF
    bits &= _KEEP
    return joint


def _simpleitk_start(said, weights, share, raters) -> np.ndarray:
    """First confusion matrices of SimpleITK's MultiLabelSTAPLE, ``(N, C, R * C)``.

    It counts, per rater, what was said against what most said, and divides by how often it was
    said. Voxels whose vote is tied are counted one cell past the end of their row, which is the
    first cell of the next: as class 0 where the rater said one class more.
    """
    most = share == share.max(axis=0)
    tied = most.sum(axis=0) > 1
    counts = np.matmul(weights * (most & ~tied), said)
    astray = np.matmul(weights * tied, said).reshape(len(weights), raters, -1)
    first = counts[:, 0].reshape(astray.shape)
    first[:, :, 1:] += astray[:, :, :-1]
    total = np.add.reduce(counts, axis=1, keepdims=True)
    return counts / np.where(total > 0, total, 1.0)


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
    """Say if renaming the true classes would make the raters agree better with the truth.

    Takes confusion matrices ``(R, C, C)``, zeros for a class without a voxel, and compares the
    sum of the mean diagonal with that of the best permutation; for two classes: whether mean
    sensitivity + specificity is below 1.
    """
    mean = np.asarray(confusion).mean(axis=0)
    if (mean.argmax(axis=0) == np.arange(len(mean))).all():
        return False
    said, true = linear_sum_assignment(mean, maximize=True)
    return bool(mean[said, true].sum() > np.trace(mean) + TIE)
