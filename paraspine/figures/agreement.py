"""Figures of agreement: Dice by class, pair of raters and level; Bland-Altman plots."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import cycle

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from .style import (
    HOVER,
    NEUTRAL,
    PALETTE,
    check_columns,
    colours_for,
    finish,
    groups_of,
    hover,
    note,
)

__all__ = ["agreement_by_level", "bland_altman", "dice_by_class", "pairwise_dice"]

#: Symbols that tell points apart as colours do.
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "x", "star", "triangle-down", "cross")


def _boxes(
    frame: pd.DataFrame,
    *,
    x: str,
    order: Sequence[str] | None,
    group: str | None,
    value: str,
    colours: Mapping[str, str] | None,
    hover_columns: Sequence[str],
) -> go.Figure:
    figure = go.Figure()
    rows = frame[frame[value].notna()]
    if rows.empty:
        return note(figure, "Nothing here is defined for this cohort.")
    places = list(order) if order is not None else list(groups_of(rows, x))
    groups = {"": rows} if group is None else groups_of(rows, group)
    chosen = colours_for(list(groups), colours)
    for name, own in groups.items():
        own = own[own[x].astype(str).isin(places)]
        first = f"{name}<br>%{{x}}: %{{y:.3f}}" if name else "%{x}: %{y:.3f}"
        figure.add_box(
            x=own[x].astype(str), y=own[value].to_numpy(float), name=name or value,
            marker={"color": chosen[name], "size": 3.5, "opacity": 0.6},
            line={"width": 1.5}, fillcolor=_tint(chosen[name]),
            boxpoints="all", jitter=0.55, pointpos=0, hoveron="points",
            **hover(own, hover_columns, first),
        )  # fmt: skip
    figure.update_layout(boxmode="group", boxgap=0.25, boxgroupgap=0.15)
    return figure.update_xaxes(categoryorder="array", categoryarray=places, showgrid=False)


def _tint(colour: str, opacity: float = 0.18) -> str:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"


def dice_by_class(
    frame: pd.DataFrame,
    *,
    source: str,
    value: str = "value",
    class_column: str = "class",
    group: str | None = None,
    classes: Sequence[str] | None = None,
    hover_columns: Sequence[str] = HOVER,
    colours: Mapping[str, str] | None = None,
    title: str = "Dice by class",
    y_title: str = "Dice",
    detail: str = "",
) -> go.Figure:
    """Box and points of a measure per class, for raters and models side by side.

    Parameters
    ----------
    frame : DataFrame
        Tidy: one row per image, class and group; NaN (undefined) is left out.
    source : str
        Where the data comes from.
    value, class_column : str
        Columns of the measure and of the class name.
    group : str, optional
        Column that tells, for example, raters from models.
    classes : sequence of str, optional
        Order of the classes (``ClassTable.foreground``); that of appearance if left out.
    hover_columns, colours, title, y_title, detail
        Words and colours.

    Returns
    -------
    plotly Figure
        A box is the quartiles, its whiskers reach to 1.5 interquartile ranges.
    """
    check_columns(frame, [value, class_column, group], name="dice_by_class")
    figure = _boxes(
        frame, x=class_column, order=classes, group=group, value=value, colours=colours,
        hover_columns=hover_columns,
    )  # fmt: skip
    figure.update_yaxes(title_text=y_title)
    return finish(figure, title, source, detail=detail, legend=group is not None, bottom=36)


def pairwise_dice(
    frame: pd.DataFrame,
    *,
    source: str,
    value: str = "value",
    class_column: str = "class",
    pair: str | tuple[str, str] = "pair",
    classes: Sequence[str] | None = None,
    hover_columns: Sequence[str] = HOVER,
    title: str = "Agreement of the raters, in pairs",
    detail: str = "",
) -> go.Figure:
    """Dice of every pair of raters per class.

    Parameters
    ----------
    frame : DataFrame
        One row per image, class and pair of raters.
    source : str
        Where the data comes from.
    value, class_column : str
        Columns of the Dice and of the class name.
    pair : str or (str, str)
        The column that names the pair, or the two columns that name its raters.
    classes, hover_columns, title, detail
        As `dice_by_class`.
    """
    if not isinstance(pair, str):
        check_columns(frame, pair, name="pairwise_dice")
        first, second = pair
        names = frame[first].astype(str) + " – " + frame[second].astype(str)
        frame, pair = frame.assign(pair=names), "pair"
    return dice_by_class(
        frame, source=source, value=value, class_column=class_column, group=pair,
        classes=classes, hover_columns=hover_columns, title=title, detail=detail,
    )  # fmt: skip


def agreement_by_level(
    frame: pd.DataFrame,
    *,
    source: str,
    value: str = "value",
    level: str = "level",
    group: str | None = "class",
    levels: Sequence[str] | None = None,
    hover_columns: Sequence[str] = ("subject", "image", "slice", "class"),
    colours: Mapping[str, str] | None = None,
    title: str = "Agreement of the raters by level",
    y_title: str = "pairwise Dice",
    detail: str = "",
) -> go.Figure:
    """Box and points of a measure per level, with the classes (or anything else) side by side.

    Parameters
    ----------
    frame : DataFrame
        One row per image and class, with a column for the level.
    source : str
        Where the data comes from.
    value, level, group : str
        Columns.
    levels : sequence of str, optional
        Their order, for example ``anatomy.LEVELS``; levels that don't occur are passed over.
    hover_columns, colours, title, y_title, detail
        Words and colours.
    """
    check_columns(frame, [value, level, group], name="agreement_by_level")
    there = set(frame.loc[frame[value].notna(), level].dropna().astype(str))
    order = None if levels is None else [v for v in levels if v in there]
    figure = _boxes(
        frame, x=level, order=order, group=group, value=value, colours=colours,
        hover_columns=hover_columns,
    )  # fmt: skip
    figure.update_yaxes(title_text=y_title)
    return finish(figure, title, source, detail=detail, legend=group is not None, bottom=36)


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
        return finish(note(go.Figure(), "No two measurements of one thing."), title, source)
    figure = make_subplots(
        1, len(pairs), subplot_titles=list(pairs), shared_yaxes="all", horizontal_spacing=0.04
    )
    marks = zip(groups_of(frame, "class"), cycle(PALETTE), cycle(SYMBOLS), strict=False)
    looks = {name: look for name, *look in marks}
    for column, (pair, rows) in enumerate(pairs.items(), start=1):
        for name, own in groups_of(rows, "class").items():
            colour, symbol = looks[name]
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
