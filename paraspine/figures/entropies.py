"""Entropy of the prediction against that of the raters."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from .style import (
    HOVER,
    NEUTRAL,
    check_columns,
    empty,
    estimate_text,
    finish,
    groups_of,
    hover,
    looks,
)

X, Y = "gt_entropy", "entropy"
X_TITLE, Y_TITLE = "GT entropy (nats)", "prediction entropy (nats)"
#: First lines of a point's label.
POINT = f"{X_TITLE}: %{{x:.4f}}<br>{Y_TITLE}: %{{y:.4f}}"
NOTHING = "No image has both entropies; with a single rater there is no GT entropy."


def entropies_of(frame: pd.DataFrame, group: str | None, name: str) -> tuple[pd.DataFrame, str]:
    """Rows with both entropies, and words on how many have not."""
    check_columns(frame, [X, Y, group], name=name)
    complete = frame[frame[[X, Y]].notna().all(axis=1)]
    lost = len(frame) - len(complete)
    return complete, f"{lost} without both entropies left out" if lost else ""


def identity_line(top: float) -> go.Scatter:
    """Line of equal entropies."""
    return go.Scatter(
        x=[0, top], y=[0, top], mode="lines", name="equal entropies", hoverinfo="skip",
        line={"color": NEUTRAL, "dash": "dash", "width": 1.5},
    )  # fmt: skip


def entropy_scatter(
    frame: pd.DataFrame,
    *,
    source: str,
    title: str,
    estimate=None,
    colour: str | None = None,
    averages: bool = False,
) -> go.Figure:
    """Prediction entropy over GT entropy, one point an image, with identity line and r.

    Each axis ends where its values do.

    Parameters
    ----------
    frame : DataFrame
        One row per image (and group): ``gt_entropy`` and ``entropy`` in nats; rows in which one is
        NaN are left out and counted.
    source, title : str
        Where the data comes from, and words.
    estimate : Estimate, float or mapping, optional
        The correlation, with ``value``, ``low``, ``high``; with `colour`, a mapping from group to
        estimate. Stands in the legend.
    colour : str, optional
        Column that groups the points; each group has a colour and a symbol.
    averages : bool
        Say each group's mean entropy in the legend.
    """
    complete, lost = entropies_of(frame, colour, "entropy_scatter")
    if complete.empty:
        return empty(NOTHING, title, source)
    groups = {"images": complete} if colour is None else groups_of(complete, colour)
    right, top = (float(complete[c].max()) * 1.05 or 1.0 for c in (X, Y))
    figure = go.Figure(identity_line(max(right, top)))
    for name, look in looks(groups).items():
        rows = groups[name]
        own = estimate.get(name) if isinstance(estimate, Mapping) else estimate
        words = name if own is None else f"{name}: {estimate_text(own, 'r')}"
        if averages:
            words += f"{':' if own is None else ','} mean {rows[Y].mean():.4f}"
        figure.add_scatter(
            x=rows[X].to_numpy(float), y=rows[Y].to_numpy(float), mode="markers", name=words,
            marker={"color": look.colour, "symbol": look.symbol, "size": 8, "opacity": 0.75,
                    "line": {"width": 0.5, "color": "rgba(255,255,255,0.6)"}},
            **hover(rows, [c for c in (colour, *HOVER) if c], POINT),
        )  # fmt: skip
    figure.update_xaxes(title_text=X_TITLE, range=[0, right])
    figure.update_yaxes(title_text=Y_TITLE, range=[0, top])
    words = [f"{len(complete)} {'images' if colour is None else 'points'}", lost]
    words += ["[95 % interval, subjects resampled]"] if estimate is not None else []
    return finish(figure, title, source, height=560, detail=", ".join(w for w in words if w))
