"""Small multiples: a grid of panels, and estimates with intervals in them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from .style import DASHES, NEUTRAL, check_columns, empty, finish, groups_of, looks, place_legend

#: Pixels of a panel, and between two of them for the words above a panel.
PANEL, GAP = 216, 58


def panel_grid(
    names: Sequence[str], across: int = 3, *, same_scale: bool = True
) -> tuple[go.Figure, list[dict[str, int]], float]:
    """Panels in rows of up to `across`, the row and column of each, and the height of all."""
    across = min(across, len(names))
    down = math.ceil(len(names) / across)
    height = PANEL * down + GAP * (down - 1)
    filled = [[{} if row * across + col < len(names) else None for col in range(across)]
              for row in range(down)]  # fmt: skip
    figure = make_subplots(
        rows=down, cols=across, specs=filled, subplot_titles=list(names),
        shared_yaxes="all" if same_scale else False,
        vertical_spacing=GAP / height if down > 1 else 0,
        horizontal_spacing=0.04 if same_scale else 0.12,
    )  # fmt: skip
    figure.update_annotations(font_size=12.5)
    return (
        figure,
        [{"row": i // across + 1, "col": i % across + 1} for i in range(len(names))],
        height,
    )


def finish_grid(
    figure, places, height, x_title, y_title, title, source, words, *, legend=True
) -> go.Figure:
    """Give a grid its axis titles, one for all columns, and what `finish` gives a figure."""
    for at in places:
        if at["col"] == 1 and y_title:
            figure.update_yaxes(title_text=y_title, **at)
        lowest = {"row": at["row"] + 1, "col": at["col"]} not in places
        figure.update_xaxes(showticklabels=lowest, **at)
    figure.add_annotation(
        text=x_title, showarrow=False, font={"size": 13}, x=0.5, xref="paper", xanchor="center",
        y=0, yref="paper", yanchor="top", yshift=-28,
    )  # fmt: skip
    detail = ", ".join(w for w in words if w)
    finish(figure, title, source, height=height + 160, detail=detail, legend=legend)
    more = figure.layout.height - height - 160  # for a legend of many rows
    top = figure.layout.margin.t + 30  # room for the words above the first panels
    bottom = figure.layout.margin.b
    below = bottom + (30 + more if legend else 0)
    figure.update_layout(height=height + top + below, margin={"t": top, "b": below})
    return place_legend(figure, height, bottom) if legend else figure


def small_multiples(
    frame: pd.DataFrame,
    x: str,
    *,
    source: str,
    title: str,
    group: str,
    panel: str,
    x_title: str,
    y_title: str = "",
    columns: int = 3,
    reference: float | None = None,
    same_scale: bool = True,
    theory: Sequence[str] = (),
) -> go.Figure:
    """Estimates over `x`, one line a group, one panel for each value of `panel`.

    Parameters
    ----------
    frame : DataFrame
        One row per point: `x`, `group`, `panel`, and ``value``, ``low``, ``high``; undefined values
        are left out.
    x : str
        Column of numbers or words, in the order in which they first appear; evenly spaced. A word
        among numbers ("mixed") is not joined to them.
    source, title : str
        Where the data comes from, and words.
    group, panel : str
        Columns.
    x_title, y_title : str
        Words, with units. Without `y_title` a panel's words say what its axis is.
    columns : int
        Panels side by side.
    reference : float, optional
        A dashed line across every panel.
    same_scale : bool
        Whether all panels share one vertical axis.
    theory : sequence of str
        Groups that are no measurements: dashed lines without points or intervals.

    Raises
    ------
    SettingsError
        If a column is missing.
    """
    check_columns(frame, [x, group, panel, "value", "low", "high"], name="small_multiples")
    if frame["value"].notna().sum() == 0:
        return empty("No estimate.", title, source)
    places = list(groups_of(frame, x))
    numbers = pd.to_numeric(pd.Series(places), errors="coerce").notna()
    apart = {p for p, own in zip(places, numbers, strict=True) if numbers.any() and not own}
    panels = groups_of(frame, panel)
    figure, cells, height = panel_grid(list(panels), columns, same_scale=same_scale)
    names = list(groups_of(frame, group))
    chosen = looks(names)
    measured = [n for n in names if n not in theory]
    lines = [d for d in DASHES if d != "dash" or not theory]
    listed = set()
    for at, own in zip(cells, panels.values(), strict=True):
        for name, points in groups_of(own, group).items():
            points = points[points["value"].notna()]
            if points.empty:
                continue
            step = measured.index(name) if name in measured else (len(measured) - 1) / 2
            shift = 0.36 * ((step + 0.5) / len(measured) - 0.5) if measured else 0.0
            rows = _rows(points, x, places, apart, shift)
            dash = "dash" if name in theory else lines[measured.index(name) % len(lines)]
            figure.add_scatter(
                x=rows["place"], y=rows["value"], name=name, legendgroup=name,
                mode="lines" if name in theory else "lines+markers",
                showlegend=name not in listed, connectgaps=False,
                line={"color": chosen[name].colour, "dash": dash, "width": 1.8},
                marker={"color": chosen[name].colour, "size": 7, "symbol": chosen[name].symbol},
                error_y={
                    "type": "data", "symmetric": False, "thickness": 1.6, "width": 3,
                    "array": np.nan_to_num(rows["high"] - rows["value"]),
                    "arrayminus": np.nan_to_num(rows["value"] - rows["low"]),
                    "visible": name not in theory,
                },
                customdata=rows[["x", "limits"]].to_numpy(),
                hovertemplate=f"{name}<br>%{{customdata[0]}}: %{{y:.3f}}%{{customdata[1]}}"
                "<extra></extra>", **at,
            )  # fmt: skip
            listed.add(name)
    if reference is not None:
        figure.add_hline(y=reference, line={"color": NEUTRAL, "dash": "dash", "width": 1.2})
    figure.update_xaxes(
        tickmode="array", tickvals=list(range(len(places))), ticktext=places,
        range=[-0.5, len(places) - 0.5], showgrid=False,
    )  # fmt: skip
    words = ["bars: 95 % interval, subjects resampled"]
    return finish_grid(figure, cells, height, x_title, y_title, title, source, words)


def _rows(points: pd.DataFrame, x: str, places, apart, shift: float) -> pd.DataFrame:
    """Points of a line in order, with a gap on both sides of one that stands apart."""
    rows = []
    for where, value, low, high in points[[x, "value", "low", "high"]].itertuples(index=False):
        limits = "" if math.isnan(low) else f" [{low:.3f}, {high:.3f}]"
        row = (places.index(str(where)) + shift, value, low, high, str(where), limits)
        gap = (None, math.nan, math.nan, math.nan, "", "")
        rows += [gap, row, gap] if str(where) in apart else [row]
    return pd.DataFrame(rows, columns=["place", "value", "low", "high", "x", "limits"])
