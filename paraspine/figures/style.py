"""Template, colours, titles and checks that all figures share."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from itertools import cycle
from types import SimpleNamespace
from typing import NamedTuple

import pandas as pd
import plotly.graph_objects as go

from paraspine import text
from paraspine.arrays import SettingsError

#: Okabe and Ito's colours in an order that stays apart on white and on dark grey.
PALETTE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#999999", "#B8A800")
#: For reference lines: readable on white and on dark grey.
NEUTRAL = "#808890"
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
#: Symbols that tell points apart as colours do.
MARKS = ("circle", "square", "diamond", "triangle-up", "x", "star", "triangle-down", "cross")

#: Columns that a point's label shows where the frame has them.
HOVER = ("subject", "level", "slice")

#: Pixels above the plot for title and source, and below for ticks and axis title.
TOP, BOTTOM = 74, 56
#: Pixels of a row of a legend; rows that a figure's height has room for; width of a page's figure.
ROW, FREE_ROWS, PAGE = 19, 2, 640

_AXIS = {
    "showgrid": True, "gridcolor": "#dfe3e8", "zeroline": False, "showline": True,
    "linecolor": "#8c959f", "ticks": "outside", "ticklen": 4, "tickcolor": "#8c959f",
    "automargin": True, "title": {"standoff": 8, "font": {"size": 13}},
}  # fmt: skip

#: Light by default; the book's script exchanges the colours when a reader chooses the dark theme.
TEMPLATE = go.layout.Template(
    layout={
        "font": {"family": "system-ui, -apple-system, 'Segoe UI', sans-serif", "size": 13,
                 "color": "#24292f"},
        "colorway": PALETTE,
        "paper_bgcolor": "#ffffff",
        "plot_bgcolor": "#ffffff",
        "xaxis": _AXIS,
        "yaxis": _AXIS,
        "title": {"x": 0, "xref": "container", "xanchor": "left", "pad": {"l": 6},
                  "y": 1, "yref": "container", "yanchor": "top", "font": {"size": 16},
                  "subtitle": {"font": {"size": 12.5, "color": "#57606a"}}},
        "legend": {"bgcolor": "rgba(0,0,0,0)", "itemsizing": "constant"},
        "hoverlabel": {"align": "left", "font": {"size": 12.5}},
        "hovermode": "closest",
        "colorscale": {"sequential": "Inferno"},
    }
)  # fmt: skip


def check_columns(frame: pd.DataFrame, columns: Iterable[str | None], *, name: str) -> None:
    """Raise `SettingsError` naming the columns that a frame lacks and those it has."""
    if missing := [c for c in columns if c is not None and c not in frame.columns]:
        raise SettingsError(
            f"{name}: no column {', '.join(map(repr, missing))}; there are "
            f"{', '.join(map(str, frame.columns))}."
        )


def groups_of(frame: pd.DataFrame, column: str) -> dict[str, pd.DataFrame]:
    """Rows of each value of a column, in order of appearance (or of its categories)."""
    values = frame[column]
    if isinstance(values.dtype, pd.CategoricalDtype):
        order = [v for v in values.cat.categories if (values == v).any()]
    else:
        order = list(dict.fromkeys(values.dropna()))
    groups = {str(v): frame[values == v] for v in order}
    if values.isna().any():
        groups["not given"] = frame[values.isna()]
    return groups


class Look(NamedTuple):
    """Colour, symbol and dash of a group."""

    colour: str
    symbol: str
    dash: str


def looks(names: Iterable[str]) -> dict[str, Look]:
    """One colour, symbol and dash per name, in order."""
    kinds = zip(names, cycle(PALETTE), cycle(MARKS), cycle(DASHES), strict=False)
    return {name: Look(*look) for name, *look in kinds}


def estimate_text(estimate, name: str = "", *, digits: int = 2) -> str:
    """``'r = 0.59 [0.41, 0.72]'`` of something with ``value``, ``low`` and ``high``, or a number.

    The interval is left out where it is undefined; an undefined value says so.
    """
    if not hasattr(estimate, "value"):
        estimate = SimpleNamespace(value=float(estimate), low=float("nan"), high=float("nan"))
    words = text.interval(estimate, digits, "brackets")
    return f"{name} {'' if words == 'undefined' else '= '}{words}" if name else words


def hover(frame: pd.DataFrame, columns: Sequence[str], first: str = "") -> dict:
    """``customdata`` and ``hovertemplate`` that show `columns` of a frame, one a line.

    Columns that the frame lacks are passed over, so that the same call fits any cohort; so is a
    ``slice`` that is the same everywhere.
    """
    there = [c for c in columns if c in frame and (c != "slice" or frame[c].nunique() > 1)]
    lines = [first] if first else []
    lines += [f"{c.replace('_', ' ')}: %{{customdata[{i}]}}" for i, c in enumerate(there)]
    rows = frame[there].astype(object).where(frame[there].notna(), "–").to_numpy().tolist()
    return {"customdata": rows or None, "hovertemplate": "<br>".join(lines) + "<extra></extra>"}


def empty(words: str, title: str, source: str) -> go.Figure:
    """Return a figure that holds nothing but the reason for it."""
    figure = go.Figure().update_xaxes(visible=False).update_yaxes(visible=False)
    figure.add_annotation(
        text="<br>".join(textwrap.wrap(words, 60)), showarrow=False, xref="paper", yref="paper",
        x=0.5, y=0.5, font={"size": 14},
    )  # fmt: skip
    return finish(figure, title, source, legend=False, height=260)


def finish(
    figure: go.Figure,
    title: str,
    source: str,
    *,
    height: int = 430,
    detail: str = "",
    legend: bool = True,
    bottom: int = BOTTOM,
) -> go.Figure:
    """Give a figure its template, title, source line, height and a legend below the plot.

    `detail` stands after the source: what the interval is, how many images. A legend of many rows
    adds to `height`, so that the plot keeps its size; `bottom` pixels lie between the two.
    """
    if not str(source).strip():
        raise SettingsError("source: expected words such as 'synthetic phantom', got none.")
    lines = textwrap.wrap(title, 84)
    words = "<br>".join(textwrap.wrap(" · ".join(w for w in (source, detail) if w), 112))
    top = TOP + 20 * (len(lines) - 1) + 16 * words.count("<br>")
    plot = height - top - bottom
    height += ROW * max(0, _legend_rows(figure) - FREE_ROWS) if legend else 0
    figure.update_layout(
        template=TEMPLATE,
        title={"text": "<br>".join(lines), "subtitle": {"text": words}, "pad": {"t": 12, "l": 6}},
        height=height,
        margin={"l": 62, "r": 18, "t": top, "b": bottom, "pad": 0},
        showlegend=legend,
    )
    return place_legend(figure, plot, bottom) if legend else figure


def _legend_rows(figure: go.Figure) -> int:
    """About how many rows a horizontal legend takes on a book's page."""
    names = {
        place: len(trace.name or "")
        for place, trace in enumerate(figure.data)
        if getattr(trace, "showlegend", False) is not False  # pictures and maps have none
    }
    wide = 60 + 7 * max(names.values(), default=0)  # columns are as wide as the longest name
    return -(-len(names) // max(1, int(PAGE / wide)))


def place_legend(figure: go.Figure, plot_height: float, distance: float) -> go.Figure:
    """Put a horizontal legend `distance` pixels below the lowest axis."""
    return figure.update_layout(
        legend={"orientation": "h", "x": 0, "xanchor": "left", "yanchor": "top",
                "y": -distance / max(plot_height, 1), "tracegroupgap": 0}
    )  # fmt: skip
