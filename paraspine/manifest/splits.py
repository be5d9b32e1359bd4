"""Stratified splits and folds by subject, independent of the order of rows."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from paraspine.arrays import ManifestError, SettingsError, check_whole
from paraspine.manifest.dealing import deal

__all__ = ["SIDES", "check_split", "folds", "split", "strata"]

#: Names of the sides where fractions come as three numbers.
SIDES = ("train", "validation", "test")

#: Columns that are stratified by if they are there; any other one must be there.
USUAL = ("age", "sex")


def split(
    cohort,
    fractions: Mapping[str, float] | Sequence[float],
    by: str = "subject",
    stratify: Sequence[str] = USUAL,
    seed: int = 0,
    *,
    bins: int | Mapping[str, Sequence[float]] = 3,
) -> pd.Series:
    """Split a cohort into sides; no subject stands on two of them.

    Sides get whole numbers of subjects by the largest-remainder rule, and at least one where their
    fraction is above 0. Within every stratum each side gets its share, rounded up or down, and so
    it does at every level of the strata (the age groups, then sex within them).

    Parameters
    ----------
    cohort : Cohort or pandas.DataFrame
        What to split.
    fractions : mapping of str to float, or 3 floats
        Share of each side, summing to 1; three numbers are train, validation and test. Whole
        numbers that sum to the number of subjects are taken as counts, such as (76, 19, 24).
    by : str
        Column whose values stay together: ``subject``; ``image`` splits by row.
    stratify : sequence of str
        Columns to balance; ``()`` for none. ``age`` and ``sex`` are left out where the table lacks
        them. Numeric columns are grouped into `bins`; missing values make a stratum of their own.
    seed : int
        Another seed, another split; the same seed gives the same split whatever the rows' order.
    bins : int or mapping of str to edges
        Numbers are grouped into this many groups of equal size (over `by`), or at given edges,
        such as ``{"age": [40, 60]}`` for below 40, 40 to below 60, 60 and above.

    Returns
    -------
    pandas.Series of str
        Side of each row, with the table's index, named ``split``.

    Raises
    ------
    SettingsError
        If a column is missing, fractions do not sum to 1 or there are fewer subjects than sides.
    """
    table = _table(cohort)
    if not isinstance(fractions, Mapping):
        fractions = tuple(fractions)
        if len(fractions) != len(SIDES):
            raise SettingsError(
                f"fractions: expected three ({', '.join(SIDES)}) or a mapping, got {fractions}."
            )
        fractions = dict(zip(SIDES, fractions, strict=True))
    names = np.array([str(n) for n in fractions], dtype=object)
    numbers = _deal(table, list(fractions.values()), list(names), by, stratify, bins, seed)
    return pd.Series(names[numbers], table.index, dtype="str", name="split")


def folds(
    cohort,
    k: int,
    by: str = "subject",
    stratify: Sequence[str] = USUAL,
    seed: int = 0,
    *,
    bins: int | Mapping[str, Sequence[float]] = 3,
) -> pd.Series:
    """Number every row with its fold, 0 to k - 1; no subject stands in two folds.

    Fold sizes differ by at most one subject, within every stratum too. Other parameters and errors
    as in `split`.

    Parameters
    ----------
    k : int
        Number of folds, at least 2.

    Returns
    -------
    pandas.Series of int
        Fold of each row, with the table's index, named ``fold``.
    """
    check_whole("folds", k, 2)
    table = _table(cohort)
    names = [f"fold {i}" for i in range(k)]
    numbers = _deal(table, [1 / k] * k, names, by, stratify, bins, seed, equal=True)
    return pd.Series(numbers, table.index, name="fold")


def _deal(table, fractions, names, by, stratify, bins, seed, equal=False) -> np.ndarray:
    """Number of each row's side."""
    groups = _groups(table, by)
    counts = _counts(fractions, len(groups), names, by)
    layers = strata(table, by, stratify, bins=bins)
    keys = [tuple(row) for row in layers.to_numpy()]
    side = deal(groups, keys, counts, seed, equal=equal)
    return np.array([side[g] for g in table[by]], dtype=np.int64)


def strata(
    cohort,
    by: str = "subject",
    stratify: Sequence[str] = USUAL,
    *,
    bins: int | Mapping[str, Sequence[float]] = 3,
) -> pd.DataFrame:
    """Show the strata that `split` uses: one row per subject, one column of text per variable.

    Parameters as in `split`. Of several values within a subject, numbers are averaged and of words
    the most frequent one is taken (the alphabetically first, if there are several).
    """
    table = _table(cohort)
    groups = _groups(table, by)
    if isinstance(stratify, str):
        stratify = (stratify,)
    result = pd.DataFrame(index=pd.Index(groups, name=by))
    for name in stratify:
        if name not in table:
            if name in USUAL:
                continue
            raise SettingsError(f"stratify: no column '{name}'; there are {_columns(table)}.")
        values = table[name]
        if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
            mean = values.astype(float).groupby(table[by]).mean().reindex(groups)
            result[name] = _bin(mean, bins.get(name, 3) if isinstance(bins, Mapping) else bins)
        else:
            words = values.astype(object).where(values.notna(), "unknown").map(str)
            counted = pd.crosstab(table[by].to_numpy(), words.to_numpy()).reindex(groups)
            result[name] = counted.idxmax(axis=1).astype(object)
    return result


def check_split(cohort, assignment, by: str = "subject") -> None:
    """Refuse a split in which one subject stands on two sides.

    Parameters
    ----------
    cohort : Cohort or pandas.DataFrame
        What is split.
    assignment : pandas.Series or sequence
        Side of each row; a series is matched by index.
    by : str
        Column whose values must stay together.

    Raises
    ------
    ManifestError
        If one stands on two sides, or a row on none.
    SettingsError
        If `assignment` does not fit the table.
    """
    table = _table(cohort)
    _groups(table, by)
    if isinstance(assignment, pd.Series):
        if missing := len(table.index.difference(assignment.index)):
            raise SettingsError(
                f"split: expected one side for each of {len(table)} rows, {missing} have none in "
                "the series' index."
            )
        assignment = assignment.reindex(table.index)
    elif len(assignment) != len(table):
        raise SettingsError(
            f"split: expected one side for each of {len(table)} rows, got {len(assignment)}."
        )
    sides = pd.Series(np.asarray(assignment, dtype=object), table.index)
    if none := int(sides.isna().sum()):
        raise ManifestError(f"split: {none} of {len(table)} rows stand on no side; assign them.")
    several = sides.groupby(table[by]).agg(lambda s: sorted(set(map(str, s))))
    torn = several[several.map(len) > 1]
    if len(torn):
        shown = "; ".join(f"{n} in {' and '.join(s)}" for n, s in torn.head(5).items())
        more = f"; and {len(torn) - 5} more" if len(torn) > 5 else ""
        raise ManifestError(
            f"split: {len(torn)} of {len(several)} values of '{by}' stand on two sides ({shown}"
            f"{more}), so the test would know its answers. Split by '{by}' (manifest.split)."
        )


def _table(cohort) -> pd.DataFrame:
    table = getattr(cohort, "table", cohort)
    if not isinstance(table, pd.DataFrame):
        raise SettingsError(f"cohort: expected a Cohort or a table, got {type(cohort).__name__}.")
    return table


def _columns(table: pd.DataFrame) -> str:
    return ", ".join(map(str, table.columns))


def _groups(table: pd.DataFrame, by: str) -> list:
    """What stays together, each once, in an order that does not depend on the rows'."""
    if by not in table:
        raise SettingsError(f"by: no column '{by}'; there are {_columns(table)}.")
    if blank := int(table[by].isna().sum()):
        raise SettingsError(f"by: {blank} of {len(table)} rows have no '{by}'; fill it in.")
    return sorted(table[by].unique().tolist(), key=lambda g: (str(type(g)), g))


def _counts(fractions: list[float], groups: int, names: list[str], by: str) -> list[int]:
    """How many groups each side gets: largest remainders, at least one where it wants any."""
    shares = np.array(fractions, dtype=float)
    if len(shares) < 1 or not np.isfinite(shares).all() or (shares < 0).any():
        raise SettingsError(f"fractions: expected numbers from 0 to 1, got {fractions}.")
    wanted = [str(n) for n, s in zip(names, shares, strict=True) if s > 0]
    if groups < len(wanted):
        raise SettingsError(
            f"split: {groups} values of '{by}' cannot fill {len(wanted)} sides "
            f"({', '.join(wanted)}); add data, or ask for fewer sides."
        )
    if shares.sum() > 1 + 1e-6 and (shares == np.rint(shares)).all():
        if shares.sum() != groups:
            raise SettingsError(
                f"fractions: the counts {fractions} sum to {int(shares.sum())}, but there are "
                f"{groups} values of '{by}'; write fractions that sum to 1, or other counts."
            )
        return [int(s) for s in shares]
    if abs(shares.sum() - 1) > 1e-6:
        raise SettingsError(f"fractions: expected a sum of 1, got {fractions}: {shares.sum():g}.")
    exact = np.round(shares / shares.sum() * groups, 9)
    counts = np.floor(exact).astype(int)
    rest = np.argsort(-(exact - counts), kind="stable")[: groups - counts.sum()]
    counts[rest] += 1
    while (starved := (shares > 0) & (counts == 0)).any():
        counts[int(np.argmax(counts))] -= 1
        counts[int(np.argmax(starved))] += 1
    return counts.tolist()


def _bin(values: pd.Series, bins) -> pd.Series:
    """Names of the groups that numbers fall into, 'unknown' for NaN."""
    known = values.dropna()
    if isinstance(bins, int | np.integer):
        if bins < 1:
            raise SettingsError(f"bins: expected at least 1, got {bins}.")
        if known.nunique() <= bins:
            return values.map(lambda v: "unknown" if pd.isna(v) else f"{v:g}").astype(object)
        cuts = np.unique(np.quantile(known, np.arange(1, bins) / bins))
    else:
        cuts = np.asarray(list(bins), dtype=float)
        if cuts.ndim != 1 or not (np.diff(cuts) > 0).all():
            raise SettingsError(f"bins: expected edges in rising order, got {list(bins)}.")
    names = ["all"]
    if len(cuts):
        names = [f"below {cuts[0]:g}"]
        names += [f"{a:g} to {b:g}" for a, b in itertools.pairwise(cuts)]
        names += [f"{cuts[-1]:g} and above"]
    places = np.searchsorted(cuts, values.fillna(0), side="right")
    named = pd.Series([names[p] for p in places], values.index, dtype=object)
    return named.where(values.notna(), "unknown")
