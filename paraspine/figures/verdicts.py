"""Verdicts on claims at a glance."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from .style import NEUTRAL, check_columns, finish

__all__ = ["verdict_strip"]

#: Colour and mark of each verdict, from good to bad.
MARKS = {
    "supported": ("#0072B2", "circle"),
    "supported in part": ("#56B4E9", "circle-open"),
    "can't tell": (NEUTRAL, "line-ew-open"),
    "not run": (NEUTRAL, "x-thin-open"),
    "mixed": ("#CC79A7", "diamond"),
    "contradicted in part": ("#E69F00", "square-open"),
    "contradicted": ("#D55E00", "square"),
}


def verdict_strip(claims: pd.DataFrame, *, source: str, title: str) -> go.Figure:
    """One mark for each claim, in a row for each table that it is read from.

    Parameters
    ----------
    claims : pandas.DataFrame
        ``claim``, ``read from`` and ``verdict``, one row a claim.
    source : str
        Where the data comes from.
    title : str
        Words.
    """
    check_columns(claims, ["claim", "read from", "verdict"], name="verdict_strip")
    place = claims.groupby("read from", sort=False).cumcount() + 1
    rows = list(dict.fromkeys(claims["read from"]))
    figure = go.Figure()
    for verdict, (colour, mark) in MARKS.items():
        own = claims["verdict"] == verdict
        if own.any():
            figure.add_scatter(
                x=place[own], y=claims.loc[own, "read from"], text=claims.loc[own, "claim"],
                name=verdict, mode="markers", hovertemplate="%{text}",
                marker={"color": colour, "symbol": mark, "size": 17, "line": {"width": 3}},
            )  # fmt: skip
    figure.update_xaxes(
        title="claim, in the paper's order", dtick=1, range=[0.5, place.max() + 0.5]
    )
    figure.update_yaxes(title="read from", categoryorder="array", categoryarray=rows[::-1])
    return finish(figure, title=title, source=source, height=150 + 36 * len(rows))
