"""Tables for reading, and rows of tables as estimates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from paraspine import statistics, text

__all__ = ["estimate", "estimates", "interval_frame", "labelled", "pretty", "cells"]


def estimate(row) -> statistics.Estimate:
    """A table's row as an `Estimate`."""
    value = row["mean"] if "mean" in row else row["value"]
    return statistics.Estimate(float(value), float(row["low"]), float(row["high"]))


def estimates(table: pd.DataFrame, names: str | Sequence[str]) -> dict[str, statistics.Estimate]:
    """A table's rows as estimates by name, as figures take them."""
    names = [names] if isinstance(names, str) else list(names)
    value = "mean" if "mean" in table else "r"
    return {
        ", ".join(str(row[n]) for n in names): statistics.Estimate(
            float(row[value]), float(row["low"]), float(row["high"])
        )
        for _, row in table.iterrows()
    }


def interval_frame(table: pd.DataFrame, name: str, group: str) -> pd.DataFrame:
    """A table's rows as `figures.intervals` takes them: ``name``, ``value``, ``low``, ``high``.

    Parameters
    ----------
    table : pandas.DataFrame
        With ``mean``, ``low`` and ``high``.
    name : str
        Column that says which line of the figure a row stands on.
    group : str
        Column that colours it; kept.
    """
    columns = {name: "name", "mean": "value"}
    return table.rename(columns=columns)[["name", group, "value", "low", "high"]]


def labelled(table: pd.DataFrame, source: str, index: str | Sequence[str]) -> pd.DataFrame:
    """A table as it is, with the source of its data in the corner.

    Parameters
    ----------
    table : pandas.DataFrame
        What to show.
    source : str
        Words such as "synthetic phantom".
    index : str or list of str
        Columns that name the rows.
    """
    return table.set_index(index).rename_axis(columns=source)


def pretty(
    table: pd.DataFrame,
    index: str | Sequence[str],
    columns: str | None = None,
    *,
    source: str,
    digits: int = 3,
    beside: Mapping[str, int] | None = None,
    missing: str = "",
) -> pd.DataFrame:
    """A table for reading: ``mean (low to high)`` in each cell, one column per class.

    Parameters
    ----------
    table : pandas.DataFrame
        With ``mean`` (or ``r``), ``low`` and ``high``.
    index : str or list of str
        What the rows are.
    columns : str, optional
        What the columns are; without it there is one column of estimates.
    source : str
        Words about the data, such as "synthetic phantom"; they stand in the table's corner.
    digits : int
        Digits after the point.
    beside : mapping of str to int, optional
        Without `columns`: further columns of the table to show, and their digits; with an interval
        where the table has ``<name>_low`` and ``<name>_high``.
    missing : str
        What stands where a combination does not occur.

    Returns
    -------
    pandas.DataFrame
        Of text.
    """
    value = "mean" if "mean" in table else "r"
    names = [index] if isinstance(index, str) else list(index)
    shown = table.assign(cell=cells(table, (value, "low", "high"), digits))
    if columns is None:
        for name, places in (beside or {}).items():
            ends = [f"{name}_{end}" for end in ("low", "high")]
            shown[name] = cells(table, (name, *(e for e in ends if e in table)), places)
        result = shown.set_index(names)[["cell", *(beside or {})]]
        result = result.rename(columns={"cell": "estimate (95 % interval)"})
        return result.rename_axis(columns=source)
    order = list(dict.fromkeys(shown[columns]))
    lines = list(dict.fromkeys(shown[names].itertuples(index=False, name=None)))
    result = shown.set_index([*names, columns])["cell"].unstack(columns)[order]
    result = result.reindex([x if len(names) > 1 else x[0] for x in lines]).fillna(missing)
    return result.rename_axis(columns=source)


def cells(table: pd.DataFrame, columns: Sequence[str], digits: int) -> list[str]:
    """Numbers as text, with their intervals where there are some.

    Parameters
    ----------
    table : pandas.DataFrame
        What they stand in.
    columns : sequence of str
        The number, and the two ends of its interval if it has one.
    digits : int
        Digits after the point.
    """
    words = []
    for v, *ends in table[list(columns)].to_numpy(dtype=float):
        shown = text.number(v, digits)
        if ends and not np.isnan(ends).any():
            shown += f" ({' to '.join(text.number(end, digits) for end in ends)})"
        words.append(shown)
    return words
