"""The room's estimates for every cell of a tidy frame: frame in, frame out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ..arrays import SettingsError
from .comparisons import _pairs, cells, complete, holm
from .correlation import pearson, spearman
from .estimate import as_columns, check_columns, check_vectors
from .options import options
from .sums import mean_interval

__all__ = ["correlation_table", "difference_table", "mean_table"]


def mean_table(
    frame: pd.DataFrame,
    value: str = "value",
    by: str | Sequence[str] = (),
    groups: str | None = "subject",
    resamples: int | None = None,
    seed: int | None = None,
    *,
    confidence: float | None = None,
) -> pd.DataFrame:
    """Mean of each cell with an interval from resampling subjects.

    Parameters
    ----------
    frame : pandas.DataFrame
        One row per image and cell.
    value : str
        Column of the number.
    by : str or sequence of str
        Columns whose every combination that occurs is a cell.
    groups : str or None
        Column of the cluster; None resamples rows.
    resamples, seed, confidence
        As for `mean_interval`; all cells are resampled with the same seed.

    Returns
    -------
    pandas.DataFrame
        The `by` columns; ``n`` (values averaged), ``undefined`` (NaN, left out), ``infinite``
        (which make the mean infinite), ``clusters``, ``mean``, ``sd`` (divided by n - 1),
        ``median``, ``low``, ``high``.

    Raises
    ------
    SettingsError
        If a column is missing or an option makes no sense.
    """
    by = as_columns(by)
    check_columns(frame, value=value, by=by, groups=[] if groups is None else groups)
    resamples, confidence, seed = options(resamples, confidence, seed)
    rows = []
    for key, cell in _cells(frame, by):
        values = cell[value].to_numpy(dtype=np.float64)
        defined = ~np.isnan(values)
        kept = values[defined]
        owner = None if groups is None else cell[groups].to_numpy()
        found = mean_interval(values, owner, resamples, seed, confidence=confidence)
        finite = np.isfinite(kept).all()
        rows.append(
            key
            | {
                "n": len(kept),
                "undefined": int((~defined).sum()),
                "infinite": int(np.isinf(kept).sum()),
                "clusters": len(kept) if groups is None else pd.Series(owner[defined]).nunique(),
                "mean": found.value,
                "sd": float(kept.std(ddof=1)) if len(kept) > 1 and finite else np.nan,
                "median": float(np.median(kept)) if len(kept) else np.nan,
                "low": found.low,
                "high": found.high,
            }
        )
    columns = ["n", "undefined", "infinite", "clusters", "mean", "sd", "median", "low", "high"]
    return pd.DataFrame(rows, columns=[*by, *columns])


def correlation_table(
    frame: pd.DataFrame,
    x: str,
    y: str,
    by: str | Sequence[str] = (),
    groups: str | None = "subject",
    resamples: int | None = None,
    seed: int | None = None,
    *,
    method: str = "pearson",
    confidence: float | None = None,
) -> pd.DataFrame:
    """Correlation of two columns in each cell.

    Parameters
    ----------
    frame : pandas.DataFrame
        One row per image and cell.
    x, y : str
        Columns correlated.
    by, groups, resamples, seed, confidence
        As for `mean_table`.
    method : {"pearson", "spearman"}
        Which correlation.

    Returns
    -------
    pandas.DataFrame
        The `by` columns; ``n`` (images with both values), ``clusters``, ``r``, ``low``, ``high``,
        ``p`` (see `pearson`), ``p_holm`` (adjusted over the table).

    Raises
    ------
    SettingsError
        If a column is missing or an option makes no sense.
    """
    by = as_columns(by)
    check_columns(frame, x=x, y=y, by=by, groups=[] if groups is None else groups)
    if method not in ("pearson", "spearman"):
        raise SettingsError(f"method: expected 'pearson' or 'spearman', got {method!r}.")
    correlate = pearson if method == "pearson" else spearman
    rows = []
    for key, cell in _cells(frame, by):
        owner = None if groups is None else cell[groups].to_numpy()
        arrays, codes = check_vectors(owner, x=cell[x].to_numpy(), y=cell[y].to_numpy())
        found = correlate(
            cell[x].to_numpy(), cell[y].to_numpy(), owner, resamples, seed, confidence=confidence
        )
        rows.append(
            key
            | {
                "n": len(arrays["x"]),
                "clusters": len(np.unique(codes)),
                "r": found.value,
                "low": found.low,
                "high": found.high,
                "p": found.p,
            }
        )
    table = pd.DataFrame(rows, columns=[*by, "n", "clusters", "r", "low", "high", "p"])
    return table.assign(p_holm=holm(table["p"].to_numpy(dtype=np.float64)))


def difference_table(
    frame: pd.DataFrame,
    value: str,
    condition: str,
    pair: str | Sequence[str],
    by: str | Sequence[str] = (),
    groups: str | None = "subject",
    resamples: int | None = None,
    seed: int | None = None,
    *,
    reference=None,
    confidence: float | None = None,
) -> pd.DataFrame:
    """Mean paired difference of each two conditions, resampling subjects.

    Parameters
    ----------
    frame : pandas.DataFrame
        One row per thing and condition.
    value, condition, pair, by, reference
        As for `paired_test`.
    groups : str or None
        Column of the cluster; None resamples pairs.
    resamples, seed, confidence
        As for `mean_interval`.

    Returns
    -------
    pandas.DataFrame
        The `by` columns; ``a``, ``b``, ``n`` (pairs), ``dropped``, ``clusters``, ``mean_a``,
        ``mean_b``, ``difference`` (mean of a - b), ``low``, ``high``, ``p`` (bootstrap, of no
        difference), ``p_holm`` (adjusted over the table).

    Raises
    ------
    SettingsError
        As `paired_test`.
    """
    by, pair = as_columns(by), as_columns(pair)
    extra = [] if groups is None or groups in pair else [groups]
    check_columns(frame, value=value, condition=condition, pair=pair, by=by, groups=extra)
    resamples, confidence, seed = options(resamples, confidence, seed)
    rows = []
    owned = [] if groups is None else [groups]
    for key, wide, owners in cells(frame, value, condition, pair, by, owned):
        for a, b in _pairs(list(wide.columns), reference):
            both, owners_kept, counts = complete(wide, a, b, owners)
            d = both[:, 0] - both[:, 1]
            owner = np.arange(len(d)) if groups is None else owners_kept[groups].to_numpy()
            found = mean_interval(d, owner, resamples, seed, confidence=confidence, null=0.0)
            rows.append(
                key
                | counts
                | {
                    "clusters": pd.Series(owner).nunique(),
                    "difference": found.value,
                    "low": found.low,
                    "high": found.high,
                    "p": found.p,
                }
            )
    columns = ["a", "b", "n", "dropped", "clusters", "mean_a", "mean_b", "difference", "low"]
    table = pd.DataFrame(rows, columns=[*by, *columns, "high", "p"])
    return table.assign(p_holm=holm(table["p"].to_numpy(dtype=np.float64)))


def _cells(frame, by):
    """Yield each combination of the `by` columns that occurs, in order, with its rows."""
    for name in by:
        if frame[name].isna().any():
            raise SettingsError(f"{name}: holds missing values; each row needs one.")
    if not by:
        yield {}, frame
        return
    for key, cell in frame.groupby(by, sort=False, observed=True):
        yield dict(zip(by, key, strict=True)), cell
