"""Fat inside a muscle found by a threshold on grey values, without any randomness."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..arrays import ImageError, SettingsError, check_same_shape

__all__ = ["Threshold", "mixture_threshold", "otsu_threshold", "threshold_fat"]

#: Grey values beyond this many are joined into as many equal steps before a threshold is sought.
_LEVELS = 1 << 14


@dataclass(frozen=True)
class Threshold:
    """A grey value that parts two kinds of tissue, and how well.

    Attributes
    ----------
    value : float
        The threshold, in units of the image; NaN where all values are the same.
    separability : float
        Share of the variance of the grey values that lies between the two sides, from 0 to 1
        (Otsu's eta). A normal distribution, which has no two sides, reaches 0.64.
    means, sds, weights : tuple of (float, float)
        Mean, standard deviation and share of the darker and of the brighter kind.
    converged : bool
        Whether the fit came to rest; Otsu's always does.
    """

    value: float
    separability: float
    means: tuple[float, float]
    sds: tuple[float, float]
    weights: tuple[float, float]
    converged: bool = True


def otsu_threshold(values) -> Threshold:
    """Otsu's threshold: the split with the largest variance between its two sides.

    Every split between two grey values that occur is tried (up to 16,384 values; more are joined
    into as many equal steps), and the threshold lies halfway between the two.

    Parameters
    ----------
    values : array-like of float
        Grey values, of the voxels inside a muscle for example.

    Returns
    -------
    Threshold
        It always splits, also where there is only one kind of tissue: look at `separability`.

    Raises
    ------
    ImageError
        If there is no value, or one is NaN or infinite.
    """
    return _otsu(*_levels(values))


def mixture_threshold(values, *, tolerance: float = 1e-8, iterations: int = 1000) -> Threshold:
    """Grey value at which a mixture of two normal distributions gives both the same chance.

    Fitted by expectation maximisation from Otsu's split, without any randomness. The threshold is
    the grey value between the two means at which either kind is as likely; if one kind is the
    likelier over that whole stretch, it is the mean of the other.

    Parameters
    ----------
    values : array-like of float
        Grey values, of the voxels inside a muscle for example.
    tolerance : float
        Rest: the mean log-likelihood gains less than this in one step.
    iterations : int
        Steps at most.

    Returns
    -------
    Threshold

    Raises
    ------
    ImageError
        If there is no value, or one is NaN or infinite.
    SettingsError
        If tolerance or iterations aren't positive.
    """
    if not tolerance > 0 or iterations < 1:
        raise SettingsError(
            f"tolerance and iterations: expected positive numbers, got {tolerance!r} and "
            f"{iterations!r}."
        )
    levels, counts = _levels(values)
    start = _otsu(levels, counts)
    if np.isnan(start.value):
        return start
    share = counts / counts.sum()
    centre = share @ levels
    scale = np.sqrt(share @ (levels - centre) ** 2)
    x = (levels - centre) / scale
    floor = 1e-6  # of the total variance: keeps a spike of equal values from becoming a needle
    weights = np.array(start.weights)
    means = (np.array(start.means) - centre) / scale
    variances = np.maximum((np.array(start.sds) / scale) ** 2, floor)
    before, converged = -np.inf, False
    for _ in range(iterations):
        logs = _log_density(x, weights, means, variances)
        together = np.logaddexp(*logs)
        likelihood = share @ together
        if likelihood - before < tolerance:
            converged = True
            break
        before = likelihood
        taken = np.exp(logs - together) * share
        weights = np.maximum(taken.sum(axis=1), 1e-12)
        means = taken @ x / weights
        variances = np.maximum((taken * (x - means[:, None]) ** 2).sum(axis=1) / weights, floor)
        weights /= weights.sum()
    order = np.argsort(means, kind="stable")
    weights, means, variances = weights[order], means[order], variances[order]
    value = _crossing(weights, means, variances) * scale + centre
    return Threshold(
        float(value),
        _separability(levels, counts, value),
        tuple(float(m) for m in means * scale + centre),
        tuple(float(s) for s in np.sqrt(variances) * scale),
        tuple(float(w) for w in weights),
        converged,
    )


_METHODS: dict[str, Callable[..., Threshold]] = {
    "otsu": otsu_threshold,
    "mixture": mixture_threshold,
}


def threshold_fat(image, muscle, *, method: str = "otsu", bright: bool = True) -> np.ndarray:
    """Fat inside a muscle by an automatic threshold on its grey values.

    What baur2021 weighs its network against: with the muscle outlined, a threshold may be enough.

    Parameters
    ----------
    image : array-like of float, (*spatial)
        One image; the bias field should have been corrected.
    muscle : array-like of bool, (*spatial)
        The whole muscle inside its fascia. Left and right, with coils at different distances, are
        better given one by one.
    method : {"otsu", "mixture"}
        `otsu_threshold` or `mixture_threshold`.
    bright : bool
        Fat is brighter than muscle, as in T1- and T2-weighted MR; False for CT.

    Returns
    -------
    numpy.ndarray of bool, (*spatial)
        Fat; nothing where the muscle is empty or all its values are the same.

    Raises
    ------
    ShapeError
        If the shapes differ.
    ImageError
        If a grey value inside the muscle is NaN or infinite.
    SettingsError
        If the method is unknown.
    """
    if method not in _METHODS:
        raise SettingsError(f"method: expected one of {', '.join(_METHODS)}, got {method!r}.")
    image, muscle = np.asarray(image), np.asarray(muscle, dtype=bool)
    check_same_shape(image, muscle, names=("image", "muscle"))
    if not muscle.any():
        return np.zeros(muscle.shape, bool)
    value = _METHODS[method](image[muscle]).value
    return muscle & ((image > value) if bright else (image < value))


def _levels(values) -> tuple[np.ndarray, np.ndarray]:
    """The grey values that occur, rising, and how often; scaled joins of them if there are many."""
    values = np.asarray(values, dtype=float).ravel()
    if not values.size or not np.isfinite(values).all():
        raise ImageError(
            f"values: expected at least one number, all finite, got {values.size} with "
            f"{np.count_nonzero(~np.isfinite(values))} NaN or infinite."
        )
    levels, counts = np.unique(values, return_counts=True)
    if len(levels) > _LEVELS:
        low, high = levels[0], levels[-1]
        step = np.minimum(((levels - low) / (high - low) * _LEVELS).astype(int), _LEVELS - 1)
        total = np.bincount(step, counts, minlength=_LEVELS)
        there = total > 0
        levels = np.bincount(step, counts * levels, minlength=_LEVELS)[there] / total[there]
        counts = total[there]
    return levels, counts


def _otsu(levels: np.ndarray, counts: np.ndarray) -> Threshold:
    share = counts / counts.sum()
    if len(levels) == 1:
        both, nan = (float(levels[0]),) * 2, float("nan")
        return Threshold(nan, nan, both, (0.0, 0.0), (1.0, 0.0))
    centre = share @ levels
    below = np.cumsum(share)[:-1]
    lever = np.cumsum(share * (levels - centre))[:-1]
    between = lever**2 / (below * (1 - below))
    split = int(np.argmax(between)) + 1
    value = levels[split - 1] + (levels[split] - levels[split - 1]) / 2
    sides = []
    for part in (slice(None, split), slice(split, None)):
        weight = share[part].sum()
        mean = share[part] @ levels[part] / weight
        sd = np.sqrt(share[part] @ (levels[part] - mean) ** 2 / weight)
        sides.append((float(mean), float(sd), float(weight)))
    means, sds, weights = zip(*sides, strict=True)
    return Threshold(float(value), _separability(levels, counts, value), means, sds, weights)


def _separability(levels: np.ndarray, counts: np.ndarray, value: float) -> float:
    share = counts / counts.sum()
    centred = levels - share @ levels
    below = levels < value
    weight = share[below].sum()
    if not 0 < weight < 1:
        return 0.0
    lever = share[below] @ centred[below]
    return float(min(lever**2 / (weight * (1 - weight)) / (share @ centred**2), 1.0))


def _log_density(x, weights, means, variances) -> np.ndarray:
    squared = (x - means[:, None]) ** 2 / variances[:, None]
    return np.log(weights)[:, None] - (squared + np.log(2 * np.pi * variances)[:, None]) / 2


def _crossing(weights, means, variances) -> float:
    """Grey value between the means at which both kinds are as likely, by bisection."""
    low, high = means

    def brighter(x: float) -> float:
        dark, bright = _log_density(np.array([x]), weights, means, variances)[:, 0]
        return float(bright - dark)

    if brighter(low) >= 0 or brighter(high) <= 0:
        return float(low if brighter(low) >= 0 else high)
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if brighter(middle) < 0 else (low, middle)
    return float((low + high) / 2)
