"""Points in a panel for each network, each panel with an axis of its own."""

from __future__ import annotations

import math

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from .style import HOVER, NEUTRAL, PALETTE, check_columns, finish, groups_of, hover

__all__ = ["scatter_panels"]

#: Pixels of a panel, and between two of them for the words above a panel.
PANEL, GAP = 190, 74
SYMBOLS = ("circle", "diamond", "square", "triangle-up")


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

    The line of equal values is drawn where a panel has it; the vertical axis of a panel ends
    where its values do.

    Parameters
    ----------
    frame : DataFrame
        One row a point; rows in which `x` or `y` is NaN are left out and counted.
    x, y, panel, group : str
        Columns: numbers, the panel's words and what colour and symbol tell apart.
    x_title, y_title, source, title : str
        Words, with units.
    """
    check_columns(frame, [x, y, panel, group], name="scatter_panels")
    known = frame[frame[[x, y]].notna().all(axis=1)]
    panels = groups_of(known, panel)
    if not panels:
        words = "No image has both values."
        figure = go.Figure().add_annotation(text=words, showarrow=False)
        return finish(figure, title, source, legend=False, height=260)
    across = min(2, len(panels))
    down = math.ceil(len(panels) / across)
    height = PANEL * down + GAP * (down - 1)
    figure = make_subplots(
        rows=down, cols=across, subplot_titles=list(panels), horizontal_spacing=0.12,
        vertical_spacing=GAP / height if down > 1 else 0,
    )  # fmt: skip
    figure.update_annotations(font_size=12.5)
    right = float(known[x].max()) * 1.05 or 1.0
    names, listed = list(groups_of(known, group)), set()
    for place, rows in enumerate(panels.values()):
        at = {"row": place // across + 1, "col": place % across + 1}
        top = float(rows[y].max()) * 1.05 or 1.0
        end = min(right, top)
        figure.add_scatter(
            x=[0, end], y=[0, end], mode="lines", name="equal", hoverinfo="skip",
            showlegend=place == 0, legendgroup="equal",
            line={"color": NEUTRAL, "dash": "dash", "width": 1.2}, **at,
        )  # fmt: skip
        for name, own in groups_of(rows, group).items():
            number = names.index(name)
            figure.add_scatter(
                x=own[x].to_numpy(float), y=own[y].to_numpy(float), mode="markers", name=name,
                legendgroup=name, showlegend=name not in listed,
                marker={"color": PALETTE[number % len(PALETTE)], "opacity": 0.75,
                        "symbol": SYMBOLS[number % len(SYMBOLS)], "size": 7 + 2 * (number > 0)},
                **hover(own, HOVER, f"{x_title}: %{{x:.4f}}<br>{y_title}: %{{y:.4f}}"), **at,
            )  # fmt: skip
            listed.add(name)
        figure.update_xaxes(range=[0, right], **at)
        figure.update_yaxes(range=[0, top], **at)
        if at["col"] == 1:
            figure.update_yaxes(title_text=y_title, **at)
        if at["row"] == down or place + across >= len(panels):
            figure.update_xaxes(title_text=x_title, **at)
    lost = len(frame) - len(known)
    detail = f"{lost} points without both left out" if lost else ""
    figure = finish(figure, title, source, height=height + 150, detail=detail)
    return figure.update_layout(margin_t=figure.layout.margin.t + 26)
