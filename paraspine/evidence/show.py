"""Tables for reading: caption, source, intervals that don't break, the best value marked."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from paraspine import text
from paraspine.statistics import Estimate

__all__ = [
    "Cell",
    "Table",
    "estimate",
    "estimates",
    "interval",
    "number",
    "p_value",
    "table",
    "words",
]

#: Heads of columns that many tables share.
HEADS = {
    "condition": "network",
    "class": "structure",
    "clusters": "subjects",
    "n": "images",
    "level": "level",
    "rater": "rater",
    "verdict": "verdict",
}
#: Class of a verdict's cell, by its first word.
VERDICTS = {"supported": "supported", "contradicted": "contradicted"}


@dataclass(frozen=True)
class Cell:
    """How one column of a frame is written.

    Attributes
    ----------
    column : str
        Of the frame.
    kind : str
        ``"interval"``, ``"number"``, ``"p"`` or ``"words"``.
    digits : int
        After the point.
    scale : float
        Factor of the numbers, for example 100 for percent.
    """

    column: str
    kind: str = "words"
    digits: int = 3
    scale: float = 1.0

    def value(self, row: Mapping) -> float:
        """The number that a row has here; NaN for words."""
        return float("nan") if self.kind == "words" else self.scale * float(row[self.column])

    def text(self, row: Mapping) -> str:
        """What stands in the cell."""
        if self.kind == "words":
            return str(row[self.column])
        if self.kind == "p":
            return text.p_value(float(row[self.column]))
        if self.kind == "number":
            return text.number(self.value(row), self.digits)
        found = estimate(row, self.column)
        ends = (self.scale * v for v in (found.value, found.low, found.high))
        return f"{Estimate(*ends):.{self.digits}f brackets}"


def interval(column: str = "mean", digits: int = 3, scale: float = 1.0) -> Cell:
    """An estimate, ``0.90 [0.89, 0.91]``, of a column and its ``_low`` and ``_high``."""
    return Cell(column, "interval", digits, scale)


def number(column: str, digits: int = 0, scale: float = 1.0) -> Cell:
    """A number without interval."""
    return Cell(column, "number", digits, scale)


def p_value(column: str = "p_holm") -> Cell:
    """A p-value."""
    return Cell(column, "p")


def words(column: str) -> Cell:
    """Text as it is."""
    return Cell(column)


def estimate(row: Mapping, column: str | None = None) -> Estimate:
    """A row's value and interval; `column` is ``mean``, ``r`` or ``value`` if left out.

    The interval of these stands in ``low`` and ``high``, that of any other column in
    ``<column>_low`` and ``<column>_high``; without such columns it is undefined.
    """
    main = ("mean", "r", "value", "difference")
    column = column or next(name for name in main if name in row)
    prefix = "" if column in main else f"{column}_"
    ends = (row.get(f"{prefix}{end}", np.nan) for end in ("low", "high"))
    return Estimate(float(row[column]), *map(float, ends))


def estimates(frame: pd.DataFrame, name: str = "condition") -> dict[str, Estimate]:
    """A table's rows as estimates by name, as figures take them."""
    return {str(row[name]): estimate(row) for row in frame.to_dict("records")}


@dataclass(frozen=True)
class Table:
    """A table to show.

    Attributes
    ----------
    frame : pandas.DataFrame
        Text; its index names the rows.
    caption : str
        With the table's number where it has one.
    source : str
        Of the data, for example "synthetic phantom".
    best : frozenset of (int, int)
        Cells, by row and column, that hold the best value of their column.
    folded : bool
        Whether it opens on demand only.
    """

    frame: pd.DataFrame
    caption: str
    source: str = ""
    best: frozenset = frozenset()
    folded: bool = False

    def _repr_html_(self) -> str:
        names = [HEADS.get(name, name) for name in self.frame.index.names]
        heads = [*names, *self.frame.columns]
        lines = [f'<th scope="col">{_safe(h)}</th>' for h in heads]
        body = []
        for i, (index, row) in enumerate(zip(self.frame.index, self.frame.to_numpy(), strict=True)):
            index = index if isinstance(index, tuple) else (index,)
            cells = [f'<th scope="row">{_safe(k)}</th>' for k in index]
            cells += [self._cell(i, j, value) for j, value in enumerate(row)]
            body.append(f"<tr>{''.join(cells)}</tr>")
        source = f' <span class="source">({_safe(self.source)})</span>' if self.source else ""
        whole = (
            '<div class="paraspine-table-box"><table class="paraspine-table">'
            f"<caption>{_safe(self.caption)}{source}</caption>"
            f"<thead><tr>{''.join(lines)}</tr></thead><tbody>{''.join(body)}</tbody></table></div>"
        )
        if not self.folded:
            return whole
        return f"<details><summary>{_safe(self.caption)}</summary>{whole}</details>"

    def _cell(self, i: int, j: int, value: str) -> str:
        kinds = ["best"] if (i, j) in self.best else []
        if self.frame.columns[j] == HEADS["verdict"]:
            kinds += ["verdict", VERDICTS.get(value.split(" ")[0].rstrip(","), "open")]
        head = f' class="{" ".join(kinds)}"' if kinds else ""
        first, bracket, rest = value.partition(" [")
        shown = (
            f'{_safe(first)} <span class="ci">[{_safe(rest)}</span>' if bracket else _safe(value)
        )
        shown = shown.replace(" ± ", "\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}")
        return f"<td{head}>{shown}</td>"


def _safe(value) -> str:
    return html.escape(str(value))


def table(
    frame: pd.DataFrame,
    rows: str | Sequence[str],
    values: Cell | Mapping[str, Cell],
    columns: str | None = None,
    *,
    caption: str,
    source: str = "",
    best: str = "",
    missing: str = "–",
    folded: bool = False,
) -> Table:
    """A frame as a table for reading.

    Parameters
    ----------
    frame : pandas.DataFrame
        One row a result.
    rows : str or sequence of str
        Columns that name the table's rows.
    values : Cell, or mapping of str to Cell
        With `columns` how each cell is written; without it the table's columns by their heads.
    columns : str, optional
        Column of the frame whose values become the table's columns.
    caption, source : str
        See `Table`.
    best : {"", "high", "low"}
        Which value of each column is marked.
    missing : str
        What stands where a combination does not occur.
    folded : bool
        Whether the table opens on demand only.

    Returns
    -------
    Table
    """
    names = [rows] if isinstance(rows, str) else list(rows)
    records = frame.to_dict("records")
    lines: dict[tuple, dict[str, tuple[str, float]]] = {}
    heads = [] if columns else list(values)
    for row in records:
        own = lines.setdefault(tuple(row[n] for n in names), {})
        for head, cell in ({str(row[columns]): values} if columns else values).items():
            own[head] = cell.text(row), cell.value(row)
            heads += [] if head in heads else [head]
    index = (
        pd.MultiIndex.from_tuples(lines, names=names)
        if len(names) > 1
        else pd.Index([key for (key,) in lines], name=names[0])
    )
    nothing = (missing, float("nan"))
    filled = [[own.get(head, nothing) for head in heads] for own in lines.values()]
    shown = pd.DataFrame([[t for t, _ in line] for line in filled], index=index, columns=heads)
    numbers = np.array([[v for _, v in line] for line in filled], dtype=float)
    return Table(shown, caption, source, _best(numbers.reshape(shown.shape), best), folded)


def _best(numbers: np.ndarray, which: str) -> frozenset:
    """Places of the highest or lowest number of each column that has two different ones."""
    if not which or len(numbers) < 2:
        return frozenset()
    found = []
    for j, column in enumerate(numbers.T):
        known = column[~np.isnan(column)]
        if len(set(known)) > 1:
            top = known.max() if which == "high" else known.min()
            found += [(int(i), j) for i in np.flatnonzero(column == top)]
    return frozenset(found)
