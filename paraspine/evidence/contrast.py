"""Statistics of several networks on the same images, resampled together.

Each statistic is made of sums over subjects, so a resample of subjects costs one multiplication,
and conditions that share their draws can be subtracted resample by resample: that is what makes an
interval of a difference a paired one. What another training of a network would change is a second
source of chance, which only several trainings show; `contrast` puts both into one interval.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from paraspine import metrics, statistics
from paraspine.arrays import SettingsError
from paraspine.evidence.results import Condition, Results
from paraspine.statistics import sums

__all__ = [
    "QUANTITIES",
    "Contrast",
    "contrast",
    "estimate_of",
]

#: What `contrast` computes, and the measures that it is computed from.
QUANTITIES = {
    "brier": ("brier",),
    "dice": ("dice",),
    "entropy": ("entropy",),
    "entropy_sd": ("entropy",),
    "correlation": ("gt_entropy", "entropy"),
    "precision": (),
    "epistemic": ("gt_entropy", "entropy"),
    "aleatoric": ("gt_entropy", "entropy"),
    "joint": ("gt_entropy", "entropy"),
    "unique_aleatoric": ("gt_entropy", "entropy"),
    "epistemic_over_aleatoric": ("gt_entropy", "entropy"),
}


#: Quantities of an epistemic and an aleatoric cell together.
SHARES = ("epistemic", "aleatoric", "joint", "unique_aleatoric", "epistemic_over_aleatoric")


#: Quantities with a value per structure.
BY_CLASS = ("brier", "dice")


#: Between which values a quantity lies, where it is not from 0 to 1.
RANGES = {
    "entropy": (0.0, np.inf),
    "entropy_sd": (0.0, np.inf),
    "correlation": (-1.0, 1.0),
    "epistemic_over_aleatoric": (-1.0, 1.0),
}


class Contrast(NamedTuple):
    """A sum of terms and what its interval knows of trainings, see `contrast`.

    Attributes
    ----------
    drawn : numpy.ndarray of float, (1 + resamples,)
        From all subjects, and from each resample.
    trainings : int
        How often its networks were trained, the fewest; 0 where it is of ensembles alone.
    """

    drawn: np.ndarray
    trainings: int


def contrast(
    found: Results,
    quantity: str,
    terms: Sequence[Sequence[Condition]],
    factors: Sequence[float] | None = None,
    *,
    only: str | None = None,
) -> Contrast:
    """A sum of terms, whose resamples hold the chance of subjects and of trainings.

    Of a network that was trained n times with other seeds, the mean over the trainings is taken. To
    each resample of subjects comes a draw of Student's t with n - 1 degrees of freedom, times the
    trainings' standard deviation over the root of n: what is known of the mean over all trainings
    that there might be, if they are normally distributed (its posterior, by the usual prior).
    Terms of the same network are combined training by training first, of the seeds that all of them
    have, so that a difference between two ways of sampling has its own deviation; networks of other
    architectures or targets are other trainings. Of one training nothing is known of the deviation,
    and an ensemble is taken as it is.

    Parameters
    ----------
    found : Results
        What was measured.
    quantity : str
        One of `QUANTITIES`: mean over images and structures of ``brier`` and ``dice``; mean and
        standard deviation over images of predictive entropy (nats); Pearson's ``correlation`` of it
        with GT entropy; ``precision`` (AUC-PR); and the shares of the variance of GT entropy that
        ``epistemic`` and ``aleatoric`` uncertainty explain, both (``joint``), what the aleatoric
        adds (``unique_aleatoric``) and by how much the epistemic explains more.
    terms : sequence of sequences of Condition
        One cell each; for shares the epistemic and the aleatoric one. All terms are computed on the
        images that all of their runs have, and share their draws of subjects.
    factors : sequence of float, (len(terms),), optional
        Of the terms; 1 without.
    only : str, optional
        One structure, for ``brier`` and ``dice``.

    Returns
    -------
    Contrast
        A single term with factor 1 stays within the quantity's range; NaN where undefined.

    Raises
    ------
    SettingsError
        If a quantity is unknown, a cell was not run, or there are not as many factors as terms.
    """
    factors = [1.0] * len(terms) if factors is None else factors
    if len(factors) != len(terms):
        raise SettingsError(f"factors: expected {len(terms)}, one a term, got {len(factors)}.")
    total = np.zeros(1 + found.resamples)
    networks: dict[tuple, list[dict]] = {}
    each = _of_runs(found, quantity, terms, only)
    for factor, term, values in zip(factors, terms, each, strict=True):
        own = next((i for i, cell in enumerate(term) if cell.method != "ensemble"), None)
        if own is None:
            total += factor * np.mean(list(values.values()), axis=0)
            continue
        seeds: dict = {}
        for pair, drawn in values.items():
            seeds.setdefault(pair[own][2], []).append(factor * drawn)
        by_seed = {seed: np.mean(parts, axis=0) for seed, parts in seeds.items()}
        networks.setdefault(term[own][:2], []).append(by_seed)
    trainings = []
    for network, parts in networks.items():
        for k, drawn in enumerate(_by_training(parts)):
            total += drawn.mean(axis=0)
            trainings.append(len(drawn))
            if len(drawn) > 1:
                error = drawn[:, 0].std(ddof=1) / np.sqrt(len(drawn))
                key = zlib.crc32(f"{' '.join(network)} {k}".encode())
                total[1:] += error * _student(len(drawn) - 1, found.resamples, key)
    if len(terms) == 1 and factors[0] == 1:
        total = np.clip(total, *RANGES.get(quantity, (0.0, 1.0)))
    return Contrast(total, min(trainings, default=0))


def _by_training(parts: Sequence[dict]) -> list[np.ndarray]:
    """Sum a network's terms for each seed that all have; one by one where none is shared.

    Each array is ``(seeds, 1 + resamples)``.
    """
    shared = [seed for seed in parts[0] if all(seed in part for part in parts)]
    if shared:
        return [np.stack([sum(part[seed] for part in parts) for seed in shared])]
    return [np.stack(list(part.values())) for part in parts]


def _student(freedom: int, count: int, seed: int) -> np.ndarray:
    """Quantiles of Student's t at equal steps, in random order: draws without uneven tails."""
    order = np.random.default_rng(seed).permutation(count)
    return stats.t.ppf((order + 0.5) / count, freedom)


def _of_runs(
    found: Results, quantity: str, terms: Sequence[Sequence[Condition]], only: str | None
) -> list[dict[tuple, np.ndarray]]:
    """For each term, its runs (of each cell one) to their values, ``(1 + resamples,)``."""
    if quantity not in QUANTITIES:
        raise SettingsError(f"quantity: expected one of {', '.join(QUANTITIES)}, got {quantity!r}.")
    for cell in (c for term in terms for c in term):
        if not found.runs_of(cell):
            raise SettingsError(f"{cell}: there is no such run among {sorted(found.cells())}.")
    if quantity == "precision":
        return _precision(found, [found.runs_of(cell) for (cell,) in terms])
    paired = [_pairs(found, term) for term in terms]
    runs = list(dict.fromkeys(run for term in paired for pair in term for run in pair))
    columns = list(product(QUANTITIES[quantity], runs))
    table = pd.concat([found.wide(measure)[run] for measure, run in columns], axis=1)
    if only is not None:
        table = table[table.index.get_level_values("class") == only]
    table = table.dropna()
    if table.empty:
        undefined = np.full(1 + found.resamples, np.nan)
        return [dict.fromkeys(term, undefined) for term in paired]
    subjects = table.index.get_level_values("subject").to_numpy()
    values = table.to_numpy()
    draws = statistics.cluster_weights(subjects, found.resamples, values=values)
    drawn = sums.moments(draws, values)
    place = {column: i for i, column in enumerate(columns)}

    def of(pair: tuple) -> np.ndarray:
        if quantity in BY_CLASS or quantity == "entropy":
            return drawn.mean[:, place[quantity.removesuffix("_sd"), pair[0]]]
        entropies = [place["entropy", run] for run in pair]
        if quantity == "entropy_sd":
            return np.sqrt(drawn.covariance[:, entropies[0], entropies[0]])
        own = [place["gt_entropy", pair[0]], *entropies]
        if quantity == "correlation":
            return sums.correlation(drawn, *own)
        return _share(*sums.shares(draws, values[:, own]), quantity)

    return [{pair: of(pair) for pair in term} for term in paired]


def estimate_of(values: np.ndarray) -> statistics.Estimate:
    """Estimate of what `contrast` has drawn."""
    return sums.estimate(values)


def _pairs(found: Results, term: Sequence[Condition]) -> list[tuple]:
    """Runs of a term's cells together: of the same seed where there are such, else each with each.

    Shares pair an epistemic run with the aleatoric one of the same training; an ensemble has no
    single one.
    """
    every = list(product(*(found.runs_of(cell) for cell in term)))
    if any(cell.method == "ensemble" for cell in term):
        return every
    return [pair for pair in every if len({run[2] for run in pair}) == 1] or every


def _share(epistemic, aleatoric, joint, quantity: str) -> np.ndarray:
    """A quantity of `SHARES` from R² of the epistemic, of the aleatoric, and of both."""
    return {
        "epistemic": epistemic,
        "aleatoric": aleatoric,
        "joint": joint,
        "unique_aleatoric": joint - epistemic,
        "epistemic_over_aleatoric": epistemic - aleatoric,
    }[quantity]


def _precision(found: Results, terms: list[list[tuple]]) -> list[dict[tuple, np.ndarray]]:
    """AUC-PR of predictive entropy over the pooled voxels of the subjects that all runs have."""
    runs = list(dict.fromkeys(run for term in terms for run in term))
    parts = [found.detectors.get(run, {}) for run in runs]
    shared = tuple(s for s in parts[0] if all(s in part for part in parts))
    if not shared:
        undefined = np.full(1 + found.resamples, np.nan)
        return [{(run,): undefined for run in term} for term in terms]
    values = {run: _precision_of(found, run, shared) for run in runs}
    return [{(run,): values[run] for run in term} for term in terms]


def _precision_of(found: Results, run: tuple, subjects: tuple) -> np.ndarray:
    key = ("precision", run, subjects)
    if key not in found._tables:
        parts = [found.detectors[run][s] for s in subjects]
        pooled = metrics.ErrorDetection(parts[0].bins)
        for part in parts:
            pooled.merge(part)
        drawn = np.full(found.resamples, np.nan)
        if len(subjects) > 1:
            first = found.detectors[next(iter(found.detectors))]
            content = [first[s].prevalence() if s in first else np.nan for s in subjects]
            draws = statistics.cluster_weights(list(subjects), found.resamples, values=content)
            weights = draws.weights
            drawn = metrics.resample_detection(parts, weights)
        found._tables[key] = np.concatenate([[pooled.average_precision()], drawn])
    return found._tables[key]
