"""Slices of the phantom of which the true label distribution is known, and what votes show of it.

``P*`` is what infinitely many raters would say, a panel of raters a sample from it. The entropy of
a sample lies below that of its distribution; by how much is worked out here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import stats
from scipy.special import entr

from paraspine import maps, phantom, volumes
from paraspine.arrays import SettingsError, check_probabilities


@dataclass(frozen=True, eq=False)
class Known:
    """One slice of the phantom of which the truth is known."""

    image: np.ndarray
    """``(H, W)`` float32 in [0, 1]."""
    labels: np.ndarray
    """``(R, H, W)`` uint8, the raters from whom panels are drawn."""
    probabilities: np.ndarray
    """``(C, H, W)`` float32, ``P*``: what infinitely many raters would say."""
    draws: int
    """Raters that ``P*`` is the mean of; none of them is in `labels`."""
    grid: volumes.Grid
    """Where the pixels lie."""

    @cached_property
    def variance(self) -> np.ndarray:
        """``(C,)`` mean over voxels of ``P* (1 - P*)``: the expected Brier score of one rater."""
        p = self.probabilities.astype(np.float64)
        return (p * (1 - p)).reshape(len(p), -1).mean(axis=1) * self.draws / (self.draws - 1)

    @cached_property
    def entropy(self) -> np.ndarray:
        """``(H, W)`` true entropy, nats, corrected for the number of draws (`miller_madow`)."""
        return miller_madow(self.probabilities, self.draws)

    @cached_property
    def distinct(self) -> tuple[np.ndarray, np.ndarray]:
        """Voxels (flat indices) that stand for all, and how many each stands for.

        Voxels at which all raters and ``P*`` are sure of the same class look alike to every way of
        fusing raters, so one of them stands for the others.
        """
        labels = self.labels.reshape(len(self.labels), -1)
        sure = (labels == labels[0]).all(axis=0)
        certainty = self.probabilities.reshape(len(self.probabilities), -1)
        sure &= np.take_along_axis(certainty, labels[:1].astype(np.intp), axis=0)[0] == 1
        others = np.flatnonzero(~sure)
        _, first, count = np.unique(
            np.where(sure, labels[0], 255), return_index=True, return_counts=True
        )
        alike = sure[first]
        return (
            np.concatenate([others, first[alike]]),
            np.concatenate([np.ones(len(others)), count[alike]]),
        )


def known_truth(
    data, settings: Mapping, *, pool: int = 20, draws: int = 400, seed: int = 0
) -> list[Known]:
    """Draw slices of a phantom cohort again with many raters, and find their truth.

    The first of the `pool` (up to 26) are the cohort's own raters. ``P*`` is the mean of `draws`
    others, each with a style of their own: the population from which the pool is drawn.
    """
    if settings.get("kind", "slices") != "slices":
        raise SettingsError("kind: expected a phantom of slices, not of volumes.")
    own = {**settings, "raters": pool, "single_rater": 0.0}
    found = []
    for row in data.table.to_dict("records"):
        where = int(str(row["subject"]).removeprefix("sub-")), row["level"]
        case = phantom.simulate(*where, **own)
        truth = phantom.true_probabilities(*where, draws=draws, draw_seed=seed, **own)
        image = case.image[0].astype(np.float32)
        found.append(
            Known(
                image=image / max(float(np.percentile(image, 99.5)), 1.0),
                labels=case.labels[:, 0],
                probabilities=truth.probabilities[:, 0],
                draws=truth.draws,
                grid=case.volume(case.image).grid,
            )
        )
    return found


def expected_entropy_of_votes(probabilities, raters: int, draws: int | None = None) -> np.ndarray:
    """Expected entropy of the votes of a few raters, exactly.

    The votes for a class are binomial, so ``E[H] = sum_c sum_k Bin(k; R, P_c) h(k / R)`` with
    ``h(x) = -x log x``. It lies below ``H(P)``: the small-sample bias of plug-in entropy. Where P
    is itself a share of many raters, the few are taken as drawn from these without replacement
    (hypergeometric instead of binomial), which estimates the expectation without bias.

    Parameters
    ----------
    probabilities : array-like of float, (C, *spatial)
        The raters' true label distribution.
    raters : int
        How many vote, independently.
    draws : int, optional
        Of how many raters `probabilities` are the shares; left out, they are exact.

    Returns
    -------
    numpy.ndarray of float64, (*spatial)
        In nats; 0 for one rater.

    Raises
    ------
    ShapeError, ProbabilityError, SettingsError
        If these are no probabilities, or there are too few raters or draws.
    """
    p = check_probabilities(probabilities)
    if raters < 1 or (draws is not None and draws < raters):
        raise SettingsError(
            f"raters: expected at least 1 and no more than the draws ({draws}), got {raters}."
        )
    torn = (p > 0) & (p < 1)  # the others have votes that are certain
    values, codes = np.unique(p[torn].astype(np.float64), return_inverse=True)
    votes = np.arange(raters + 1)
    if draws is None:
        chance = stats.binom.pmf(votes, raters, values[:, None])
    else:
        shares = np.rint(values * draws).astype(int)[:, None]
        chance = stats.hypergeom.pmf(votes, draws, shares, raters)
    found = np.zeros(p.shape)
    found[torn] = (chance * entr(votes / raters)).sum(axis=1)[codes]
    return found.sum(axis=0)


def miller_madow(shares, raters: int) -> np.ndarray:
    """Entropy of votes, raised by ``(m - 1) / (2 R)`` where m classes had a vote (Miller 1955).

    Parameters
    ----------
    shares : array-like of float, (C, *spatial)
        Share of the raters who gave each class.
    raters : int
        How many they are.

    Returns
    -------
    numpy.ndarray of float64, (*spatial)
        In nats. Unanimous voxels stay at 0.
    """
    shares = check_probabilities(shares)
    seen = (np.asarray(shares) > 0).sum(axis=0)
    return maps.entropy(shares.astype(np.float64)) + (seen - 1) / (2 * raters)
