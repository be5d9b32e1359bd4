"""Agreement of raters: Dice by class and pair, disagreement by level."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from .style import HOVER, check_columns, empty, finish, groups_of, hover, looks


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
