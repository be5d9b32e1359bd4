"""Agreement of raters: Dice by class and pair, disagreement by level, Bland-Altman plots."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from .style import HOVER, NEUTRAL, check_columns, empty, finish, groups_of, hover, looks


def pairwise_dice(frame: pd.DataFrame, *, source: str) -> go.Figure:
    """Box and points of the Dice of every pair of raters, class by class.

    A box is the quartiles, its whiskers reach to 1.5 interquartile ranges.

    Parameters
    ----------
    frame : DataFrame
        `frames.pairwise_frame`: ``value``, ``class``, ``pair``; NaN (undefined) is left out.
    source : str
        Where the data comes from.
    """
    check_columns(frame, ["value", "class", "pair"], name="pairwise_dice")
    return _boxes(frame, "class", "pair", "Agreement of the raters, in pairs", "Dice", source)


def agreement_by_level(
    frame: pd.DataFrame,
    *,
    source: str,
    title: str,
    y_title: str,
    level: str = "level",
    group: str | None = None,
) -> go.Figure:
    """Box and points of a measure per level.

    Parameters
    ----------
    frame : DataFrame
        One row per image (and group) with ``value`` and a column for the level, in the order in
        which they appear or of its categories.
    source, title, y_title : str
        Where the data comes from, and words.
    level, group : str
        Columns; without `group` there is one box a level.
    """
    check_columns(frame, ["value", level, group], name="agreement_by_level")
    figure = _boxes(frame, level, group, title, y_title, source)
    return figure.update_xaxes(title_text=level).update_yaxes(rangemode="tozero")


def _boxes(frame: pd.DataFrame, x, group, title: str, y_title: str, source: str) -> go.Figure:
    rows = frame[frame["value"].notna()]
    if rows.empty:
        return empty("Nothing here is defined for this cohort.", title, source)
    figure, places = go.Figure(), list(groups_of(rows, x))
    groups = {"": rows} if group is None else groups_of(rows, group)
    for name, (colour, *_) in looks(groups).items():
        own = groups[name]
        first = f"{name}<br>%{{x}}: %{{y:.3f}}" if name else "%{x}: %{y:.3f}"
        figure.add_box(
            x=own[x].astype(str), y=own["value"].to_numpy(float), name=name or "value",
            marker={"color": colour, "size": 3.5, "opacity": 0.6},
            line={"width": 1.5}, fillcolor=_tint(colour),
            boxpoints="all", jitter=0.55, pointpos=0, hoveron="points",
            **hover(own, HOVER, first),
        )  # fmt: skip
    figure.update_layout(boxmode="group", boxgap=0.25, boxgroupgap=0.15)
    figure.update_xaxes(categoryorder="array", categoryarray=places, showgrid=False)
    figure.update_yaxes(title_text=y_title)
    return finish(figure, title, source, legend=group is not None)


def _tint(colour: str) -> str:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.18)"


def bland_altman(
    frame: pd.DataFrame,
    limits: Mapping[str, object],
    *,
    source: str,
    title: str = "Muscle area of every two raters",
    unit: str = "mm²",
) -> go.Figure:
    """Difference of two measurements against their mean, a panel for each pair.

    Parameters
    ----------
    frame : DataFrame
        One row per thing measured: ``pair``, ``class``, ``mean`` and ``difference``; NaN is left
        out.
    limits : mapping of str to statistics.BlandAltman
        For each pair ``bias`` (a line), ``low`` and ``high`` (dashed), where they are defined.
    source, title : str
        Where the data comes from, and words.
    unit : str
        Of the measurements.
    """
    check_columns(frame, ["pair", "class", "mean", "difference"], name="bland_altman")
    pairs = groups_of(frame[frame["difference"].notna()], "pair")
    if not pairs:
        return empty("No two measurements of one thing.", title, source)
    figure = make_subplots(
        1, len(pairs), subplot_titles=list(pairs), shared_yaxes="all", horizontal_spacing=0.04
    )
    marks = looks(groups_of(frame, "class"))
    for column, (pair, rows) in enumerate(pairs.items(), start=1):
        for name, own in groups_of(rows, "class").items():
            colour, symbol, _ = marks[name]
            figure.add_scatter(
                x=own["mean"].to_numpy(float), y=own["difference"].to_numpy(float), mode="markers",
                name=name, legendgroup=name, showlegend=column == 1, col=column, row=1,
                marker={"color": colour, "symbol": symbol, "size": 4, "opacity": 0.6},
                **hover(own, HOVER, f"{name}<br>mean %{{x:.0f}}, difference %{{y:.0f}} {unit}"),
            )  # fmt: skip
        found = limits[pair]
        for value, dash in ((found.bias, "solid"), (found.low, "dash"), (found.high, "dash")):
            if not math.isnan(value):
                line = {"color": NEUTRAL, "dash": dash, "width": 1.5}
                figure.add_hline(y=value, line=line, row=1, col=column)
    figure.update_xaxes(matches="x", title_text=f"mean of the two ({unit})")
    figure.update_yaxes(title_text=f"first minus second ({unit})", col=1)
    detail = "lines: mean difference and limits of agreement"
    figure = finish(figure, title, source, detail=detail, bottom=56)
    return figure.update_layout(margin_t=figure.layout.margin.t + 26)  # for the pairs' names
