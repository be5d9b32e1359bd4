"""Small multiples: estimates with their intervals over one knob, a panel for each other one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from .style import DASHES, NEUTRAL, check_columns, colours_for, finish, groups_of, note

__all__ = ["small_multiples"]

#: Pixels of a panel, and between two of them for the words above a panel.
PANEL, GAP = 210, 54


def small_multiples(
    frame: pd.DataFrame,
    x: str,
    *,
    source: str,
    group: str,
    panel: str,
    columns: int | None = None,
    x_title: str,
    y_title: str = "",
    title: str,
    reference: float | None = None,
    same_scale: bool = True,
    theory: Sequence[str] = (),
    interval: str = "95 % interval, subjects resampled",
    detail: str = "",
    colours: Mapping[str, str] | None = None,
) -> go.Figure:
    """Estimates over `x`, one line a group, one panel for each value of `panel`.

    Parameters
    ----------
    frame : DataFrame
        One row per point: `x`, `group`, `panel`, and ``value``, ``low``, ``high``; undefined values
        are left out.
    x : str
        Column of numbers or words, in the order in which they first appear; evenly spaced.
    source : str
        Where the data comes from.
    group, panel : str
        Columns.
    columns : int, optional
        Panels side by side; up to three if left out.
    x_title, y_title, title : str
        Words, with units. Without `y_title` a panel's words say what its axis is.
    reference : float, optional
        A dashed line across every panel.
    same_scale : bool
        Whether all panels share one vertical axis.
    theory : sequence of str
        Groups that are no measurements: dashed lines without points or intervals.
    interval, detail : str
        What the bars are, and more words for the source line.
    colours : mapping, optional
        Group to colour.

    Raises
    ------
    SettingsError
        If a column is missing.
    """
    check_columns(frame, [x, group, panel, "value", "low", "high"], name="small_multiples")
    places = list(groups_of(frame, x))
    panels = groups_of(frame, panel)
    if frame["value"].notna().sum() == 0:
        return finish(note(go.Figure(), "No estimate."), title, source, legend=False, height=260)
    across = min(columns or 3, len(panels))
    down = math.ceil(len(panels) / across)
    height = PANEL * down + GAP * (down - 1)
    figure = make_subplots(
        rows=down,
        cols=across,
        shared_yaxes="all" if same_scale else False,
        subplot_titles=list(panels),
        vertical_spacing=GAP / height if down > 1 else 0,
        horizontal_spacing=0.04 if same_scale else 0.12,
    )
    figure.update_annotations(font_size=13)
    names = list(groups_of(frame, group))
    chosen = colours_for(names, colours)
    measured = [n for n in names if n not in theory]
    lines = [d for d in DASHES if d != "dash" or not theory]
    for number, own in enumerate(panels.values()):
        row, column = number // across + 1, number % across + 1
        for name, points in groups_of(own, group).items():
            points = points[points["value"].notna()]
            if points.empty:
                continue
            step = measured.index(name) if name in measured else (len(measured) - 1) / 2
            shift = 0.36 * ((step + 0.5) / len(measured) - 0.5) if measured else 0.0
            figure.add_trace(
                _line(
                    points,
                    [places.index(str(v)) + shift for v in points[x]],
                    x=x,
                    name=name,
                    colour=chosen[name],
                    dash="dash" if name in theory else lines[measured.index(name) % len(lines)],
                    points_too=name not in theory,
                    listed=not any(t.name == name for t in figure.data),
                ),
                row=row,
                col=column,
            )
    if reference is not None:
        figure.add_hline(y=reference, line={"color": NEUTRAL, "dash": "dash", "width": 1.2})
    figure.update_xaxes(
        tickmode="array", tickvals=list(range(len(places))), ticktext=places,
        range=[-0.5, len(places) - 0.5], showgrid=False,
    )  # fmt: skip
    figure.update_xaxes(title_text=x_title, row=down)
    if y_title:
        figure.update_yaxes(title_text=y_title, col=1)
    words = ", ".join(w for w in (f"bars: {interval}", detail) if w)
    figure = finish(figure, title, source, height=height + 160, detail=words)
    top = figure.layout.margin.t + 18  # room for the words above the first panels
    figure.update_layout(height=height + top + figure.layout.margin.b + 30, margin={"t": top})
    return figure


def _line(points, places, *, x, name, colour, dash, points_too, listed) -> go.Scatter:
    value = points["value"].to_numpy(float)
    low, high = (points[c].to_numpy(float) for c in ("low", "high"))
    limits = [
        "" if math.isnan(lo) else f" [{lo:.3f}, {hi:.3f}]" for lo, hi in zip(low, high, strict=True)
    ]
    bars = {
        "type": "data", "symmetric": False, "thickness": 1.6, "width": 3,
        "array": np.nan_to_num(high - value), "arrayminus": np.nan_to_num(value - low),
        "visible": points_too,
    }  # fmt: skip
    return go.Scatter(
        x=places, y=value, mode="lines+markers" if points_too else "lines", name=name,
        legendgroup=name, showlegend=listed, error_y=bars,
        line={"color": colour, "dash": dash, "width": 1.8}, marker={"color": colour, "size": 7},
        customdata=np.stack([points[x].astype(str), limits], axis=1),
        hovertemplate=f"{name}<br>%{{customdata[0]}}: %{{y:.3f}}%{{customdata[1]}}<extra></extra>",
    )  # fmt: skip
