"""Tables with a row for each way of training and sampling and the networks side by side."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from paraspine.evidence.conditions import network_label, target_label, with_condition
from paraspine.evidence.show import Cell, Table, estimate, table, words

__all__ = ["by_network", "few"]


def by_network(
    found: pd.DataFrame,
    frame: pd.DataFrame,
    cells: dict[str, Cell],
    printed: pd.DataFrame | None = None,
    digits: int = 2,
    *,
    caption: str,
    source: str,
    folded: bool = False,
) -> Table:
    """One row a way of training and sampling, the networks' columns side by side.

    Parameters
    ----------
    found : pandas.DataFrame
        One row a condition.
    frame : pandas.DataFrame
        What the conditions come from, see `conditions.with_condition`.
    cells : dict of str to Cell
        Columns of each network by their heads; an empty head is the network's name alone.
    printed : pandas.DataFrame, optional
        Published numbers to stand beside: ``model``, ``fusion``, ``method``, ``published``.
    digits : int
        Of the published numbers.
    caption, source, folded
        As for `show.table`.
    """
    found = with_condition(found, frame)
    if printed is not None:
        keys = ["model", "fusion", "method"]
        beside = printed.assign(paper=[f"{value:.{digits}f}" for value in printed["published"]])
        found = found.merge(beside[[*keys, "paper"]], on=keys, how="left", sort=False)
        found["paper"] = found["paper"].fillna("–")
        cells = cells | {"paper": words("paper")}
    lines: dict[tuple, dict] = {}
    for row in found.to_dict("records"):
        how, target = row["method_label"], target_label(row["fusion"])
        if found["seed"].nunique() > 1:
            target += f", seed {row['seed']}"
        own = lines.setdefault((how, target), {"sampled": how, "trained on": target})
        for cell in cells.values():
            own |= _named(row, cell, row["model"])
    shown = {}
    for model in dict.fromkeys(found["model"]):
        for head, cell in cells.items():
            name = f"{network_label(model)}: {head}" if head else network_label(model)
            shown[name] = replace(cell, column=f"{model}: {cell.column}")
    columns = [name for cell in shown.values() for name in (cell.column, *_ends(cell))]
    wide = pd.DataFrame(lines.values(), columns=["sampled", "trained on", *columns])
    for cell in shown.values():
        if cell.kind == "words":
            wide[cell.column] = wide[cell.column].fillna("–")
    rows = ["sampled", "trained on"]
    return table(wide, rows, shown, caption=caption, source=source, folded=folded)


def _ends(cell: Cell) -> list[str]:
    return [f"{cell.column}_{end}" for end in ("low", "high")] if cell.kind == "interval" else []


def _named(row: dict, cell: Cell, model: str) -> dict:
    """What a cell shows of a row, with its ends, under names that begin with the network."""
    found = {f"{model}: {cell.column}": row[cell.column]}
    if cell.kind == "interval":
        known = estimate(row, cell.column)
        found[f"{model}: {cell.column}_low"] = known.low
        found[f"{model}: {cell.column}_high"] = known.high
    return found


def few(table: pd.DataFrame, frame: pd.DataFrame) -> pd.DataFrame:
    """At most four rows to draw: networks on the first target, by one pass and by dropout."""
    known = with_condition(table, frame)
    known = known[known["fusion"] == known["fusion"].iloc[0]] if len(known) else known
    return known[known["method"].isin(["single", "dropout"])].head(4)
