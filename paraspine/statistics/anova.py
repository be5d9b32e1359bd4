"""Repeated-measures analysis of variance with any number of within-subject factors."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pandas as pd
from scipy import linalg, stats

from ..arrays import SettingsError
from .comparisons import holm
from .estimate import NAN, as_columns, check_columns

__all__ = ["rm_anova"]


def rm_anova(
    frame: pd.DataFrame,
    value: str,
    subject: str,
    within: str | Sequence[str],
    *,
    average: bool = False,
) -> pd.DataFrame:
    """Repeated-measures ANOVA: main effects and all interactions (wesselink2022).

    Each effect is tested on its own orthonormal contrasts: the subjects' contrast scores are
    normal with mean 0 under the null, their mean's size over their spread is F.

    Parameters
    ----------
    frame : pandas.DataFrame
        One row per subject and combination of the factors' levels.
    value, subject : str
        Columns of the number and of who was measured.
    within : str or sequence of str
        Columns of the factors, such as ``["model", "augmentation", "muscle"]``.
    average : bool
        Average several rows of a subject in one cell (its slices, say) instead of refusing them.

    Returns
    -------
    pandas.DataFrame
        One row per effect (``"model"``, ``"model x muscle"``, ...): ``effect``; ``ss``,
        ``ss_error``; ``df``, ``df_error``; ``F``; ``p``; ``p_holm`` (adjusted over the table's
        effects); ``epsilon`` (Greenhouse-Geisser) and ``p_corrected`` with it, for when the
        contrasts' variances differ (sphericity); ``partial_eta2`` and ``generalised_eta2``
        (Olejnik and Algina 2003, all factors manipulated); ``subjects`` tested and ``dropped``
        (subjects without a value in some cell). NaN where there is no variance to compare.

    Raises
    ------
    SettingsError
        If a column is missing, a factor has one level, a cell holds several rows (unless
        `average`), fewer than 2 subjects are complete, or a value is infinite.
    """
    within = as_columns(within)
    if not within:
        raise SettingsError("within: expected at least one factor.")
    check_columns(frame, value=value, subject=subject, within=within)
    scores, levels, dropped = _scores(frame, value, subject, within, average)
    n = len(scores)
    scores = scores - scores.mean()
    noise = 1e-26 * (scores**2).sum()
    of_subjects = scores.shape[1] * (scores.mean(axis=1) ** 2).sum()
    rows = []
    for size in range(1, len(within) + 1):
        for effect in combinations(range(len(within)), size):
            z = scores @ _contrasts(levels, effect)
            mean = z.mean(axis=0)
            rows.append(
                {
                    "effect": " x ".join(within[i] for i in effect),
                    "ss": float(n * (mean**2).sum()),
                    "ss_error": float(((z - mean) ** 2).sum()),
                    "df": float(z.shape[1]),
                    "df_error": float(z.shape[1] * (n - 1)),
                    "epsilon": _epsilon(z - mean),
                }
            )
    table = pd.DataFrame(rows)
    error = table["ss_error"].where(table["ss_error"] > noise, 0.0)
    effect = table["ss"].where(table["ss"] > noise, 0.0)
    table["F"] = (effect / table["df"]).div(error / table["df_error"]).where((effect + error) > 0)
    table["p"] = stats.f.sf(table["F"], table["df"], table["df_error"])
    table["p_holm"] = holm(table["p"])
    table["p_corrected"] = stats.f.sf(
        table["F"], table["df"] * table["epsilon"], table["df_error"] * table["epsilon"]
    )
    table["partial_eta2"] = effect.div(effect + error).where((effect + error) > 0)
    whole = effect + error.sum() + of_subjects
    table["generalised_eta2"] = effect.div(whole).where(whole > 0)
    table["subjects"], table["dropped"] = n, dropped
    columns = ["effect", "ss", "ss_error", "df", "df_error", "F", "p", "p_holm", "epsilon"]
    columns += ["p_corrected", "partial_eta2", "generalised_eta2", "subjects", "dropped"]
    return table[columns]


def _scores(frame, value, subject, within, average) -> tuple[np.ndarray, list[int], int]:
    """Subjects x cells (last factor fastest), levels per factor, and subjects left out."""
    numbers = pd.to_numeric(frame[value], errors="coerce")
    if (wrong := numbers.isna() & frame[value].notna()).any():
        raise SettingsError(f"{value}: expected numbers, got {frame[value][wrong].iloc[0]!r}.")
    if np.isinf(numbers).any():
        raise SettingsError(f"{value}: holds infinite values; replace them by NaN.")
    for name in [subject, *within]:
        if frame[name].isna().any():
            raise SettingsError(f"{name}: holds missing values; each row needs one.")
    frame = frame.assign(**{value: numbers})
    everybody = frame[subject].nunique()
    if not average and (twice := frame.duplicated([subject, *within])).any():
        row = frame[twice].iloc[0]
        where = ", ".join(f"{n}={row[n]!r}" for n in [subject, *within])
        raise SettingsError(
            f"within: {where} occurs more than once; use average=True to take the mean of a "
            "subject's rows in a cell."
        )
    levels = [list(dict.fromkeys(frame[name])) for name in within]
    for name, found in zip(within, levels, strict=True):
        if len(found) < 2:
            raise SettingsError(f"within: {name!r} has one level only, {found}.")
    means = frame.groupby([subject, *within], sort=False, observed=True)[value].mean()
    wide = means.unstack(within)
    grid = pd.MultiIndex.from_product(levels, names=within)
    wide = wide.reindex(columns=grid if len(within) > 1 else levels[0])
    complete = wide.dropna()
    if len(complete) < 2:
        raise SettingsError(
            f"subject: expected at least 2 subjects with a value in each of the {wide.shape[1]} "
            f"cells, got {len(complete)} of {everybody}."
        )
    scores = complete.to_numpy(dtype=np.float64)
    return scores, [len(found) for found in levels], everybody - len(complete)


def _contrasts(levels, effect) -> np.ndarray:
    """Orthonormal contrasts ``(cells, df)`` of an effect: of its factors, means over the others."""
    matrix = np.ones((1, 1))
    for i, size in enumerate(levels):
        if i in effect:
            part = linalg.helmert(size).T
        else:
            part = np.full((size, 1), 1 / np.sqrt(size))
        matrix = np.kron(matrix, part)
    return matrix


def _epsilon(centred) -> float:
    """Greenhouse-Geisser epsilon from the subjects' centred contrast scores."""
    covariance = centred.T @ centred
    square = (covariance**2).sum()
    if square <= 0:
        return NAN
    return float(np.trace(covariance) ** 2 / (len(covariance) * square))
