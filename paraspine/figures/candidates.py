"""A panel for each candidate: entropies and reliability (lemay2022)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from paraspine.arrays import check_same_shape

from .style import (
    HOVER,
    NEUTRAL,
    PALETTE,
    check_columns,
    colours_for,
    estimate_text,
    finish,
    groups_of,
    hover,
    note,
    place_legend,
)

__all__ = ["entropy_panels", "reliability_panels"]

#: Pixels of a panel, and between two of them for the words above a panel.
PANEL, GAP = 220, 58
#: Over-confidence and under-confidence, as in the other reliability diagram.
OVER, UNDER = PALETTE[4], PALETTE[0]


def entropy_panels(
    frame: pd.DataFrame,
    x: str = "gt_entropy",
    y: str = "entropy",
    *,
    source: str,
    group: str = "condition",
    estimates: Mapping[str, object] | None = None,
    estimate_name: str = "MAE",
    digits: int = 3,
    hover_columns: Sequence[str] = HOVER,
    x_title: str = "GT entropy (nats)",
    y_title: str = "prediction entropy (nats)",
    colours: Mapping[str, str] | None = None,
    title: str = "Entropy of the prediction against disagreement of the raters",
    detail: str = "",
) -> go.Figure:
    """`entropy_scatter` with a panel for each candidate, all on one scale (lemay2022, Fig. 1).

    Parameters
    ----------
    frame : DataFrame
        One row per image and candidate; rows in which `x` or `y` is NaN are left out and counted.
    x, y, group : str
        Columns of the entropies, in nats, and of the candidate.
    source : str
        Where the data comes from.
    estimates : mapping of str to Estimate or float, optional
        A number for each candidate, called `estimate_name`; stands above its panel.
    digits : int
        Digits of the estimates.
    hover_columns, x_title, y_title, colours, title, detail
        Words and colours.
    """
    check_columns(frame, [x, y, group], name="entropy_panels")
    complete = frame[frame[[x, y]].notna().all(axis=1)]
    if complete.empty:
        words = "No image has both entropies; with a single rater there is no GT entropy."
        return finish(note(go.Figure(), words), title, source, legend=False, height=260)
    groups = groups_of(complete, group)
    chosen = colours_for(list(groups), colours)
    top = float(complete[[x, y]].to_numpy().max()) * 1.05 or 1.0
    names = {n: _with(n, estimates, estimate_name, digits) for n in groups}
    figure, places, height = _grid(list(names.values()))
    for at, (name, rows) in zip(places, groups.items(), strict=True):
        figure.add_scatter(
            x=[0, top], y=[0, top], mode="lines", name="equal entropies", hoverinfo="skip",
            showlegend=False, line={"color": NEUTRAL, "dash": "dash", "width": 1.2}, **at,
        )  # fmt: skip
        first = f"{x_title}: %{{x:.4f}}<br>{y_title}: %{{y:.4f}}"
        figure.add_scatter(
            x=rows[x].to_numpy(float), y=rows[y].to_numpy(float), mode="markers", name=name,
            marker={"color": chosen[name], "size": 6, "opacity": 0.7}, showlegend=False,
            **hover(rows, hover_columns, first), **at,
        )  # fmt: skip
    figure.update_xaxes(range=[0, top])
    figure.update_yaxes(range=[0, top])
    lost = len(frame) - len(complete)
    words = ["dashed: equal entropies", detail]
    words += [f"{lost} without both entropies left out"] if lost else []
    return _finish_grid(figure, places, height, x_title, y_title, title, source, words)


def reliability_panels(
    curves: Mapping[str, object],
    *,
    source: str,
    ece: Mapping[str, object] | None = None,
    title: str = "Reliability of each candidate",
    detail: str = "",
) -> go.Figure:
    """Reliability diagram of each candidate in a panel of its own (lemay2022, Figs. 4 and 6).

    Parameters
    ----------
    curves : mapping of str to Reliability
        Objects with ``confidence``, ``accuracy`` and ``count``, ``(bins,)`` each, NaN where a bin
        is empty (`paraspine.metrics.Reliability`).
    source : str
        Where the data comes from.
    ece : mapping, optional
        Expected calibration error of each candidate, a number or an Estimate; stands above its
        panel.
    title, detail : str
        Words.

    Returns
    -------
    plotly Figure
        A grey bar is the accuracy of a bin; between it and the bin's mean confidence, orange says
        over-confident and blue under-confident.

    Raises
    ------
    ShapeError
        If the arrays of a curve don't match.
    """
    if not curves:
        empty = note(go.Figure(), "No candidate was measured.")
        return finish(empty, title, source, legend=False, height=260)
    figure, places, height = _grid([_with(n, ece, "ECE", 3) for n in curves])
    listed = set()
    for at, (name, curve) in zip(places, curves.items(), strict=True):
        confidence, accuracy, count = (
            np.asarray(getattr(curve, k), dtype=float) for k in ("confidence", "accuracy", "count")
        )
        check_same_shape(confidence, accuracy, names=(f"{name} confidence", "accuracy"))
        check_same_shape(confidence, count, names=(f"{name} confidence", "count"))
        width = 1 / len(count)
        centre = (np.arange(len(count)) + 0.5) * width
        there = np.isfinite(confidence) & np.isfinite(accuracy)
        gap = confidence - accuracy
        bars = {
            "accuracy": (there, np.zeros_like(gap), accuracy, "rgba(128,136,144,0.45)"),
            "over-confident": (there & (gap > 0), accuracy, gap, OVER),
            "under-confident": (there & (gap < 0), confidence, -gap, UNDER),
        }
        for words, (shown, base, size, colour) in bars.items():
            if not shown.any():
                continue
            figure.add_bar(
                x=centre[shown], y=size[shown], base=base[shown], width=0.92 * width, name=words,
                legendgroup=words, showlegend=words not in listed, marker={"color": colour},
                customdata=np.stack([confidence, accuracy, count], axis=1)[shown],
                hovertemplate=f"{name}, {words}<br>confidence %{{customdata[0]:.3f}}<br>accuracy "
                "%{customdata[1]:.3f}<br>%{customdata[2]:,.0f} voxels<extra></extra>", **at,
            )  # fmt: skip
            listed.add(words)
        figure.add_scatter(
            x=[0, 1], y=[0, 1], mode="lines", name="calibrated", hoverinfo="skip",
            legendgroup="calibrated", showlegend="calibrated" not in listed,
            line={"color": NEUTRAL, "dash": "dash", "width": 1.5}, **at,
        )  # fmt: skip
        listed.add("calibrated")
    figure.update_layout(barmode="overlay")
    figure.update_xaxes(range=[0, 1])
    figure.update_yaxes(range=[0, 1.005])
    return _finish_grid(
        figure, places, height, "confidence", "accuracy", title, source, [detail], legend=True
    )


def _with(name: str, estimates: Mapping[str, object] | None, word: str, digits: int) -> str:
    """A panel's words: its name, and below it a number where there is one."""
    if estimates is None or name not in estimates:
        return name
    return f"{name}<br>{estimate_text(estimates[name], word, digits=digits)}"


def _grid(names: Sequence[str]) -> tuple[go.Figure, list[dict[str, int]], float]:
    """Panels in rows of three, where each is, and the height of all."""
    across = min(3, len(names))
    down = math.ceil(len(names) / across)
    height = PANEL * down + GAP * (down - 1)
    filled = [[{} if row * across + col < len(names) else None for col in range(across)]
              for row in range(down)]  # fmt: skip
    figure = make_subplots(
        rows=down, cols=across, specs=filled,
        shared_xaxes="all", shared_yaxes="all", subplot_titles=names,
        vertical_spacing=GAP / height if down > 1 else 0, horizontal_spacing=0.04,
    )  # fmt: skip
    figure.update_annotations(font_size=12.5)
    places = [{"row": i // across + 1, "col": i % across + 1} for i in range(len(names))]
    return figure, places, height


def _finish_grid(
    figure, places, height, x_title, y_title, title, source, words, *, legend=False
) -> go.Figure:
    for at in places:
        if at["col"] == 1:
            figure.update_yaxes(title_text=y_title, **at)
        if {"row": at["row"] + 1, "col": at["col"]} not in places:
            figure.update_xaxes(title_text=x_title, showticklabels=True, **at)
    detail = ", ".join(w for w in words if w)
    figure = finish(figure, title, source, height=height + 160, detail=detail, legend=legend)
    top = figure.layout.margin.t + 30  # room for the words above the first panels
    bottom = figure.layout.margin.b
    below = bottom + (30 if legend else 0)
    figure.update_layout(height=height + top + below, margin={"t": top, "b": below})
    return place_legend(figure, height, bottom) if legend else figure
