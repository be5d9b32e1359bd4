"""Figures of entropies: against each other, and how often each occurs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from paraspine.arrays import SettingsError

from .style import (
    DASHES,
    HOVER,
    NEUTRAL,
    check_columns,
    colours_for,
    estimate_text,
    finish,
    groups_of,
    hover,
    note,
)

__all__ = ["entropy_histogram", "entropy_scatter"]


def entropy_scatter(
    frame: pd.DataFrame,
    x: str = "gt_entropy",
    y: str = "entropy",
    *,
    source: str,
    estimate=None,
    colour: str | None = None,
    hover_columns: Sequence[str] = HOVER,
    x_title: str = "GT entropy (nats)",
    y_title: str = "prediction entropy (nats)",
    title: str = "Entropy of the prediction against disagreement of the raters",
    identity: bool = True,
    averages: bool = False,
    interval: str = "95 % interval, subjects resampled",
    colours: Mapping[str, str] | None = None,
) -> go.Figure:
    """Prediction entropy over GT entropy, one point an image, with identity line and r.

    Parameters
    ----------
    frame : DataFrame
        One row per image (and group); rows in which `x` or `y` is NaN are left out and counted.
    x, y : str
        Columns of the entropies, in nats.
    source : str
        Where the data comes from, shown under the title.
    estimate : Estimate, float or mapping, optional
        The correlation, with ``value``, ``low``, ``high``; with `colour`, a mapping from group to
        estimate. Stands in the legend.
    colour : str, optional
        Column that groups the points.
    hover_columns : sequence of str
        Columns shown at a point; those that the frame lacks are passed over.
    x_title, y_title, title : str
        Words on the axes, with units, and above.
    identity : bool
        Draw the line of equal entropies and give both axes the same scale; without it each axis
        has its own, for measures that are much smaller, such as mutual information.
    averages : bool
        Say each group's mean of `y` in the legend.
    interval : str
        What the interval in square brackets is.
    colours : mapping, optional
        Group to colour.

    Returns
    -------
    plotly Figure

    Raises
    ------
    SettingsError
        If a column is missing.
    """
    check_columns(frame, [x, y, colour], name="entropy_scatter")
    complete = frame[frame[[x, y]].notna().all(axis=1)]
    left_out = len(frame) - len(complete)
    figure = go.Figure()
    if complete.empty:
        note(figure, "No image has both entropies; with a single rater there is no GT entropy.")
        return finish(figure, title, source, legend=False, height=260)
    groups = {"images": complete} if colour is None else groups_of(complete, colour)
    chosen = colours_for(list(groups), colours)
    top = float(complete[[x, y]].to_numpy().max()) * 1.05 or 1.0
    if identity:
        figure.add_scatter(
            x=[0, top], y=[0, top], mode="lines", name="equal entropies", hoverinfo="skip",
            line={"color": NEUTRAL, "dash": "dash", "width": 1.5},
        )  # fmt: skip
    for name, rows in groups.items():
        own = estimate.get(name) if isinstance(estimate, Mapping) else estimate
        words = name if own is None else f"{name}: {estimate_text(own, 'r')}"
        if averages:
            words += f"{':' if own is None else ','} mean {rows[y].mean():.4f}"
        first = f"{x_title}: %{{x:.4f}}<br>{y_title}: %{{y:.4f}}"
        figure.add_scatter(
            x=rows[x].to_numpy(float), y=rows[y].to_numpy(float), mode="markers", name=words,
            marker={"color": chosen[name], "size": 8, "opacity": 0.75,
                    "line": {"width": 0.5, "color": "rgba(255,255,255,0.6)"}},
            **hover(rows, [c for c in (colour, *hover_columns) if c], first),
        )  # fmt: skip
    figure.update_xaxes(title_text=x_title, rangemode="tozero")
    figure.update_yaxes(title_text=y_title, rangemode="tozero")
    if identity:
        figure.update_xaxes(range=[0, top], constrain="domain")
        figure.update_yaxes(range=[0, top], scaleanchor="x", constrain="domain")
    unit = "images" if colour is None else "points"
    words = [f"{len(complete)} {unit}"]
    words += [f"{left_out} without both entropies left out"] if left_out else []
    words += [f"[{interval}]"] if estimate is not None else []
    return finish(figure, title, source, height=560, detail=", ".join(words))


def entropy_histogram(
    values: Mapping[str, Sequence[float]],
    *,
    source: str,
    bins: int = 40,
    unit: str = "nats",
    x_title: str = "entropy",
    title: str = "How often an entropy occurs",
    y_title: str = "images",
    log: bool = False,
    detail: str = "",
) -> go.Figure:
    """Counts of entropies, one stepped line a group.

    Parameters
    ----------
    values : mapping of str to array-like
        Entropies of images or voxels; they are counted here, so that a page doesn't grow with
        them. NaN is left out.
    source : str
        Where the data comes from.
    bins : int
        Number of bins between the lowest and highest value of all groups.
    unit, x_title, title, y_title, detail : str
        Words.
    log : bool
        Logarithmic counts, for voxels, most of which have no entropy at all.
    """
    if bins < 1:
        raise SettingsError(f"bins: expected at least 1, got {bins}.")
    arrays = {n: np.asarray(v, dtype=float).ravel() for n, v in values.items()}
    arrays = {n: v[np.isfinite(v)] for n, v in arrays.items()}
    arrays = {n: v for n, v in arrays.items() if v.size}
    figure = go.Figure()
    if not arrays:
        return finish(note(figure, "No value is defined."), title, source, legend=False)
    low = min(float(v.min()) for v in arrays.values())
    high = max(float(v.max()) for v in arrays.values())
    edges = np.linspace(min(low, 0.0), high if high > min(low, 0.0) else low + 1.0, bins + 1)
    for i, (name, colour) in enumerate(colours_for(list(arrays)).items()):
        counts = np.histogram(arrays[name], bins=edges)[0].astype(float)
        y = np.append(counts, counts[-1])
        if log:
            y[y == 0] = np.nan
        figure.add_scatter(
            x=edges, y=y, mode="lines", name=name,
            line={"shape": "hv", "color": colour, "dash": DASHES[i % len(DASHES)], "width": 2},
            hovertemplate=f"{name}<br>from %{{x:.3f}} {unit}: %{{y:,}}<extra></extra>",
        )  # fmt: skip
    figure.update_xaxes(title_text=f"{x_title} ({unit})")
    figure.update_yaxes(title_text=y_title, rangemode="tozero")
    if log:
        figure.update_yaxes(type="log", dtick=1)
    return finish(figure, title, source, detail=detail, legend=len(arrays) > 1)
