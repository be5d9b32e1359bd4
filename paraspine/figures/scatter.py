"""Points in a panel for each network, each panel with a vertical axis of its own."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from .multiples import finish_grid, panel_grid
from .style import HOVER, NEUTRAL, check_columns, empty, groups_of, hover, looks


def scatter_panels(
    frame: pd.DataFrame,
    x: str,
    y: str,
    *,
    panel: str,
    group: str,
    x_title: str,
    y_title: str,
    source: str,
    title: str,
) -> go.Figure:
    """Two columns of a frame against each other, a panel for each value of a third.

    All panels share the horizontal scale; the vertical one of each ends where its values do. The
    dashed line of equal values goes as far as a panel has it.

    Parameters
    ----------
    frame : DataFrame
        One row a point; rows in which `x` or `y` is NaN are left out and counted.
    x, y, panel, group : str
        Columns: numbers, the panel's words, and what colour and symbol tell apart.
    x_title, y_title, source, title : str
        Words, with units.
    """
    check_columns(frame, [x, y, panel, group], name="scatter_panels")
    known = frame[frame[[x, y]].notna().all(axis=1)]
    panels = groups_of(known, panel)
    if not panels:
        return empty("No image has both values.", title, source)
    figure, places, height = panel_grid(list(panels), 2, same_scale=False)
    right = float(known[x].max()) * 1.05 or 1.0
    chosen, listed = looks(groups_of(known, group)), {"equal values"}
    for at, rows in zip(places, panels.values(), strict=True):
        top = float(rows[y].max()) * 1.05 or 1.0
        end = min(right, top)
        figure.add_scatter(
            x=[0, end], y=[0, end], mode="lines", name="equal values", hoverinfo="skip",
            legendgroup="equal values", showlegend=at == places[0],
            line={"color": NEUTRAL, "dash": "dash", "width": 1.2}, **at,
        )  # fmt: skip
        for name, own in groups_of(rows, group).items():
            look = chosen[name]
            figure.add_scatter(
                x=own[x].to_numpy(float), y=own[y].to_numpy(float), mode="markers", name=name,
                legendgroup=name, showlegend=name not in listed,
                marker={"color": look.colour, "symbol": look.symbol, "size": 7, "opacity": 0.75},
                **hover(own, HOVER, f"{x_title}: %{{x:.4f}}<br>{y_title}: %{{y:.4f}}"), **at,
            )  # fmt: skip
            listed.add(name)
        figure.update_xaxes(range=[0, right], **at)
        figure.update_yaxes(range=[0, top], **at)
    lost = len(frame) - len(known)
    words = [f"{lost} points without both left out" if lost else ""]
    return finish_grid(figure, places, height, x_title, y_title, title, source, words)
