"""Paired comparisons of conditions, with Holm-adjusted p-values and effect sizes."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
import pandas as pd
from scipy import stats

from ..arrays import SettingsError
from . import sums
from .bootstrap import ClusterWeights, bca_interval, cluster_weights
from .estimate import NAN, as_columns, check_columns
from .options import options

__all__ = ["cells", "complete", "holm", "paired_test"]

#: Resampled differences ranked at once: about 100 MiB, with what is made of them on the way.
CHUNK = 2**21


def holm(p) -> np.ndarray:
    """Holm's step-down adjustment of p-values (Holm 1979).

    Parameters
    ----------
    p : array-like of float, (n,)
        p-values; NaN (a test that could not be made) stays NaN and does not count.

    Returns
    -------
    numpy.ndarray of float64, (n,)
        Adjusted p-values, at most 1.

    Raises
    ------
    SettingsError
        If a value lies outside [0, 1].
    """
    from statsmodels.stats.multitest import multipletests

    p = np.asarray(p, dtype=np.float64)
    tested = ~np.isnan(p)
    if ((p[tested] < 0) | (p[tested] > 1)).any():
        raise SettingsError("p: expected values from 0 to 1.")
    adjusted = np.full(p.shape, NAN)
    if tested.any():
        gc.freeze()  # multipletests collects garbage, a sixth of a second of it beside torch
        try:
            adjusted[tested] = multipletests(p[tested], method="holm")[1]
        finally:
            gc.unfreeze()
    return adjusted


def paired_test(
    frame: pd.DataFrame,
    value: str,
    condition: str,
    pair: str | Sequence[str],
    method: str = "t",
    *,
    by: str | Sequence[str] = (),
    reference=None,
    average: str | None = None,
    clusters: str | None = None,
    confidence: float | None = None,
    resamples: int | None = None,
    seed: int | None = None,
) -> pd.DataFrame:
    """Compare each two conditions on the same things.

    Parameters
    ----------
    frame : pandas.DataFrame
        One row per thing and condition.
    value, condition : str
        Columns of the number compared and of what is compared.
    pair : str or sequence of str
        Columns that say which rows belong together: ``"image"`` as published.
    method : {"t", "wilcoxon"}
        Paired t test (roshanzamir2023) or Wilcoxon signed-rank test (lemay2022; differences of 0
        are left out; exact where SciPy finds that possible).
    by : str or sequence of str
        Columns whose every combination is a table of its own, such as the class.
    reference : optional
        Compare all other conditions with this one only, instead of each two.
    average : str, optional
        Column of the cluster, such as ``"subject"``, within which the pairs' differences are
        averaged before testing: the test by subject, for slices that are not independent.
    clusters : str, optional
        Column of the cluster, such as ``"subject"``, that is resampled for all intervals, by
        image (without `average`) too: the t interval of slices takes them for independent.
    confidence, resamples, seed : optional
        Of the intervals; `defaults` without them. The latter two are used with `clusters`.

    Returns
    -------
    pandas.DataFrame
        One row per `by` cell and pair of conditions: the `by` columns; ``a``, ``b``; ``n``
        (differences tested); ``dropped`` (pairs left out since a value is missing or NaN);
        ``mean_a``, ``mean_b`` (over the pairs kept); ``difference`` (mean of a - b) with its
        interval ``low``, ``high`` (t, or with `clusters` by resampling them);
        ``median_difference``; ``statistic`` (t, or the smaller rank sum); ``df`` (NaN for
        wilcoxon); ``p`` (two-sided); ``p_holm`` (adjusted over all rows of the table);
        ``effect`` and ``effect_name``: Cohen's ``d_z`` (mean over standard deviation of the
        differences) or the matched-pairs ``rank_biserial`` correlation. With `clusters` also
        ``mean_a_low``, ``mean_a_high``, ``mean_b_low``, ``mean_b_high`` (percentile intervals)
        and ``effect_low``, ``effect_high`` (BCa). NaN for what fewer than 2 differences or
        clusters (3 for the effect's interval), or differences without variance, leave undefined.

    Raises
    ------
    SettingsError
        If a column is missing, an option is unknown, a value is infinite, or a pair occurs twice
        under a condition.
    """
    by, pair = as_columns(by), as_columns(pair)
    if method not in ("t", "wilcoxon"):
        raise SettingsError(f"method: expected 't' or 'wilcoxon', got {method!r}.")
    extra = list(dict.fromkeys(c for c in (average, clusters) if c not in (None, *pair)))
    check_columns(frame, value=value, condition=condition, pair=pair, by=by, clusters=extra)
    resamples, confidence, seed = options(resamples, confidence, seed)
    test = _t_test if method == "t" else _wilcoxon
    sizes = _sizes_d_z if method == "t" else _sizes_rank_biserial
    rows = []
    owned = [c for c in (average, clusters) if c is not None]
    for key, wide, owners in cells(frame, value, condition, pair, by, owned):
        for a, b in _pairs(list(wide.columns), reference):
            both, owner, counts = complete(wide, a, b, owners, average)
            d = both[:, 0] - both[:, 1]
            row = key | counts | _interval(d, confidence) | test(d)
            if clusters is not None:
                groups = owner[clusters].to_numpy()
                row |= _means_resampled(both, groups, resamples, seed, confidence)
                row |= _effect_resampled(
                    row["effect"], d, groups, sizes, resamples, seed, confidence
                )
            rows.append(row)
    columns = [*by, "a", "b", "n", "dropped", "mean_a", "mean_b", "difference", "low", "high"]
    columns += ["median_difference", "statistic", "df", "p", "p_holm", "effect", "effect_name"]
    if clusters is not None:
        columns += [f"{n}_{end}" for n in ("mean_a", "mean_b", "effect") for end in ("low", "high")]
    table = pd.DataFrame(rows)
    table["p_holm"] = holm(table["p"]) if len(table) else []
    return table.reindex(columns=columns)


def cells(frame, value, condition, pair, by, owned: Sequence[str] = ()):
    """Yield each `by` cell as its key, pairs x conditions, and pairs x the columns `owned`."""
    numbers = pd.to_numeric(frame[value], errors="coerce")
    if (wrong := numbers.isna() & frame[value].notna()).any():
        raise SettingsError(f"{value}: expected numbers, got {frame[value][wrong].iloc[0]!r}.")
    if np.isinf(numbers).any():
        raise SettingsError(
            f"{value}: holds {int(np.isinf(numbers).sum())} infinite values, whose differences "
            "are undefined; replace them by NaN to leave them out, and say so."
        )
    frame = frame.assign(**{value: numbers})
    for name in [condition, *pair, *by, *owned]:
        if frame[name].isna().any():
            raise SettingsError(f"{name}: holds missing values; each row needs one.")
    order = list(dict.fromkeys(frame[condition]))
    groups = frame.groupby(by, sort=False, observed=True) if by else [((), frame)]
    for key, cell in groups:
        if (twice := cell.duplicated([*pair, condition])).any():
            row = cell[twice].iloc[0]
            where = ", ".join(f"{n}={row[n]!r}" for n in [*pair, condition])
            raise SettingsError(
                f"pair: {where} occurs more than once; add the columns that tell the rows apart "
                "to `pair` or `by`, and use `average` to test by subject."
            )
        wide = cell.set_index([*pair, condition])[value].unstack(condition)
        wide = wide[[c for c in order if c in wide.columns]]
        owners = pd.DataFrame(index=wide.index)
        for name in owned:
            if name in pair:
                owners[name] = wide.index.get_level_values(name)
                continue
            known = cell.drop_duplicates([*pair, name])
            if known.duplicated(pair).any():
                raise SettingsError(
                    f"{name}: a pair belongs to several values of it; add it to `pair`."
                )
            owners[name] = known.set_index(pair)[name]
        yield dict(zip(by, key, strict=True)), wide, owners


def complete(wide, a, b, owners, average: str | None = None):
    """Complete pairs ``(n, 2)``, averaged within clusters; their owners; what they rest on."""
    kept = wide[[a, b]].notna().all(axis=1).to_numpy()
    both, owners = wide.loc[kept, [a, b]].to_numpy(dtype=np.float64), owners[kept]
    if average is not None:
        codes = pd.factorize(owners[average])[0]
        both = pd.DataFrame(both).groupby(codes).mean().to_numpy()
        if (owners.groupby(codes).nunique() > 1).any(axis=None):
            raise SettingsError(
                f"clusters: expected each {average!r} in one of them, since its values are "
                "averaged; some are in several."
            )
        owners = owners.groupby(codes).first()
    means = both.mean(axis=0) if len(both) else (NAN, NAN)
    counts = {"a": a, "b": b, "n": len(both), "dropped": int((~kept).sum())}
    return both, owners, counts | {"mean_a": means[0], "mean_b": means[1]}


def _pairs(conditions, reference) -> list[tuple]:
    if len(conditions) < 2:
        raise SettingsError(
            f"condition: expected at least two conditions to compare, got {conditions}."
        )
    if reference is None:
        return list(combinations(conditions, 2))
    if reference not in conditions:
        raise SettingsError(f"reference: expected one of {conditions}, got {reference!r}.")
    return [(c, reference) for c in conditions if c != reference]


def _interval(d, confidence) -> dict:
    result = {"difference": NAN, "low": NAN, "high": NAN, "median_difference": NAN}
    if len(d):
        result |= {"difference": float(d.mean()), "median_difference": float(np.median(d))}
    if len(d) > 1:
        half = stats.t.ppf(0.5 + confidence / 2, len(d) - 1) * d.std(ddof=1) / np.sqrt(len(d))
        result |= {"low": float(d.mean() - half), "high": float(d.mean() + half)}
    return result


def _t_test(d) -> dict:
    result = {"statistic": NAN, "df": float(len(d) - 1), "p": NAN, "effect": NAN}
    result |= {"effect_name": "d_z"}
    if len(d) < 2:
        return result | {"df": NAN}
    sd = d.std(ddof=1)
    if sd <= 1e-13 * np.abs(d).max():
        return result
    t = d.mean() / (sd / np.sqrt(len(d)))
    p = 2 * stats.t.sf(abs(t), len(d) - 1)
    return result | {"statistic": float(t), "p": float(p), "effect": float(d.mean() / sd)}


def _wilcoxon(d) -> dict:
    result = {"statistic": NAN, "df": NAN, "p": NAN, "effect": NAN}
    result |= {"effect_name": "rank_biserial"}
    d = d[d != 0]
    if len(d) < 2:
        return result
    ranks = stats.rankdata(np.abs(d))
    effect = (ranks[d > 0].sum() - ranks[d < 0].sum()) / ranks.sum()
    test = stats.wilcoxon(d)
    return result | {
        "statistic": float(test.statistic),
        "p": float(test.pvalue),
        "effect": float(effect),
    }


def _means_resampled(both, groups, resamples, seed, confidence) -> dict:
    """Percentile intervals of means and difference, from the same draws of clusters."""
    result = {}
    d = both[:, 0] - both[:, 1]
    for name, values in (("mean_a_", both[:, 0]), ("mean_b_", both[:, 1]), ("", d)):
        found = sums.mean_interval(values, groups, resamples, seed, confidence=confidence)
        result |= {f"{name}low": found.low, f"{name}high": found.high}
    return result


def _effect_resampled(effect, d, groups, sizes, resamples, seed, confidence) -> dict:
    """BCa interval of an effect size: a percentile one lies too far from 0."""
    result = {"effect_low": NAN, "effect_high": NAN}
    draws = cluster_weights(groups, resamples, seed, values=d)
    if np.isnan(effect) or len(draws.labels) < 3:
        return result
    without = replace(draws, weights=1 - np.eye(len(draws.labels), dtype=int))
    ends = bca_interval(effect, sizes(d, draws), sizes(d, without), confidence)
    return dict(zip(result, ends, strict=True))


def _sizes_d_z(d, draws: ClusterWeights) -> np.ndarray:
    """Cohen's d_z of each resample ``(B,)``."""
    found = sums.moments(draws, d[:, None])
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = found.covariance[:, 0, 0] * found.count / (found.count - 1)
        return np.where(variance > 0, found.mean[:, 0] / np.sqrt(variance), NAN)[1:]


def _sizes_rank_biserial(d, draws: ClusterWeights) -> np.ndarray:
    """Matched-pairs rank-biserial correlation of each resample ``(B,)``."""
    sizes = np.full(len(draws.weights), NAN)
    order = np.flatnonzero(d != 0)
    order = order[np.argsort(np.abs(d[order]), kind="stable")]
    if len(order) < 2:
        return sizes
    size = np.abs(d[order])
    starts = np.flatnonzero(np.r_[True, size[1:] > size[:-1]])  # of what is tied
    rows = max(1, CHUNK // len(order))
    for start in range(0, len(sizes), rows):
        times = draws.weights[start : start + rows, draws.codes[order]]
        count = np.add.reduceat(times, starts, axis=1)
        above = np.add.reduceat(times * (d[order] > 0), starts, axis=1)
        ranks = count.cumsum(axis=1) - (count - 1) / 2
        total = (count * ranks).sum(axis=1)
        signed = ((2 * above - count) * ranks).sum(axis=1)
        drawn = total > 0
        sizes[start : start + rows][drawn] = signed[drawn] / total[drawn]
    return sizes
