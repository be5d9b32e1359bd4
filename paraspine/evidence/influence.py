"""Influence of single subjects: a statistic with each subject left out in turn.

With few subjects one of them can make a correlation. Each function computes its statistic without
each subject, with the interval that the others alone give, so that a page can say how far it moves
and whether one subject decides what is said of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from paraspine import text
from paraspine.statistics import ClusterWeights, Estimate, cluster_weights, sums

NAN = float("nan")
UNKNOWN = Estimate(NAN)

__all__ = ["Influence", "correlation", "difference", "leave_one_out", "mean", "ratio"]


@dataclass(frozen=True)
class Influence:
    """What leaving out one subject does to a statistic.

    Attributes
    ----------
    low, high : float
        Lowest and highest value with one subject left out; NaN with fewer than two subjects.
    subject : str
        The subject whose absence moves the statistic most; empty where there is none.
    without : Estimate
        The statistic without that subject, with its interval.
    decided_by : tuple of str
        Subjects without any one of whom the interval holds `null`, though with all subjects it
        doesn't: such a result rests on one subject and isn't supported.
    each : tuple of Estimate
        The statistic with each subject left out in turn.
    """

    low: float = NAN
    high: float = NAN
    subject: str = ""
    without: Estimate = UNKNOWN
    decided_by: tuple[str, ...] = ()
    each: tuple[Estimate, ...] = ()

    def columns(self) -> dict:
        """As columns of a table, beside those of the estimate."""
        return {
            "without_low": self.low,
            "without_high": self.high,
            "moved_by": self.subject,
            "moved_to": self.without.value,
            "decided_by": text.listing(self.decided_by),
        }

    def words(self, digits: int = 2) -> str:
        """The range as words, to go behind an estimate: ``"0.3 to 0.5 leaving …"``."""
        if np.isnan(self.low):
            return "unknown without one subject"
        low, high = (text.number(end, digits) for end in (self.low, self.high))
        moved = text.number(self.without.value, digits)
        return f"{low} to {high} leaving one subject out, {moved} without {self.subject}"


def leave_one_out(
    statistic: Callable[[ClusterWeights], np.ndarray], subjects, values=None, *, null: float = 0.0
) -> Influence:
    """Influence of each subject on any statistic of `paraspine.statistics.sums`.

    Parameters
    ----------
    statistic : callable
        Takes draws and returns ``(1 + B,)`` numbers, for example
        ``lambda draws: sums.mean(draws, values)``.
    subjects : array-like, (n,)
        Subject of each row of the statistic's values.
    values : array-like of float, (n,) or (n, K), optional
        As for `cluster_weights`, so that the interval is that of the estimate itself; without it
        the draws go to the subjects in the order of their influence.
    null : float
        Value that an interval must exclude to show something.

    Returns
    -------
    Influence
    """
    draws = cluster_weights(subjects, 1)  # for who there is; drawn from below
    number = len(draws.labels)
    if number < 2:
        return Influence()
    every = np.eye(number, dtype=np.int64)
    if values is None:
        alone = statistic(ClusterWeights(draws.labels, draws.codes, 1 - every))[1:]
        values = np.asarray(alone)[draws.codes]
    values = np.asarray(values, dtype=float)
    draws = cluster_weights(subjects, values=values)
    found = sums.estimate(statistic(draws))
    if np.isnan(found.value):
        return Influence()
    left = []
    for k in range(number):
        others, kept = np.delete(np.arange(number), k), draws.codes != k
        weights = np.zeros((len(draws.weights) + 1, number), dtype=np.int64)
        weights[0] = 1 - every[k]
        weights[1:, others] = cluster_weights(draws.codes[kept], values=values[kept]).weights
        drawn = statistic(ClusterWeights(draws.labels, draws.codes, weights))
        left.append(sums.estimate(drawn[1:]))
    values = np.array([own.value for own in left])
    if np.isnan(values).all():
        return Influence()
    most = int(np.nanargmax(np.abs(values - found.value)))
    decided = ()
    if _excludes(found, null):
        side = found.low > null
        decided = tuple(
            str(name)
            for name, own in zip(draws.labels, left, strict=True)
            if not _excludes(own, null) or (own.low > null) != side
        )
    return Influence(
        float(np.nanmin(values)),
        float(np.nanmax(values)),
        str(draws.labels[most]),
        left[most],
        decided,
        tuple(left),
    )


def correlation(x, y, subjects) -> Influence:
    """Influence on Pearson's r over images ``(n,)``; those with a NaN are left out."""
    both, subjects = _known(subjects, x, y)
    return leave_one_out(lambda draws: sums.correlation(sums.moments(draws, both)), subjects, both)


def mean(values, subjects, *, null: float = 0.0) -> Influence:
    """Influence on the mean over images ``(n,)``; NaN is left out."""
    both, subjects = _known(subjects, values)
    return leave_one_out(lambda draws: sums.mean(draws, both[:, 0]), subjects, both, null=null)


def difference(a, b, subjects) -> Influence:
    """Influence on the mean of the paired differences ``a - b`` of images ``(n,)``."""
    return mean(np.asarray(a, dtype=float) - np.asarray(b, dtype=float), subjects)


def ratio(top, bottom, subjects, *, null: float = 1.0) -> Influence:
    """Influence on the sum of `top` over that of `bottom` ``(n,)``."""
    both, subjects = _known(subjects, top, bottom)
    return leave_one_out(lambda draws: sums.ratio(draws, *both.T), subjects, both, null=null)


def _known(subjects, *columns) -> tuple[np.ndarray, np.ndarray]:
    values = np.stack([np.asarray(column, dtype=float) for column in columns], axis=1)
    keep = ~np.isnan(values).any(axis=1)
    return values[keep], np.asarray(subjects)[keep]


def _excludes(found: Estimate, null: float) -> bool:
    return found.low > null or found.high < null
